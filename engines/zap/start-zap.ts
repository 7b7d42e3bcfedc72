import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { rmSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { EngineError } from "../kit/engine.ts";
import { makeEngineFolder, writeForEngine } from "../kit/run-folder.ts";
import { type EngineProcess, killGroup, startProcess } from "../kit/start-process.ts";
import { type CallZap, createCaller, waitUntilReady } from "./call-zap.ts";
import { findJava, oldestJava } from "./find-java.ts";
import type { Zap } from "./find-zap.ts";
import { placeGuard, requireGuard } from "./proxy-guard.ts";
import { createLogReader, type RuleErrors } from "./read-log.ts";

export interface RunningZap {
  call: CallZap;
  version: string;
  url: string;
  /** Undefined for a ZAP that is not ours to stop. */
  pid: number | undefined;
  /** Aborted once the process is gone, with an EngineError that says why. */
  gone: AbortSignal;
  /** Rules that broke since it was last asked; of a ZAP that ran before, undefined: its log is its own. */
  readRuleErrors: (() => RuleErrors) | undefined;
  /** Ends the process and removes its home folder; a ZAP that ran before goes on. */
  stop(): Promise<void>;
}

export interface ZapSettings {
  zap: Zap;
  enginesFolder: string;
  /** An empty folder of this ZAP's own, or one that is not there yet; `stop` removes it. */
  homeFolder: string;
  memoryBytes: number;
  /** Names of the environment that ZAP reads a login from; see log-in.ts. */
  environment?: Record<string, string>;
  /** A fresh one where it is absent. */
  key?: string;
  signal: AbortSignal;
  log?(message: string, fields?: Record<string, unknown>): void;
}

/** It takes 3 to 6 s on an idle machine. */
const readySeconds = 90;
/** A port that was free when it was looked for may be taken since. */
const startTries = 3;

/** Starts a ZAP of its own, or greets the one that runs; answers once its API does. Throws an EngineError where it does not come up. */
export async function startZap(settings: ZapSettings): Promise<RunningZap> {
  if (settings.zap.kind === "running") return await greetZap(settings.zap, settings.signal);
  for (let tries = 1; ; tries++) {
    try {
      return await tryStart(settings);
    } catch (error) {
      settings.signal.throwIfAborted();
      if (tries === startTries || !(error instanceof EngineError) || error.code !== "engine.failed") throw error;
    }
  }
}

async function greetZap({ url, key }: Extract<Zap, { kind: "running" }>, signal: AbortSignal): Promise<RunningZap> {
  const call = createCaller({ url, key, signal });
  const version = await waitUntilReady(call, 10, signal);
  if (version === undefined) throw new EngineError("engine.missing", `No ZAP answers at ${url} with the key of PERISCAN_ZAP_KEY.`, { retry: true });
  return { call, version, url, pid: undefined, gone: new AbortController().signal, readRuleErrors: undefined, stop: async () => {} };
}

async function tryStart(settings: ZapSettings): Promise<RunningZap> {
  const { homeFolder, memoryBytes, environment = {}, signal, log = () => {} } = settings;
  const port = await findFreePort();
  const url = `http://127.0.0.1:${port}`;
  const key = settings.key ?? randomBytes(24).toString("hex");
  prepareHome(homeFolder, port, key);
  placeGuard(settings.enginesFolder, homeFolder);
  const { file, args } = buildCommand(settings);
  const zap = startProcess({ title: "ZAP", file, args, home: homeFolder, environment, memoryBytes, outputBytes: Number.POSITIVE_INFINITY, signal });
  const gone = watchEnd(zap);
  const alive = AbortSignal.any([signal, gone]);
  const stop = async () => {
    // Its home goes with it: there is nothing to put in order, for which a JVM takes 2 s.
    killGroup(zap.pid, "SIGKILL");
    await zap.ended;
    rmSync(homeFolder, { recursive: true, force: true });
  };
  try {
    const call = createCaller({ url, key, signal: alive });
    const version = await waitUntilReady(call, readySeconds, alive);
    if (version === undefined) throw new EngineError("engine.start_timeout", `ZAP did not come up within ${readySeconds} s.`, { retry: true });
    await requireGuard(port, alive);
    log("zap is up", { version, pid: zap.pid, port });
    return { call, version, url, pid: zap.pid, gone, readRuleErrors: createLogReader(join(homeFolder, "zap.log")), stop };
  } catch (error) {
    // The reason itself, and not that waiting was broken off.
    const reason: unknown = alive.aborted ? alive.reason : error;
    await stop();
    throw reason;
  }
}

/** Reads what ZAP prints, so that it never waits for a reader, and tells of its end. */
function watchEnd(zap: EngineProcess): AbortSignal {
  const over = new AbortController();
  let said = "";
  const reading = (async () => {
    for await (const chunk of zap.output) said = (said + Buffer.from(chunk).toString("utf8")).slice(-500);
  })();
  void reading
    .catch((error: unknown) => error)
    .then(async (error: unknown) => {
      const { exitCode, signal, errorText } = await zap.ended;
      if (error instanceof EngineError) return over.abort(error);
      const tail = `${said} ${errorText}`.trim().replace(/\s+/g, " ").slice(-500);
      const why = signal ? `was killed (${signal})` : `ended with exit code ${exitCode}`;
      over.abort(
        new EngineError(signal ? "engine.killed" : "engine.failed", `ZAP ${why} before it was done.${tail === "" ? "" : ` It said: ${tail}`}`, { retry: true }),
      );
    });
  return over.signal;
}

/** The key stands in a file that only ZAP reads, for a command line is read by all. */
function prepareHome(homeFolder: string, port: number, key: string): void {
  rmSync(homeFolder, { recursive: true, force: true });
  makeEngineFolder(homeFolder);
  makeEngineFolder(join(homeFolder, "tmp"));
  const settings = {
    "api.key": key,
    "api.disablekey": false,
    "network.localServers.mainProxy.address": "127.0.0.1",
    "network.localServers.mainProxy.port": port,
    "network.connection.timeoutInSecs": timeoutSeconds,
    "start.checkForUpdates": false,
    "start.checkAddonUpdates": false,
    "start.installAddonUpdates": false,
    "start.installScannerRules": false,
    "start.reportAlpha": false,
  };
  const lines = Object.entries(settings).map(([name, value]) => `${name}=${value}\n`);
  writeForEngine(join(homeFolder, "periscan.properties"), lines.join(""));
}

/** One request to the target. The API cannot change this once ZAP runs. */
const timeoutSeconds = 20;

function buildCommand({ zap, homeFolder, memoryBytes }: ZapSettings): { file: string; args: string[] } {
  if (zap.kind === "running") throw new Error("a running ZAP is not started");
  const java = findJava();
  if (!java || java.version < oldestJava)
    throw new EngineError("engine.missing", `ZAP needs Java ${oldestJava} or later. \`./periscan engines install zap\` installs it.`, { retry: true });
  // Beside the heap a JVM has code, threads and buffers: about 250 MB of its own here.
  const heapMegabytes = Math.max(160, Math.floor((memoryBytes / 1024 ** 2 - 250) * 0.75));
  const tuning = [
    `-Xmx${heapMegabytes}m`,
    "-Xss512k",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    // An OutOfMemoryError would end a thread of ZAP's and leave the rest: a scan that looks whole.
    "-XX:+ExitOnOutOfMemoryError",
    // Nothing outside its home: no /tmp/hsperfdata, no preferences, no dumps.
    "-XX:-UsePerfData",
    "-XX:-CreateCoredumpOnCrash",
    `-XX:ErrorFile=${join(homeFolder, "crash.log")}`,
    `-Djava.io.tmpdir=${join(homeFolder, "tmp")}`,
    `-Duser.home=${homeFolder}`,
    `-Djava.util.prefs.userRoot=${homeFolder}`,
    "-Djava.awt.headless=true",
  ];
  const start = zap.kind === "ours" ? ["-cp", join(zap.folder, "lib", "*"), "org.zaproxy.zap.ZAP", "-installdir", zap.folder] : ["-jar", zap.jar];
  const options = ["-daemon", "-silent", "-dir", homeFolder, "-configfile", join(homeFolder, "periscan.properties")];
  return { file: join(java.home, "bin", "java"), args: [...tuning, ...start, ...options] };
}

async function findFreePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, "close");
  return port;
}
