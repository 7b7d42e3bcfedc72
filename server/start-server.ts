import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { bracket } from "@periscan/contract/target-syntax.ts";
import pino from "pino";
import { openSecrets } from "./access/secrets.ts";
import { buildApp } from "./app.ts";
import { connect } from "./db/connect.ts";
import { createFileMaker } from "./documents/file-maker.ts";
import { failOverdueReports, failReport } from "./documents/make-report.ts";
import { failResults } from "./documents/make-results.ts";
import { SettingsError } from "./errors/settings-error.ts";
import { shortenError } from "./errors/shorten-error.ts";
import { createFileStore } from "./files/file-store.ts";
import { forgetAnswers } from "./http/answer-once.ts";
import { type HttpSettings, readHttpSettings } from "./http/http-settings.ts";
import { sweepImports } from "./imports/sweep-imports.ts";
import { type LimitSettings, readLimitSettings } from "./limits/limit-settings.ts";
import { isLocalAlone, readAllowLoopback } from "./listener.ts";
import { openMailer } from "./outgoing/mailer.ts";
import { type OutgoingPolicy, readOutgoingPolicy } from "./outgoing/outgoing-policy.ts";
import { recheckOwnerships } from "./ownership/ownership-rows.ts";
import { type OwnershipSettings, readOwnershipSettings } from "./ownership/ownership-settings.ts";
import { startFileLane } from "./queue/file-lane.ts";
import { fileQueues, startQueue } from "./queue/start-queue.ts";
import { createTaskBell } from "./queue/task-bell.ts";
import { startDeliveries } from "./receivers/start-deliveries.ts";
import { expireAcceptances } from "./risks/accept-risks.ts";
import { releaseScans } from "./scans/release-scans.ts";
import { runDueSchedules } from "./schedules/run-due.ts";
import { readClock } from "./schedules/schedule-rows.ts";
import type { Services } from "./services.ts";
import { createTaskPicker } from "./tasks/pick-task.ts";
import { reapTasks } from "./tasks/reap.ts";
import { createEngineReaper } from "./tasks/reap-engines.ts";
import { leaseSeconds } from "./tasks/task-rows.ts";

export interface ServerSettings extends LimitSettings {
  databaseUrl: string;
  host: string;
  /** 0 takes a free one. */
  port: number;
  dataFolder: string;
  logLevel?: string;
  /** Takes the log in the place of standard error, line by line. */
  log?: { write(line: string): void };
  /** Where requests to addresses that users give may go; the environment says it where this is absent. */
  outgoing?: OutgoingPolicy;
  /** The environment says it where this is absent. */
  ownership?: OwnershipSettings;
  /** False leaves the deliveries of webhooks and notifications to other servers on the same database. */
  delivers?: boolean;
  /** The largest file that may be imported. */
  maxImportMegabytes?: number;
  /** The environment says it where this is absent. */
  http?: HttpSettings;
  /** Whether the platform's own worker runs beside this server: loopback is scanned by that one alone. */
  hasOwnWorker?: boolean;
}

const defaultMaxImportMegabytes = 512;

export interface RunningServer {
  url: string;
  /** Answers no more requests, ends the background work, closes the database. */
  stop(): Promise<void>;
}

/** Migrates the database and serves: the API, the reaper, the jobs that make results. Logs JSON lines to standard error. */
export async function startServer(settings: ServerSettings): Promise<RunningServer> {
  const log = pino(
    { name: "server", level: settings.logLevel ?? "info", serializers: { err: shortenError, cause: shortenError } },
    settings.log ?? pino.destination({ dest: 2, sync: true }),
  );
  const http = settings.http ?? readHttpSettings(process.env);
  const limits = readLimitSettings(settings);
  const onError = (error: Error) => log.warn({ err: error }, "a database connection broke");
  const { db, close } = await connect(settings.databaseUrl, onError);
  const boss = await startQueue(settings.databaseUrl, log);
  const filesFolder = join(settings.dataFolder, "files");
  const files = createFileStore(filesFolder);
  const secrets = openSecrets(settings.dataFolder);
  const bell = createTaskBell();
  const { host, hasOwnWorker = false } = settings;
  const listener = { host, publicUrl: readPublicUrl(process.env), trustedProxies: limits.trustedProxies };
  const services: Services = {
    ...{ db, boss, files, secrets, bell, http, log, ...limits, ...listener },
    picker: createTaskPicker(db, bell),
    isLocalAlone: isLocalAlone(listener),
    allowLoopback: readAllowLoopback(process.env, { ...listener, hasOwnWorker }),
    outgoing: settings.outgoing ?? readOutgoingPolicy(process.env),
    ownership: settings.ownership ?? readOwnershipSettings(process.env),
    mailer: openMailer(process.env),
    maxImportBytes: (settings.maxImportMegabytes ?? defaultMaxImportMegabytes) * 1024 ** 2,
  };
  const stopMaking = startMaking(services, { databaseUrl: settings.databaseUrl, filesFolder });
  const app = await buildApp(services);
  await app.listen({ host: settings.host, port: settings.port });
  const stopReaper = startReaper(services);
  const stopSweeper = repeat(services, { name: "sweeper", seconds: sweepSeconds }, () => sweepImports(services));
  const stopPartsSweeper = repeat(services, { name: "sweeper of unfinished files", seconds: sweptAfterSeconds }, () =>
    files.sweepParts(new Date(Date.now() - sweptAfterSeconds * 1000)),
  );
  const stopDeliveries = settings.delivers === false ? async () => {} : await startDelivering(services, settings.databaseUrl, onError);
  const stopScheduler = everySecond(services, "scheduler", async () => runDueSchedules(services, await readClock(db)));
  const stopRechecks = everySecond(services, "ownership", async (signal) => recheckOwnerships(services, await readClock(db), signal));
  const url = addressOf(settings.host, app.server.address());
  log.info({ url }, "listening");
  return {
    url,
    stop: async () => {
      await Promise.all([stopReaper(), stopSweeper(), stopPartsSweeper(), stopScheduler(), stopRechecks(), stopDeliveries()]);
      await app.close();
      await stopMaking();
      await boss.stop({ graceful: true, timeout: 3000 });
      await close();
    },
  };
}

