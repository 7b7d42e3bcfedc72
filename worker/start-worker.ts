import { setTimeout as sleep } from "node:timers/promises";
import type { EngineStatus } from "@periscan/contract/worker-protocol.ts";
import { engines } from "@periscan/engines/registry.ts";
import type { Logger } from "pino";
import manifest from "./package.json" with { type: "json" };
import { runTask } from "./run-task.ts";
import { createServerClient, RefusedError, type ServerClient } from "./server-client.ts";

export interface WorkerSettings {
  /** The server's address, such as `https://periscan.example`. */
  server: string;
  token: string;
  name: string;
  dataFolder: string;
  /** Tasks at once. An engine such as Nmap waits more than it computes, so this is more than the cores. */
  slots: number;
  /** Address space of one engine process. */
  memoryMegabytes: number;
  /** Packets a second of all tasks together; Infinity for no limit. */
  packetsPerSecond: number;
  log: Logger;
}

export interface RunningWorker {
  /** Ends all engines, gives their tasks back, and resolves. */
  stop(): Promise<void>;
}

const waitSeconds = 20;
const outputBytes = 2 * 1024 ** 3;

/** Claims tasks and runs them until stopped. */
export function startWorker(settings: WorkerSettings): RunningWorker {
  const stopping = new AbortController();
  const client = createServerClient(settings);
  const running = new Set<Promise<void>>();
  const context = {
    client,
    dataFolder: settings.dataFolder,
    log: settings.log,
    stopping: stopping.signal,
    limits: {
      memoryBytes: settings.memoryMegabytes * 1024 ** 2,
      packetsPerSecond: settings.packetsPerSecond / settings.slots,
      outputBytes,
    },
  };
  const loop = async () => {
    while (!stopping.signal.aborted) {
      if (running.size >= settings.slots) {
        await Promise.race(running);
        continue;
      }
      const task = await claimNext(client, settings, stopping.signal);
      if (!task) continue;
      const attempt = runTask(task, context).finally(() => running.delete(attempt));
      running.add(attempt);
    }
    await Promise.all(running);
  };
  const looping = loop();
  return {
    stop: async () => {
      stopping.abort();
      await looping;
    },
  };
}

async function claimNext(client: ServerClient, settings: WorkerSettings, signal: AbortSignal) {
  const statuses = await probeEngines(settings.dataFolder);
  // An engine that is missing may be installed at any moment: then look again soon.
  const wait_seconds = statuses.every(({ ready }) => ready) ? waitSeconds : 2;
  try {
    return await client.claim({ worker: { name: settings.name, version: manifest.version }, engines: statuses, wait_seconds }, signal);
  } catch (error) {
    if (signal.aborted) return null;
    const refused = error instanceof RefusedError && error.status === 401;
    settings.log.warn({ err: error }, refused ? "the server does not know this worker's token" : "the server does not answer; trying again");
    await sleep(refused ? 5000 : 500, undefined, { signal }).catch(() => {});
    return null;
  }
}

async function probeEngines(dataFolder: string): Promise<EngineStatus[]> {
  return Promise.all(engines.map(async (engine) => ({ type: engine.type, ...(await (await engine.load()).probe({ dataFolder })) })));
}
