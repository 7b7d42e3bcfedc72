import { UserError } from "./user-error.ts";

const levels = ["trace", "debug", "info", "warn", "error", "fatal", "silent"];

/** PERISCAN_LOG_LEVEL, or `usual` where it is not set. Throws a UserError where it is no level. */
export function readLogLevel(usual: string): string {
  const level = process.env.PERISCAN_LOG_LEVEL ?? usual;
  if (!levels.includes(level)) throw new UserError(`PERISCAN_LOG_LEVEL must be one of ${levels.join(", ")}; it is ${level}`, { exitCode: 2 });
  return level;
}
