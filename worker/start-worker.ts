import { mkdirSync, readdirSync, rmSync } from "node:fs";
import { totalmem } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { EngineStatus, Task } from "@periscan/contract/worker-protocol.ts";
import { readStartTicks } from "@periscan/engines/kit/process-identity.ts";
import { letEnginesPass } from "@periscan/engines/kit/run-folder.ts";
import { engines, findEngine } from "@periscan/engines/registry.ts";
import type { Logger } from "pino";
import { createBuildHolds } from "./hold-builds.ts";
import manifest from "./package.json" with { type: "json" };
import { createEngineProbe } from "./probe-engines.ts";
import { importMemoryMegabytes } from "./run-import.ts";
import { runTask } from "./run-task.ts";
import { createServerClient, RefusedError, type ServerClient } from "./server-client.ts";

export interface WorkerSettings {
  /** The server's address, such as `https://periscan.example`. */
  server: string;
  token: string;
  /** Where it is to be another than its token's the server refuses it. */
  name: string | undefined;
  enginesFolder: string;
  /** Where tasks have their temporary folders. */
  workFolder: string;
  /** Tasks at once. An engine such as Nmap waits more than it computes, so this is more than the cores. */
  slots: number;
  /** Resident memory of all engines together. */
  memoryMegabytes: number;
  /** Packets a second of all tasks together; Infinity for no limit. */
  packetsPerSecond: number;
  log: Logger;
}

export interface RunningWorker {
  /** Ends all engines, gives their tasks back, and resolves. */
  stop(): Promise<void>;
}

/** How long a claim waits for a task: where all engines fit, where one is missing and may be installed, and where memory becomes free when a task ends. */
const waitSeconds = { ready: 20, missing: 5, full: 1 };
const outputBytes = 2 * 1024 ** 3;

/** 4 GiB, or half of a smaller machine's. */
export const defaultMemoryMegabytes = (): number => Math.min(4096, Math.floor(totalmem() / 2 / 1024 ** 2));

/** Claims tasks and runs them until stopped. */
export function startWorker(settings: WorkerSettings): RunningWorker {
  const stopping = new AbortController();
  const client = createServerClient(settings);
  const running = new Map<Promise<void>, Task>();
  const holds = createBuildHolds();
  const probeEngines = createEngineProbe({ engines, ...settings, hold: holds.hold });
  const context = {
    client,
    enginesFolder: settings.enginesFolder,
    workFolder: makeWorkFolder(settings.workFolder),
    log: settings.log,
    stopping: stopping.signal,
    limits: { packetsPerSecond: settings.packetsPerSecond / settings.slots, outputBytes },
  };
  const loop = async () => {
    while (!stopping.signal.aborted) {
      if (running.size >= settings.slots) {
        await Promise.race(running.keys());
        continue;
      }
      const task = await claimNext({ client, settings, probeEngines, running: [...running.values()], signal: stopping.signal });
      if (!task) continue;
      const attempt = runTask(task, context).finally(() => running.delete(attempt));
      running.set(attempt, task);
    }
    await Promise.all(running.keys());
    rmSync(context.workFolder, { recursive: true, force: true });
    holds.release();
  };
  const looping = loop();
  return {
    stop: async () => {
      stopping.abort();
      await looping;
    },
  };
}

/** A folder of this process's own; those of processes that are gone are removed with what a kill left in them. */
function makeWorkFolder(parent: string): string {
  mkdirSync(parent, { recursive: true, mode: 0o700 });
  for (const name of readdirSync(parent)) {
    const [pid = "", startTicks] = name.split("-");
    if (readStartTicks(Number(pid)) !== startTicks) rmSync(join(parent, name), { recursive: true, force: true });
  }
  const folder = join(parent, `${process.pid}-${readStartTicks(process.pid)}`);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  for (const path of [parent, folder]) letEnginesPass(path);
  return folder;
}

interface Claiming {
  client: ServerClient;
  settings: WorkerSettings;
  probeEngines: () => Promise<EngineStatus[]>;
  /** The tasks that run here now. */
  running: Task[];
  signal: AbortSignal;
}

async function claimNext({ client, settings, probeEngines, running, signal }: Claiming) {
  const statuses = await probeEngines();
  const used = running.reduce((sum, task) => sum + (task.import ? importMemoryMegabytes : memoryOf(task.type)), 0);
  const fitting = statuses.filter(({ ready, type }) => ready && used + memoryOf(type) <= settings.memoryMegabytes).map(({ type }) => type);
  const imports = used + importMemoryMegabytes <= settings.memoryMegabytes;
  const ready = statuses.filter((status) => status.ready);
  const isFull = fitting.length < ready.length || !imports;
  const wait_seconds = isFull ? waitSeconds.full : ready.length < statuses.length ? waitSeconds.missing : waitSeconds.ready;
  try {
    return await client.claim(
      {
        worker: { ...(settings.name === undefined ? {} : { name: settings.name }), version: manifest.version },
        engines: statuses,
        fitting,
        imports,
        wait_seconds,
      },
      signal,
    );
  } catch (error) {
    if (signal.aborted) return null;
    const refused = error instanceof RefusedError && (error.status === 401 || error.status === 403);
    settings.log.warn({ err: error }, refused ? "the server refuses this worker's token" : "the server does not answer; trying again");
    await sleep(refused ? 5000 : 500, undefined, { signal }).catch(() => {});
    return null;
  }
}

const memoryOf = (type: Task["type"]): number => findEngine(type).memoryMegabytes;
