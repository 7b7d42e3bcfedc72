import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { testEnginesFolder } from "@periscan/engines/kit/testing.ts";
import { type Client, createClient } from "@periscan/sdk/client.ts";
import { guardNetworks } from "./hosts/start-hosts.ts";

export const cliFile = fileURLToPath(new URL("../cli/main.ts", import.meta.url));

/** `periscan up` as a user runs it: a process of its own on a data folder of its own. */
export interface TestPlatform extends AsyncDisposable {
  dataFolder: string;
  url: string;
  apiKey: string;
  client: Client;
  process: ChildProcess;
  /** As Ctrl-C or a service manager does; resolves with the exit code. */
  stop(): Promise<number | null>;
  /** Starts it again on the same folder, after `stop` or a kill, with the same port. */
  start(): Promise<void>;
}

export interface PlatformSettings {
  dataFolder?: string;
  environment?: Record<string, string>;
}

export interface Run {
  code: number | null;
  out: string;
  err: string;
}

/** A command of the command line on this data folder, as a process of its own. */
export function startCommand(dataFolder: string, args: string[], environment: Record<string, string> = {}): ChildProcess {
  const { PERISCAN_SERVER: _server, PERISCAN_API_KEY: _key, ...rest } = process.env;
  return spawn(process.execPath, [cliFile, ...args], {
    env: { ...rest, PERISCAN_ENGINES: testEnginesFolder, PERISCAN_DATA: dataFolder, ...environment },
    stdio: ["ignore", "pipe", "pipe"],
  });
}

export async function runCommand(dataFolder: string, args: string[], environment: Record<string, string> = {}): Promise<Run> {
  const child = startCommand(dataFolder, args, environment);
  const [out, err, [code]] = await Promise.all([
    text(child.stdout as Readable),
    text(child.stderr as Readable),
    once(child, "close") as Promise<[number | null]>,
  ]);
  return { code, out, err };
}

/** A folder for data that others may pass through: PostgreSQL runs as an account of its own. */
export function makeDataFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "periscan-e2e-"));
  chmodSync(folder, 0o755);
  return folder;
}

export async function startTestPlatform({ dataFolder = makeDataFolder(), environment = {} }: PlatformSettings = {}): Promise<TestPlatform> {
  let port = "0";
  const unguard = guardNetworks();
  const platform = {
    dataFolder,
    async start() {
      const child = spawn(process.execPath, [cliFile, "up", "--port", port], {
        // Tests look more often than a person does.
        env: { ...process.env, PERISCAN_ENGINES: testEnginesFolder, PERISCAN_REQUESTS_PER_MINUTE: "0", ...environment, PERISCAN_DATA: dataFolder },
        stdio: ["ignore", "pipe", process.env.PERISCAN_TEST_LOG ? "inherit" : "ignore"],
      });
      platform.process = child;
      platform.url = await waitForUrl(child);
      port = new URL(platform.url).port;
      platform.apiKey = readFileSync(join(dataFolder, "api-key"), "utf8").trim();
      platform.client = createClient({ server: platform.url, apiKey: platform.apiKey });
    },
    async stop() {
      return stopProcess(platform.process, "SIGTERM");
    },
    async [Symbol.asyncDispose]() {
      await stopProcess(platform.process, "SIGTERM");
      for (const { pid } of findProcesses(dataFolder)) kill(pid);
      killPostgres(dataFolder);
      unguard();
      rmSync(dataFolder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
    },
  } as unknown as TestPlatform;
  await platform.start();
  return platform;
}

/** The address at which `periscan up` or `serve` says that it is ready. */
export async function waitForUrl(child: ChildProcess): Promise<string> {
  const stdout = child.stdout as Readable;
  for await (const line of createInterface({ input: stdout })) {
    const url = /^Periscan is ready at (\S+)$/.exec(line)?.[1];
    if (url === undefined) continue;
    stdout.resume();
    return url;
  }
  throw new Error(`Periscan ended before it was ready (exit code ${child.exitCode})`);
}

export async function stopProcess(child: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
  const gone = once(child, "exit");
  child.kill(signal);
  const [code] = (await gone) as [number | null];
  return code;
}

export interface FoundProcess {
  pid: number;
  command: string;
}

/**
 * The processes of a platform: those with its data folder in their environment or arguments, engines with their HOME in it, and what descends from them. That is
 * all but PostgreSQL.
 */
export function findProcesses(dataFolder: string, pattern = /./): FoundProcess[] {
  const all = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .flatMap((name) => {
      try {
        const [command = "", environment = "", stat = ""] = ["cmdline", "environ", "stat"].map((file) => readFileSync(`/proc/${name}/${file}`, "utf8"));
        const parent = Number(stat.split(") ").at(-1)?.split(" ")[1]);
        return [{ pid: Number(name), parent, command: command.replaceAll("\0", " ").trim(), environment: environment.split("\0") }];
      } catch {
        return [];
      }
    });
  const isNamed = ({ command, environment }: (typeof all)[number]) =>
    command.includes(`${dataFolder}/work/`) ||
    environment.some((line) => line === `PERISCAN_DATA=${dataFolder}` || line.startsWith(`HOME=${dataFolder}/work/`));
  const ours = new Set(all.filter(isNamed).map(({ pid }) => pid));
  for (let size = -1; size !== ours.size; ) {
    size = ours.size;
    for (const { pid, parent } of all) if (ours.has(parent)) ours.add(pid);
  }
  return all.filter(({ pid, command }) => ours.has(pid) && command !== "" && pattern.test(command)).map(({ pid, command }) => ({ pid, command }));
}

/** Nmap at work; its `--version` is asked all the time. */
export const isNmap = /(^|\/)nmap .*-oX/;
export const isWorker = /worker\/main\.ts/;

/** The postmaster's pid, or undefined. */
export function findPostgres(dataFolder: string): number | undefined {
  try {
    return Number(readFileSync(join(dataFolder, "postgres", "data", "postmaster.pid"), "utf8").split("\n")[0]);
  } catch {
    return undefined;
  }
}

export function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It is gone already.
  }
}

/** Only where the process is still that postmaster: the file may be older than the process. */
function killPostgres(dataFolder: string): void {
  const pid = findPostgres(dataFolder);
  if (pid !== undefined && readCommand(pid).includes(join(dataFolder, "postgres"))) kill(pid);
}

function readCommand(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8");
  } catch {
    return "";
  }
}

/** Looks until `check` answers something, at most so long. */
export async function until<T>(check: () => T | undefined | false | Promise<T | undefined | false>, { seconds = 30, what = "it" } = {}): Promise<T> {
  const limit = performance.now() + seconds * 1000;
  for (;;) {
    const found = await check();
    if (found !== undefined && found !== false) return found;
    if (performance.now() > limit) throw new Error(`${what} did not happen within ${seconds} s`);
    await sleep(50);
  }
}

/** All items of a list that is fetched page by page. */
export async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}
