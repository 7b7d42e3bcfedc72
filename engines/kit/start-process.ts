import { spawn } from "node:child_process";
import type { Readable } from "node:stream";
import { EngineError } from "./engine.ts";

export interface ProcessSettings {
  /** An absolute path, or a name on PATH. */
  file: string;
  args: string[];
  /** Address space of the process. */
  memoryBytes: number;
  /** Most bytes on standard output; one more ends the process and throws. */
  outputBytes: number;
  signal: AbortSignal;
}

export interface ProcessEnd {
  exitCode: number | null;
  signal: NodeJS.Signals | null;
  /** The last 4 kB of standard error. */
  errorText: string;
}

export interface EngineProcess {
  pid: number;
  /** Standard output, as fast as it is read. Throws where the output is larger than its ceiling, or the signal is aborted. */
  output: AsyncIterable<Uint8Array>;
  /** Resolves once the process is gone; never rejects. */
  ended: Promise<ProcessEnd>;
}

/** A process that was asked to go has this long before it is killed. */
const graceSeconds = 3;
const errorTailBytes = 4096;

/**
 * Starts an engine in a process group of its own. The kernel kills it when this process dies (`setpriv --pdeathsig`) and refuses it memory
 * beyond its ceiling (`prlimit --as`). On abort the whole group gets SIGTERM, and SIGKILL 3 s later.
 */
export function startProcess({ file, args, memoryBytes, outputBytes, signal }: ProcessSettings): EngineProcess {
  signal.throwIfAborted();
  const wrapped = ["--pdeathsig", "KILL", "--", "prlimit", `--as=${memoryBytes}`, "--core=0", "--", file, ...args];
  const child = spawn("setpriv", wrapped, { detached: true, stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, LC_ALL: "C.UTF-8" } });
  const { promise: ended, resolve } = Promise.withResolvers<ProcessEnd>();
  const readError = keepTail(child.stderr);
  let spawnError: Error | undefined;
  child.once("error", (error) => {
    spawnError = error;
    resolve({ exitCode: null, signal: null, errorText: error.message });
  });

  let killing: NodeJS.Timeout | undefined;
  const end = () => {
    killGroup(child.pid, "SIGTERM");
    killing ??= setTimeout(() => killGroup(child.pid, "SIGKILL"), graceSeconds * 1000);
  };
  signal.addEventListener("abort", end, { once: true });
  child.once("close", (exitCode, exitSignal) => {
    clearTimeout(killing);
    signal.removeEventListener("abort", end);
    // What the engine started itself may outlive it.
    killGroup(child.pid, "SIGKILL");
    resolve({ exitCode, signal: exitSignal, errorText: readError() });
  });

  async function* readOutput(): AsyncIterable<Uint8Array> {
    let bytes = 0;
    try {
      for await (const chunk of child.stdout as AsyncIterable<Uint8Array>) {
        bytes += chunk.byteLength;
        if (bytes > outputBytes)
          throw new EngineError("engine.output_limit", `The engine printed more than ${outputBytes.toLocaleString("en")} bytes and was stopped.`, {
            retry: false,
          });
        yield chunk;
      }
      if (spawnError) throw new EngineError("engine.missing", `setpriv could not be started (${spawnError.message}): install util-linux.`, { retry: false });
      signal.throwIfAborted();
    } finally {
      if (child.exitCode === null && child.signalCode === null) end();
    }
  }
  return { pid: child.pid ?? 0, output: readOutput(), ended };
}

function killGroup(pid: number | undefined, signal: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch (error) {
    // Nobody of the group is left.
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

function keepTail(stream: Readable): () => string {
  let tail = Buffer.alloc(0);
  stream.on("data", (chunk: Buffer) => {
    tail = Buffer.concat([tail, chunk]).subarray(-errorTailBytes);
  });
  return () => tail.toString("utf8");
}
