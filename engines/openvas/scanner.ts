import { existsSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { SystemAccount } from "@periscan/contract/system-account.ts";
import { EngineError } from "../kit/engine.ts";
import { findEngineAccount } from "../kit/engine-account.ts";
import { readStartTicks } from "../kit/process-identity.ts";
import { makeEngineFolder, writeForEngine } from "../kit/run-folder.ts";
import { describeMemory, type EngineProcess, startProcess } from "../kit/start-process.ts";
import { askState, explainUnreadable, type FeedName, noTests, originOf, readFeedInfo } from "./feed.ts";
import type { OspAddress } from "./osp-client.ts";

export interface ScannerSettings {
  /** The chroot with openvas-scanner and ospd-openvas. */
  root: string;
  /** The folder of NASL tests; the scanner cannot write to it. */
  plugins: string;
  memoryBytes: number;
  /** A file of a network namespace to run in; the worker's own where it is absent. */
  network?: string;
}

/** A scanner that this process started and that dies with it. */
export interface Scanner {
  address: OspAddress;
  /** The outermost process, for tests. */
  pid: number;
  /** Why it is over; undefined while it runs. */
  over(): EngineError | undefined;
  /** Resolves when its tests are loaded. Throws EngineError where that fails or takes too long. */
  waitReady(signal: AbortSignal): Promise<FeedName>;
  /** Ends it and removes its folder. */
  stop(): Promise<void>;
}

const prefix = "periscan-openvas-";

/** Only root can start it, so there is an account to hand it to. */
function requireAccount(): SystemAccount {
  const account = findEngineAccount();
  if (!account) throw new EngineError("engine.missing", "The installed OpenVAS scanner can be started by root alone.", { retry: true });
  return account;
}

/** Starts redis and ospd-openvas in mount and pid namespaces of their own. When this process dies, however it does, the kernel ends them all. */
export function startScanner({ root, plugins, memoryBytes, network }: ScannerSettings): Scanner {
  const info = readFeedInfo(plugins);
  if (!info) throw noTests();
  const unreadable = explainUnreadable(plugins);
  if (unreadable !== undefined) throw new EngineError("engine.content_refused", unreadable, { retry: false });
  sweep();
  const folder = mkdtempSync(join(tmpdir(), `${prefix}${process.pid}-${readStartTicks(process.pid)}-`));
  writeConfiguration(folder, originOf(info.vendor) === "official");
  const ending = new AbortController();
  const script = fileURLToPath(new URL("start-scanner.sh", import.meta.url));
  const { uid, gid } = requireAccount();
  const inside = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", script, root, folder, plugins, `${uid}`, `${gid}`];
  const [file = "", ...args] = network === undefined ? inside : ["nsenter", `--net=${network}`, ...inside];
  const child = startProcess({
    title: "OpenVAS",
    file,
    args,
    home: folder,
    // What is inside the chroot has a folder for temporary files there.
    environment: { HOME: "/tmp", TMPDIR: "/tmp" },
    privileges: "root",
    memoryBytes: Number.POSITIVE_INFINITY,
    outputBytes: 64 * 1024 ** 2,
    signal: ending.signal,
  });
  let over: EngineError | undefined;
  const fail = (error: EngineError) => {
    over ??= error;
    ending.abort();
  };
  const watching = watchMemory(child.pid, memoryBytes, () => fail(describeMemory("The OpenVAS scanner", memoryBytes)));
  const dropFolder = () => rmSync(folder, { recursive: true, force: true });
  const gone = drain(child).then((said) => {
    clearInterval(watching);
    over ??= new EngineError("engine.killed", `The OpenVAS scanner ended.${readTail(folder, said)}`, { retry: true });
    dropFolder();
    process.off("exit", dropFolder);
  });
  process.once("exit", dropFolder);
  const address: OspAddress = { kind: "unix", path: join(folder, "run/ospd.sock") };
  return {
    address,
    pid: child.pid,
    over: () => over,
    waitReady: (signal) => waitReady({ address, folder, over: () => over }, signal),
    stop: async () => {
      fail(new EngineError("engine.killed", "The OpenVAS scanner was stopped.", { retry: true }));
      await gone;
    },
  };
}

/** The signatures of Greenbone's feed are checked, with the key in the chroot's /etc/openvas/gnupg; others have none. */
function writeConfiguration(folder: string, signed: boolean): void {
  for (const name of ["run", "log"]) makeEngineFolder(join(folder, name));
  const files = {
    "openvas.conf": [
      "db_address = /run/redis.sock",
      "plugins_folder = /var/lib/openvas/plugins",
      "include_folders = /var/lib/openvas/plugins",
      `nasl_no_signature_check = ${signed ? "no" : "yes"}`,
      "safe_checks = yes",
      "test_alive_hosts_only = yes",
      // The scope is the address that was asked for: no other names of it.
      "expand_vhosts = no",
      "test_empty_vhost = no",
      // There is no MQTT either: a line about it, even an empty one, makes each scan report that as an error.
      "table_driven_lsc = no",
    ],
    "openvas_log.conf": ["[*]", "prepend=%t %s %p", "separator=:", "file=/var/log/gvm/openvas.log", "level=64"],
    "run/redis.conf": ["port 0", "unixsocket /run/redis.sock", "unixsocketperm 700", "databases 1024", 'save ""', "appendonly no", "dir /tmp"],
    "run/ospd.conf": [
      "[OSPD - openvas]",
      "log_level = INFO",
      "log_file = /var/log/gvm/ospd.log",
      "unix_socket = /run/ospd.sock",
      "socket_mode = 0o600",
      "pid_file = /run/ospd.pid",
      "lock_file_dir = /run",
      // Advisories for the login on a host come over MQTT; this engine has no login.
      "mqtt_broker_address =",
    ],
  };
  for (const [name, lines] of Object.entries(files)) writeForEngine(join(folder, name), `${lines.join("\n")}\n`);
}

async function drain(child: EngineProcess): Promise<string> {
  try {
    for await (const _ of child.output);
  } catch {
    // It was stopped; why is known.
  }
  return (await child.ended).errorText;
}

/** The last words of the scanner's log. */
function readTail(folder: string, said: string): string {
  const lines: string[] = [];
  for (const name of ["ospd.log", "openvas.log"]) {
    try {
      const text = readFileSync(join(folder, "log", name), "utf8")
        .trim()
        .split("\n");
      lines.push(...text.filter((line) => /ERROR|CRITICAL|WARNING|signature/i.test(line)).slice(-2));
    } catch {
      // It had not begun to log.
    }
  }
  const all = [...lines, ...said.trim().split("\n").slice(-2)].filter((line) => line !== "").join(" ");
  return all === "" ? "" : ` It said: ${all.slice(-600)}`;
}

/** Greenbone's whole feed takes minutes. */
const readySeconds = 1200;

interface Starting {
  address: OspAddress;
  folder: string;
  over(): EngineError | undefined;
}

async function waitReady({ address, folder, over }: Starting, signal: AbortSignal): Promise<FeedName> {
  const deadline = performance.now() + readySeconds * 1000;
  const socket = address.kind === "unix" ? address.path : "";
  while (performance.now() < deadline) {
    signal.throwIfAborted();
    const ended = over();
    if (ended) throw ended;
    const state = existsSync(socket) ? await askState(address, signal).catch(ignoreSilence) : undefined;
    if (state?.feed) return state.feed;
    const tail = readTail(folder, "");
    if (/Updating VTs failed/.test(tail))
      throw new EngineError(
        "engine.content_refused",
        `The OpenVAS scanner could not load its tests. Greenbone's feed is signed: see that its key is in the chroot's /etc/openvas/gnupg.${tail}`,
        { retry: false },
      );
    await sleep(200, undefined, { signal });
  }
  throw new EngineError("engine.not_ready", `The OpenVAS scanner did not load its tests within ${readySeconds / 60} minutes.${readTail(folder, "")}`, {
    retry: true,
  });
}

/** The socket is there before anybody listens. */
function ignoreSilence(error: unknown): undefined {
  if (error instanceof EngineError && error.code === "engine.no_answer") return undefined;
  throw error;
}

const memoryLookSeconds = 2;

/** Each scan leaves the process group, so the processes are counted by their pid namespace; shared pages count once (PSS), for OpenVAS forks for each test. */
function watchMemory(pid: number, memoryBytes: number, fail: () => void): NodeJS.Timeout {
  const watching = setInterval(() => {
    if (readScannerUse(pid) > memoryBytes) fail();
  }, memoryLookSeconds * 1000);
  watching.unref();
  return watching;
}

/** Proportional resident bytes of all processes in the namespace that the child of `pid` lives in. */
export function readScannerUse(pid: number): number {
  const first = attempt(() => readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ")[0]);
  const namespace = first ? attempt(() => readlinkSync(`/proc/${first}/ns/pid`)) : undefined;
  if (namespace === undefined) return 0;
  let kilobytes = 0;
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name) || attempt(() => readlinkSync(`/proc/${name}/ns/pid`)) !== namespace) continue;
    const rollup = attempt(() => readFileSync(`/proc/${name}/smaps_rollup`, "utf8"));
    kilobytes += Number(/^Pss:\s+(\d+) kB/m.exec(rollup ?? "")?.[1] ?? 0);
  }
  return kilobytes * 1024;
}

/** Removes the folders of scanners whose process is gone: each start does. */
export function sweep(): void {
  for (const name of readdirSync(tmpdir())) {
    const [, pid, ticks] = new RegExp(`^${prefix}(\\d+)-(\\d+)-`).exec(name) ?? [];
    if (pid !== undefined && readStartTicks(Number(pid)) !== ticks) rmSync(join(tmpdir(), name), { recursive: true, force: true });
  }
}

function attempt<T>(action: () => T): T | undefined {
  try {
    return action();
  } catch {
    return undefined;
  }
}
