import { readdirSync, readFileSync } from "node:fs";

interface Watched {
  limitBytes: number;
  onExceeded(): void;
}

const lookSeconds = 0.25;

/** By process group. One look at /proc serves all of them: it has hundreds of files. */
const watched = new Map<number, Watched>();
let looking: NodeJS.Timeout | undefined;

/** Calls `onExceeded` when the resident memory of a process group is above its limit, which is looked at four times a second. Answers what ends the watch. */
export function watchMemory(group: number, limitBytes: number, onExceeded: () => void): () => void {
  watched.set(group, { limitBytes, onExceeded });
  looking ??= setInterval(look, lookSeconds * 1000);
  return () => {
    watched.delete(group);
    if (watched.size > 0) return;
    clearInterval(looking);
    looking = undefined;
  };
}

/** Fields 5 (group) and 24 (resident pages of 4 KiB) of /proc/PID/stat, proc(5). */
function look(): void {
  const pages = new Map<number, number>();
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const fields = readFileSync(`/proc/${name}/stat`, "utf8").split(") ").at(-1)?.split(" ") ?? [];
      const group = Number(fields[2]);
      if (watched.has(group)) pages.set(group, (pages.get(group) ?? 0) + Number(fields[21]));
    } catch {
      // It is gone.
    }
  }
  for (const [group, used] of pages) {
    const one = watched.get(group);
    if (one && used * 4096 > one.limitBytes) one.onExceeded();
  }
}
