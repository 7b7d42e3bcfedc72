import { join } from "node:path";
import { bracket } from "@periscan/contract/target-syntax.ts";
import pino from "pino";
import { openSecrets } from "./access/secrets.ts";
import { buildApp } from "./app.ts";
import { connect } from "./db/connect.ts";
import { startFileLane } from "./documents/file-lane.ts";
import { createFileMaker } from "./documents/file-maker.ts";
import { failOverdueReports, failReport, isReportOverdue } from "./documents/make-report.ts";
import { failResults } from "./documents/make-results.ts";
import { SettingsError } from "./errors/settings-error.ts";
import { shortenError } from "./errors/shorten-error.ts";
import { createFileStore } from "./files/file-store.ts";
import { forgetAnswers } from "./http/answer-once.ts";
import { sweepImports } from "./imports/sweep-imports.ts";
import { openMailer } from "./outgoing/mailer.ts";
import { type OutgoingPolicy, readOutgoingPolicy } from "./outgoing/outgoing-policy.ts";
import { isProofDue, recheckOwnerships } from "./ownership/ownership-rows.ts";
import { fileQueues, startQueue } from "./queue/start-queue.ts";
import { createTaskBell } from "./queue/task-bell.ts";
import { createDispatcher, isDeliveryDue } from "./receivers/create-dispatcher.ts";
import { tidyEvents } from "./receivers/tidy-events.ts";
import { expireAcceptances, isAcceptanceOver } from "./risks/accept-risks.ts";
import { isScanHeld, releaseScans } from "./scans/release-scans.ts";
import { isOccurrenceDue, runDueSchedules } from "./schedules/run-due.ts";
import { readClock } from "./schedules/schedule-rows.ts";
import type { Services } from "./services.ts";
import { type HttpSettings, readHttpSettings } from "./settings/http-settings.ts";
import { type LimitSettings, readLimitSettings } from "./settings/limit-settings.ts";
import { isLocalAlone, readAllowLoopback } from "./settings/listener.ts";
import { type OwnershipSettings, readOwnershipSettings } from "./settings/ownership-settings.ts";
import { createTaskPicker, isTaskFree } from "./tasks/pick-task.ts";
import { isTaskOverdue, reapTasks } from "./tasks/reap.ts";
import { createEngineReaper, isTaskWaiting } from "./tasks/reap-engines.ts";
import { leaseSeconds } from "./tasks/task-rows.ts";
import { type Chore, repeat, startUpkeep } from "./upkeep.ts";

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
  const { db, pool, close } = await connect(settings.databaseUrl, onError);
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
  const deliveries = settings.delivers === false ? undefined : await openDeliveries(services, settings.databaseUrl, onError);
  const stopUpkeep = startUpkeep({ pool, log }, [...listChores(services), ...(deliveries ? [deliveries.chore] : [])]);
  const stopSweeps = startSweeps(services);
  const url = addressOf(settings.host, app.server.address());
  log.info({ url }, "listening");
  return {
    url,
    stop: async () => {
      await Promise.all([stopUpkeep(), stopSweeps()]);
      await deliveries?.stop();
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
async function openDeliveries(services: Services, databaseUrl: string, onError: (error: Error) => void): Promise<{ chore: Chore; stop(): Promise<void> }> {
  const { db, close } = await connect(databaseUrl, onError, deliveryConnections);
  const dispatcher = createDispatcher({ ...services, db });
  const stopTidying = repeat(services, { name: "the end of old events", seconds: tidySeconds }, () => tidyEvents(db));
  return {
    chore: { name: "the start of deliveries", due: isDeliveryDue, run: () => dispatcher.takeDue() },
    stop: async () => {
      await Promise.all([stopTidying(), dispatcher.stop()]);
      await close();
    },
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
const tidySeconds = 60;

/**
 * What a server does by itself. Leases count only once the workers had time to come back: while no server ran nobody could renew them.
 */
function listChores(services: Services): Chore[] {
  const startedAt = performance.now();
  const leasesCount = () => performance.now() - startedAt > leaseSeconds * 1000;
  const clock = () => readClock(services.db);
  return [
    { name: "the reaper of tasks", due: isTaskOverdue, run: () => reapTasks(services, { leasesCount: leasesCount() }) },
    { name: "the reaper of missing engines", due: isTaskWaiting, run: createEngineReaper(services) },
    { name: "the bell for tasks of other servers", due: isTaskFree, run: async () => services.bell.ring() },
    { name: "the release of held scans", due: isScanHeld, run: () => releaseScans(services) },
    { name: "the end of acceptances", due: isAcceptanceOver, run: () => expireAcceptances(services.db) },
    { name: "the end of overdue reports", due: isReportOverdue, run: () => failOverdueReports(services.db) },
    { name: "the scheduler", due: isOccurrenceDue, run: async () => runDueSchedules(services, await clock()) },
    { name: "the check of ownership", due: isProofDue, run: async (stopping) => recheckOwnerships(services, await clock(), stopping) },
  ];
}

/** What is cleared away from time to time. */
function startSweeps(services: Services): () => Promise<void> {
  const stops = [
    repeat(services, { name: "the sweep of imports", seconds: sweepSeconds }, () => sweepImports(services)),
    repeat(services, { name: "the sweep of unfinished files", seconds: sweptAfterSeconds }, () =>
      services.files.sweepParts(new Date(Date.now() - sweptAfterSeconds * 1000)),
    ),
    repeat(services, { name: "the end of kept answers", seconds: forgetSeconds }, () => forgetAnswers(services.db)),
  ];
  return async () => {
    await Promise.all(stops.map((stop) => stop()));
  };
}
