import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { openKeys } from "@periscan/server/access/keys.ts";
import { type EmbeddedPostgres, startEmbeddedPostgres } from "@periscan/server/db/embedded-postgres.ts";
import { startServer } from "@periscan/server/start-server.ts";
import { explainListen } from "./explain-listen.ts";
import { readImportLimit } from "./read-import-limit.ts";
import { takeRuntime } from "./runtime-file.ts";
import { makeWorkerEnvironment } from "./worker-environment.ts";

export interface PlatformSettings {
  dataFolder: string;
  host: string;
  /** 0 takes a free one. */
  port: number;
  logLevel: string;
  /** Takes the log of server and worker in the place of standard error. */
  log?: { write(lines: string): void };
}

export interface Platform {
  url: string;
  /** Where the first API key stands. */
  keyFile: string;
  stop(): Promise<void>;
}

/** Everything on one machine: PostgreSQL, the server in this process, a worker as a child. What dies of it is started again. */
export async function startPlatform(settings: PlatformSettings): Promise<Platform> {
  const { dataFolder, host, port, logLevel, log } = settings;
  const runtime = takeRuntime(dataFolder);
  const undo: (() => unknown)[] = [runtime.release];
  const stop = async () => {
    for (const step of undo.splice(0).reverse()) await step();
  };
  try {
    const database = { folder: join(dataFolder, "postgres") };
    const postgres = await startEmbeddedPostgres(database);
    undo.push(() => postgres.stop());
    const stopWatching = watchPostgres(postgres, database);
    undo.push(stopWatching);
    const { keyFile, token } = await ensureKeys(postgres.url, dataFolder);
    const own = { databaseUrl: postgres.url, host, port, dataFolder, logLevel, hasOwnWorker: true };
    const server = await startServer({ ...own, ...(log ? { log } : {}), ...readImportLimit() }).catch((cause) => {
      throw explainListen(cause, settings);
    });
    undo.push(() => server.stop());
    undo.push(
      keepWorker(
        {
          PERISCAN_SERVER: reachable(server.url),
          PERISCAN_WORKER_TOKEN: token,
          PERISCAN_DATA: dataFolder,
          PERISCAN_LOG_LEVEL: logLevel,
        },
        log,
      ),
    );
    runtime.announce(reachable(server.url));
    return { url: server.url, keyFile, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** An address that listens on all interfaces is reached from here by loopback. */
const reachable = (url: string): string => url.replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:");

/** The first API key and the embedded worker's token, each in a file that its owner alone may read. One that was revoked is replaced. */
async function ensureKeys(databaseUrl: string, dataFolder: string): Promise<{ keyFile: string; token: string }> {
  const keyFile = join(dataFolder, "api-key");
  const keys = await openKeys(databaseUrl);
  try {
    await ensureSecret(keyFile, keys.isLiveKey, async () => (await keys.createApiKey({ name: "first key" })).key);
    const token = await ensureSecret(join(dataFolder, "worker-token"), keys.isEmbeddedToken, async () => (await keys.createEmbeddedToken()).token);
    return { keyFile, token };
  } finally {
    await keys.close();
  }
}

async function ensureSecret(file: string, isLive: (secret: string) => Promise<boolean>, create: () => Promise<string>): Promise<string> {
  const known = existsSync(file) ? readFileSync(file, "utf8").trim() : "";
  if (known !== "" && (await isLive(known))) return known;
  const secret = await create();
  writeFileSync(file, `${secret}\n`, { mode: 0o600 });
  return secret;
}

function watchPostgres(postgres: EmbeddedPostgres, options: { folder: string }): () => Promise<void> {
  const stopping = new AbortController();
  const watch = async () => {
    while (!stopping.signal.aborted) {
      if (!postgres.isRunning()) await startEmbeddedPostgres(options).catch((error) => console.error(`periscan: ${(error as Error).message}`));
      await sleep(300, undefined, { signal: stopping.signal }).catch(() => {});
    }
  };
  const watching = watch();
  return async () => {
    stopping.abort();
    await watching;
  };
}

const workerFile = fileURLToPath(import.meta.resolve("@periscan/worker/main.ts"));
const longestPauseSeconds = 10;
const stopSeconds = 6;

/** Runs a worker process, and another one when it dies. The channel to it closes with this process, however that ends, and then it ends too. */
function keepWorker(environment: Record<string, string>, log?: PlatformSettings["log"]): () => Promise<void> {
  const stopping = new AbortController();
  let child: ChildProcess | undefined;
  const keep = async () => {
    for (let failures = 0; !stopping.signal.aborted; failures++) {
      const startedAt = performance.now();
      child = spawn(process.execPath, [workerFile], { stdio: ["ignore", "inherit", log ? "pipe" : "inherit", "ipc"], env: makeWorkerEnvironment(environment) });
      if (log && child.stderr) createInterface({ input: child.stderr }).on("line", (line) => log.write(`${line}\n`));
      await once(child, "exit").catch(() => {});
      if (performance.now() - startedAt > 60_000) failures = 0;
      await sleep(Math.min(longestPauseSeconds * 1000, 250 * 2 ** failures), undefined, { signal: stopping.signal }).catch(() => {});
    }
  };
  const keeping = keep();
  return async () => {
    stopping.abort();
    child?.kill("SIGTERM");
    const killing = setTimeout(() => child?.kill("SIGKILL"), stopSeconds * 1000);
    await keeping;
    clearTimeout(killing);
  };
}
