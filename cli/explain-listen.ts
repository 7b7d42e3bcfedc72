import { UserError } from "./user-error.ts";

/** What to do when a server cannot listen; any other error comes back as it is. */
export function explainListen(cause: unknown, { host, port }: { host: string; port: number }): unknown {
  const { code, syscall, hostname } = cause as NodeJS.ErrnoException & { hostname?: string };
  // A database whose name is not known fails alike, and so does a file that may not be written.
  if (syscall !== "listen" && hostname !== host) return cause;
  if (code === "EADDRINUSE") return new UserError(`Port ${port} of ${host} is taken by another program. Use another one: --port ${port + 1}`, { cause });
  if (code === "EADDRNOTAVAIL" || code === "ENOTFOUND" || code === "EAI_AGAIN") return new UserError(`${host} is no address of this machine.`, { cause });
  if (code === "EACCES") return new UserError(`Port ${port} needs more rights than this user has. Use one above 1023.`, { cause });
  return cause;
}
