import { readFileSync } from "node:fs";

/**
 * The process's start in clock ticks, by which a pid that was given to another process is known: field 22 of /proc/PID/stat, proc(5); the
 * fields are counted behind the name, which may hold spaces. Undefined where the process is gone.
 */
export function readStartTicks(pid: number): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1)?.split(" ")[19];
  } catch {
    return undefined;
  }
}
