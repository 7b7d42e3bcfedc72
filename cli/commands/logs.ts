import { existsSync, openSync, readFileSync, readSync, statSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { Command } from "commander";
import { findDataFolder } from "../data-folder.ts";
import { logFile, olderLogFile } from "../log-file.ts";
import { cleanLine, paint } from "../print.ts";
import { readCount } from "../read-count.ts";
import { UserError } from "../user-error.ts";
import { watchInterrupts } from "../watch-interrupts.ts";

interface Options {
  lines: number;
  follow?: boolean;
  json?: boolean;
}

export function addLogsCommand(program: Command): void {
  program
    .command("logs")
    .description("Show the log of the platform that `periscan up` runs here. DATA/logs keeps it, at most 20 MB.")
    .option("--lines <n>", "the last so many", readCount, 100)
    .option("--follow", "go on with what comes, until Ctrl-C")
    .option("--json", "the lines as they are, in JSON")
    .addHelpText("after", "\nExample:\n  periscan logs --lines 20 --follow\n")
    .action(showLog);
}

async function showLog({ lines, follow, json }: Options): Promise<void> {
  const folder = findDataFolder();
  const path = logFile(folder);
  if (!existsSync(path))
    throw new UserError(`There is no log in ${path}: \`periscan up\` writes it. \`periscan serve\` and \`work\` write theirs to standard error.`);
  const print = (line: string) => console.log(json ? line : drawLine(line));
  const older = existsSync(olderLogFile(folder)) ? readFileSync(olderLogFile(folder), "utf8") : "";
  const current = readFileSync(path, "utf8");
  for (const line of `${older}${current}`.split("\n").slice(0, -1).slice(-lines)) print(line);
  if (follow) await followFile(path, Buffer.byteLength(current), print);
}

const levels: Record<number, string> = {
  10: "trace",
  20: "debug",
  30: "info",
  40: paint("yellow", "warn"),
  50: paint("red", "error"),
  60: paint("red", "fatal"),
};

/** A line of pino's as a person reads it: when, how bad, who, what, and the rest as it is. */
function drawLine(line: string): string {
  try {
    const { time, level, name, msg, pid: _pid, hostname: _host, ...more } = JSON.parse(line) as Record<string, unknown>;
    const rest = Object.keys(more).length === 0 ? "" : `  ${paint("gray", cleanLine(JSON.stringify(more)))}`;
    return `${new Date(Number(time)).toISOString()}  ${levels[Number(level)] ?? level}  ${cleanLine(`${name}: ${msg ?? ""}`)}${rest}`;
  } catch {
    return cleanLine(line);
  }
}

/** Looks for new lines four times a second; a file that became shorter is a new one. */
async function followFile(path: string, from: number, print: (line: string) => void): Promise<void> {
  const interrupted = watchInterrupts();
  let [offset, rest, file, inode] = [from, "", openSync(path, "r"), statSync(path).ino];
  const buffer = Buffer.alloc(64 * 1024);
  while (!interrupted.aborted) {
    const read = readSync(file, buffer, 0, buffer.length, offset);
    offset += read;
    const lines = `${rest}${buffer.subarray(0, read).toString()}`.split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) print(line);
    if (read > 0) continue;
    const now = statSync(path, { throwIfNoEntry: false });
    if (now && now.ino !== inode) [offset, rest, file, inode] = [0, "", openSync(path, "r"), now.ino];
    else await sleep(250, undefined, { signal: interrupted }).catch(() => {});
  }
}
