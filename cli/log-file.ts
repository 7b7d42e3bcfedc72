import { appendFileSync, mkdirSync, renameSync, statSync } from "node:fs";
import { dirname, join } from "node:path";

/** The largest that the log becomes; then it is the older one, and a new one begins. So both together have at most twice this, and a line. */
const maxBytes = 10 * 1024 ** 2;

export const logFile = (dataFolder: string): string => join(dataFolder, "logs", "periscan.log");
export const olderLogFile = (dataFolder: string): string => `${logFile(dataFolder)}.1`;

/** Keeps whole lines of a log in the data folder, bounded in size; its owner alone may read it. A log that cannot be written stops nothing. */
export function openLogFile(dataFolder: string, limit = maxBytes): { write(lines: string): void } {
  const path = logFile(dataFolder);
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  let size = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  return {
    write: (lines) => {
      try {
        if (size > limit) {
          renameSync(path, olderLogFile(dataFolder));
          size = 0;
        }
        appendFileSync(path, lines, { mode: 0o600 });
        size += Buffer.byteLength(lines);
      } catch {
        // A full disk is told elsewhere.
      }
    },
  };
}
