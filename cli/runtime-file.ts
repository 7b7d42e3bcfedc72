import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { readStartTicks } from "@periscan/engines/kit/process-identity.ts";
import { UserError } from "./user-error.ts";

/** What a running platform tells the other commands, in DATA/server.json. */
export interface Runtime {
  pid: number;
  /** The process's start in clock ticks, by which a pid that was given to another process is known. */
  startTicks: string;
  /** Absent while the platform is starting. */
  url?: string;
}

/** Another process has the data folder. */
export class RuntimeTakenError extends UserError {}

const path = (dataFolder: string) => join(dataFolder, "server.json");

/** The platform that runs on this data folder, or undefined. */
export function findRuntime(dataFolder: string): Runtime | undefined {
  try {
    const runtime = JSON.parse(readFileSync(path(dataFolder), "utf8")) as Runtime;
    return readStartTicks(runtime.pid) === runtime.startTicks ? runtime : undefined;
  } catch {
    return undefined;
  }
}

/** Takes the data folder for this process: one platform a folder. Throws a RuntimeTakenError that names the process that has it. */
export function takeRuntime(dataFolder: string): { announce(url: string): void; release(): void } {
  const file = path(dataFolder);
  const own: Runtime = { pid: process.pid, startTicks: readStartTicks(process.pid) ?? "" };
  for (let tries = 0; ; tries++) {
    try {
      writeFileSync(file, JSON.stringify(own), { flag: "wx", mode: 0o644 });
      break;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST" || tries > 3) throw error;
      const running = findRuntime(dataFolder);
      if (running) throw new RuntimeTakenError(`Periscan runs already on ${dataFolder}: process ${running.pid}${running.url ? `, ${running.url}` : ""}.`);
      rmSync(file, { force: true });
    }
  }
  return {
    announce: (url) => writeFileSync(file, JSON.stringify({ ...own, url })),
    release: () => rmSync(file, { force: true }),
  };
}
