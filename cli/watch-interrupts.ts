import { UserError } from "./user-error.ts";

/** Aborted at the first Ctrl-C; the second leaves at once. */
export function watchInterrupts(): AbortSignal {
  const interrupted = new AbortController();
  const interrupt = () => {
    if (interrupted.signal.aborted) process.exit(130);
    interrupted.abort(new UserError("Stopped."));
  };
  process.on("SIGINT", interrupt);
  process.on("SIGTERM", interrupt);
  return interrupted.signal;
}

/** What the action answers, unless Ctrl-C comes first: then a UserError, so that whoever called ends what was started for it. */
export async function untilInterrupted<T>(interrupted: AbortSignal, action: () => Promise<T>): Promise<T> {
  interrupted.throwIfAborted();
  const { promise, reject } = Promise.withResolvers<never>();
  const stop = () => reject(interrupted.reason);
  interrupted.addEventListener("abort", stop);
  try {
    return await Promise.race([promise, action()]);
  } finally {
    interrupted.removeEventListener("abort", stop);
  }
}
