import { UserError } from "./user-error.ts";

interface Cause {
  syscall?: string;
  severity?: string;
  message: string;
}

/** What is wrong where the database of DATABASE_URL cannot be reached or lets nobody in; any other error comes back as it is. */
export function explainDatabase(cause: unknown): unknown {
  // A name with several addresses fails with one error for each.
  const first = (cause instanceof AggregateError ? cause.errors[0] : cause) as Cause;
  const isRefused = first.syscall === "connect" || first.syscall === "getaddrinfo" || first.severity === "FATAL" || /^SASL/.test(first.message);
  return isRefused ? new UserError(`The database of DATABASE_URL cannot be used: ${first.message}`, { cause }) : cause;
}
