import { ApiError, ConnectionError } from "@periscan/sdk/client.ts";
import { UnansweredError } from "./fail-on.ts";
import { cleanLine, paint } from "./print.ts";
import { UserError } from "./user-error.ts";

/** Says what went wrong on standard error and answers the exit code: 2 where the request was at fault, else 1, or 3 where 1 has another meaning. */
export function reportError(error: unknown): number {
  if (error instanceof UnansweredError) return reportError(error.cause) === 2 ? 2 : 3;
  if (error instanceof UserError) return say(error.message, error.exitCode);
  if (error instanceof ApiError) return say(cleanLine(error.message), error.status === 400 ? 2 : 1);
  if (error instanceof ConnectionError) return say(cleanLine(error.message), 1);
  if (error instanceof Error && error.name === "PostgresStartError") return say(error.message, 1);
  if (error instanceof Error && error.name === "SettingsError") return say(error.message, 2);
  if (isSystemError(error)) return say(error.message, 1);
  // What `fetch` throws for an answer; it has no classes of its own.
  if (error instanceof TypeError && error.message === "terminated") return say("The connection to the server broke in the middle of an answer.", 1);
  if (error instanceof SyntaxError && error.message.includes("JSON")) return say("What answered is no Periscan server: it sent something that is not JSON.", 1);
  console.error(error instanceof Error ? cleanLine(error.message) : error, error instanceof Error ? `\n${stackOf(error)}` : "");
  return 1;
}

/** Where it happened, without the message, which may hold text from outside. */
const stackOf = ({ stack = "" }: Error): string =>
  stack
    .split("\n")
    .filter((line) => /^\s+at /.test(line))
    .join("\n");

function say(message: string, exitCode: number): number {
  console.error(`${paint("red", "periscan:", process.stderr)} ${message}`);
  return exitCode;
}

const isSystemError = (error: unknown): error is NodeJS.ErrnoException => error instanceof Error && "syscall" in error;
