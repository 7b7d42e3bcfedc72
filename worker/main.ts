import { join } from "node:path";
import pino from "pino";
import { defaultMemoryMegabytes, startWorker } from "./start-worker.ts";

// A worker as a process of its own; its settings come from the environment, so that its token stands on no command line.
const log = pino({ name: "worker", level: process.env.PERISCAN_LOG_LEVEL ?? "info" }, pino.destination({ dest: 2, sync: true }));
const { PERISCAN_SERVER: server, PERISCAN_WORKER_TOKEN: token, PERISCAN_DATA: dataFolder } = process.env;
if (!server || !token || !dataFolder) {
  log.fatal("PERISCAN_SERVER, PERISCAN_WORKER_TOKEN and PERISCAN_DATA must be set");
  process.exit(2);
}

const worker = startWorker({
  server,
  token,
  workFolder: join(dataFolder, "work"),
  enginesFolder: process.env.PERISCAN_ENGINES ?? join(dataFolder, "engines"),
  name: process.env.PERISCAN_WORKER_NAME || undefined,
  slots: readNumber("PERISCAN_WORKER_SLOTS", 8),
  memoryMegabytes: readNumber("PERISCAN_WORKER_MEMORY_MB", defaultMemoryMegabytes()),
  packetsPerSecond: readNumber("PERISCAN_WORKER_RATE", Number.POSITIVE_INFINITY),
  log,
});

/** Engines get 3 s to go; past 5 s the process goes, and its engines with it. */
async function stop(why: string): Promise<void> {
  log.info({ why }, "worker stops");
  setTimeout(() => process.exit(1), 5000).unref();
  await worker.stop();
  process.exit(0);
}

process.once("SIGTERM", () => void stop("SIGTERM"));
process.once("SIGINT", () => void stop("SIGINT"));
// Without its parent nobody would stop it: the channel closes when the parent is gone, however it went.
if (process.channel) process.once("disconnect", () => void stop("the parent is gone"));

function readNumber(name: string, fallback: number): number {
  const text = process.env[name];
  if (text === undefined || text === "") return fallback;
  const value = Number(text);
  if (value > 0) return value;
  log.fatal(`${name} must be a number above 0, not ${JSON.stringify(text)}`);
  process.exit(2);
}