function readPublicUrl({ PERISCAN_PUBLIC_URL: url }: NodeJS.ProcessEnv): string | undefined {
  if (!url) return undefined;
  if (!URL.canParse(url) || !/^https?:/.test(url)) throw new SettingsError("PERISCAN_PUBLIC_URL must be an address such as https://periscan.example.");
  return url;
}

function addressOf(host: string, address: ReturnType<import("node:http").Server["address"]>): string {
  const port = typeof address === "object" && address ? address.port : 0;
  return `http://${bracket(host)}:${port}`;
}

const deliveryConnections = 4;

/** With connections of their own, so that however many deliveries are under way the API never waits for one. */
async function startDelivering(services: Services, databaseUrl: string, onError: (error: Error) => void): Promise<() => Promise<void>> {
  const { db, close } = await connect(databaseUrl, onError, deliveryConnections);
  const stop = startDeliveries({ ...services, db });
  return async () => {
    await stop();
    await close();
  };
}

/** How far the making of large files gives way to all else on the machine. */
const largeNiceness = 10;

/** One small and one large file at a time: to set a PDF takes a core and memory. */
function startMaking({ boss, db, log }: Services, { databaseUrl, filesFolder }: { databaseUrl: string; filesFolder: string }): () => Promise<void> {
  const stops = fileQueues.map((queue) => {
    const maker = createFileMaker({ databaseUrl, filesFolder, log, niceness: queue === "files-large" ? largeNiceness : 0 });
    return startFileLane({ boss, log, queue, maker, fail: ({ kind, ofId }) => (kind === "results" ? failResults(db, ofId) : failReport(db, ofId)) });
  });
  return async () => {
    await Promise.all(stops.map((stop) => stop()));
  };
}

const sweepSeconds = 600;

/** A file that is being written changes all the time. */
const sweptAfterSeconds = 3600;

const forgetSeconds = 10;

/**
 * What moves on whatever has waited long enough; each for itself, so that none keeps another from its work. Leases count only once the workers had time to come
 * back: while no server ran nobody could renew them.
 */
function startReaper(services: Services): () => Promise<void> {
  const startedAt = performance.now();
  const leasesCount = () => performance.now() - startedAt > leaseSeconds * 1000;
  const stops = [
    everySecond(services, "reaper", () => reapTasks(services, { leasesCount: leasesCount() })),
    everySecond(services, "reaper of missing engines", createEngineReaper(services)),
    everySecond(services, "release of held scans", () => releaseScans(services)),
    everySecond(services, "end of acceptances", () => expireAcceptances(services.db)),
    everySecond(services, "end of overdue reports", () => failOverdueReports(services.db)),
    repeat(services, { name: "end of kept answers", seconds: forgetSeconds }, () => forgetAnswers(services.db)),
  ];
  return async () => {
    await Promise.all(stops.map((stop) => stop()));
  };
}

const everySecond = (services: Services, name: string, action: (stopping: AbortSignal) => Promise<unknown>) => repeat(services, { name, seconds: 1 }, action);

/** Does it again and again, so many seconds apart, whatever it throws, until the answer is called: that resolves once the last has ended. */
function repeat(
  services: Services,
  { name, seconds }: { name: string; seconds: number },
  action: (stopping: AbortSignal) => Promise<unknown>,
): () => Promise<void> {
  const stopping = new AbortController();
  const run = async () => {
    while (!stopping.signal.aborted) {
      await action(stopping.signal).catch((error) => {
        if (!stopping.signal.aborted) services.log.warn({ err: error }, `${name} failed; it runs again in ${seconds} s`);
      });
      await sleep(seconds * 1000, undefined, { signal: stopping.signal }).catch(() => {});
    }
  };
  const running = run();
  return async () => {
    stopping.abort();
    await running;
  };
}
