import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { JobWithMetadata } from "pg-boss";
import pino from "pino";
import { buildApp, isLoopbackHost } from "./app.ts";
import { connect } from "./db/connect.ts";
import { createFileStore } from "./file-store.ts";
import { type HttpSettings, readHttpSettings } from "./http-settings.ts";
import { forgetAnswers } from "./idempotency/answer-once.ts";
import { renderQueue, startQueue } from "./queue/start-queue.ts";
import { leaseSeconds } from "./scans/claim-task.ts";
import { failResults, makeResults } from "./scans/make-results.ts";
import { reapTasks } from "./scans/reap.ts";
import { createTaskBell } from "./scans/task-bell.ts";
import { openSecrets } from "./secrets.ts";
import type { Services } from "./services.ts";

export interface ServerSettings {
  databaseUrl: string;
  host: string;
  /** 0 takes a free one. */
  port: number;
  dataFolder: string;
  logLevel?: string;
  /** The environment says it where this is absent. */
  http?: HttpSettings;
}

export interface RunningServer {
  url: string;
  /** Answers no more requests, ends the background work, closes the database. */
  stop(): Promise<void>;
}

/** Migrates the database and serves: the API, the reaper, the jobs that make results. Logs JSON lines to standard error. */
export async function startServer(settings: ServerSettings): Promise<RunningServer> {
  const log = pino({ name: "server", level: settings.logLevel ?? "info" }, pino.destination({ dest: 2, sync: true }));
  const http = settings.http ?? readHttpSettings(process.env);
  const { db, close } = await connect(settings.databaseUrl, (error) => log.warn({ err: error }, "idle database connection broke"));
  const boss = await startQueue(settings.databaseUrl, log);
  const files = createFileStore(join(settings.dataFolder, "files"));
  const secrets = openSecrets(settings.dataFolder);
  const services: Services = { db, boss, files, secrets, bell: createTaskBell(), allowLoopback: isLoopbackHost(settings.host), http, log };
  await startRendering(services);
  const app = await buildApp(services);
  await app.listen({ host: settings.host, port: settings.port });
  const stopReaper = startReaper(services);
  const url = addressOf(settings.host, app.server.address());
  log.info({ url }, "listening");
  return {
    url,
    stop: async () => {
      await stopReaper();
      await app.close();
      await boss.stop({ graceful: true, timeout: 3000 });
      await close();
    },
  };
}

function addressOf(host: string, address: ReturnType<import("node:http").Server["address"]>): string {
  const port = typeof address === "object" && address ? address.port : 0;
  return `http://${host.includes(":") ? `[${host}]` : host}:${port}`;
}

/** One at a time: setting a PDF takes a core and memory. */
async function startRendering(services: Services): Promise<void> {
  const settings = {
    pollingIntervalSeconds: 0.5,
    notifyPollingIntervalSeconds: 0.5,
    batchSize: 1,
    localConcurrency: 1,
    includeMetadata: true as const,
    heartbeatRefreshSeconds: 3,
  };
  await services.boss.work(renderQueue, settings, async ([job]: JobWithMetadata<{ scanId: string }>[]) => {
    if (!job) return;
    const { scanId } = job.data;
    try {
      await makeResults(services, scanId);
    } catch (error) {
      const last = job.retryCount >= job.retryLimit;
      services.log.error({ err: error, scanId, last }, "results could not be made");
      if (last) await failResults(services.db, scanId);
      throw error;
    }
  });
}

/** Once a second. Leases count only once the workers had time to come back: while no server ran nobody could renew them. */
function startReaper(services: Services): () => Promise<void> {
  const stopping = new AbortController();
  const startedAt = performance.now();
  const run = async () => {
    while (!stopping.signal.aborted) {
      const leasesCount = performance.now() - startedAt > leaseSeconds * 1000;
      await reap(services, { leasesCount }).catch((error) => services.log.warn({ err: error }, "reaper failed; it runs again in a second"));
      await sleep(1000, undefined, { signal: stopping.signal }).catch(() => {});
    }
  };
  const running = run();
  return async () => {
    stopping.abort();
    await running;
  };
}

async function reap(services: Services, settings: { leasesCount: boolean }): Promise<void> {
  await reapTasks(services, settings);
  await forgetAnswers(services.db);
}
