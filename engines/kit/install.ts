import { execFile, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { existsSync, linkSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { makeInstallEnvironment } from "./confine.ts";
import { EngineError, type InstallContext } from "./engine.ts";
import { findProgram } from "./find-program.ts";
import { readStartTicks } from "./process-identity.ts";

const failed = (message: string, cause?: unknown) => new EngineError("engine.install_failed", message, { retry: false, cause });

const lockFile = (enginesFolder: string, program: string) => join(enginesFolder, `${program}.lock`);

/** Whether somebody is installing this program right now. */
export function isInstalling(enginesFolder: string, program: string): boolean {
  try {
    const { pid, startTicks } = JSON.parse(readFileSync(lockFile(enginesFolder, program), "utf8"));
    return readStartTicks(pid) === startTicks;
  } catch {
    return false;
  }
}

/** Runs `install` while no other process installs the same program; waits for one that does. A lock whose process is gone counts for nothing. */
export async function withInstallLock(program: string, { enginesFolder, signal, say }: InstallContext, install: () => Promise<void>): Promise<void> {
  mkdirSync(enginesFolder, { recursive: true, mode: 0o755 });
  const file = lockFile(enginesFolder, program);
  let waiting = false;
  while (!takeLock(file)) {
    if (!isInstalling(enginesFolder, program)) {
      rmSync(file, { force: true });
      continue;
    }
    if (!waiting) say(`Another process is installing ${program}; waiting for it.`);
    waiting = true;
    await sleep(500, undefined, { signal });
  }
  try {
    await install();
  } finally {
    rmSync(file, { force: true });
  }
}

/** The file appears with its content or not at all, so that no reader takes a lock that is just being made for a stale one. */
function takeLock(file: string): boolean {
  const fresh = `${file}.${randomUUID()}`;
  writeFileSync(fresh, JSON.stringify({ pid: process.pid, startTicks: readStartTicks(process.pid) }));
  try {
    linkSync(fresh, file);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    return false;
  } finally {
    rmSync(fresh, { force: true });
  }
}

/**
 * Makes the folder ENGINES/NAME with `build`, whole or not at all; one that is there already is kept. `name` has the pinned version in it, so
 * that an update is a new folder. `build` works in a fresh folder, which then takes the name.
 */
export async function installFolder(name: string, { enginesFolder, say }: InstallContext, build: (fresh: string) => Promise<void>): Promise<void> {
  const folder = join(enginesFolder, name);
  if (existsSync(folder)) return say(`${name} is installed already.`);
  sweepFresh(enginesFolder, name);
  const fresh = join(enginesFolder, `${name}.fresh-${process.pid}-${readStartTicks(process.pid)}`);
  rmSync(fresh, { recursive: true, force: true });
  // Engines run as an account of their own, which must be able to read what is made here.
  const umask = process.umask(0o022);
  try {
    mkdirSync(fresh, { recursive: true, mode: 0o755 });
    await build(fresh);
    renameSync(fresh, folder);
  } catch (error) {
    rmSync(fresh, { recursive: true, force: true });
    throw error;
  } finally {
    process.umask(umask);
  }
}

/** Removes what a killed install left. */
function sweepFresh(enginesFolder: string, name: string): void {
  for (const entry of readdirSync(enginesFolder)) {
    const [pid = "", startTicks] = entry.startsWith(`${name}.fresh-`) ? entry.slice(name.length + ".fresh-".length).split("-") : [];
    if (pid !== "" && readStartTicks(Number(pid)) !== startTicks) rmSync(join(enginesFolder, entry), { recursive: true, force: true });
  }
}

export interface InstallStep {
  file: string;
  args: string[];
  folder?: string;
  environment?: Record<string, string>;
  /** In words, such as `Building Nuclei (about 4 minutes)`. */
  title: string;
}

const errorLines = 15;

/** Runs one step of an install and throws an EngineError with the end of what it said where it fails. */
export async function runStep({ file, args, folder, environment = {}, title }: InstallStep, { signal, say }: InstallContext): Promise<void> {
  say(`${title} …`);
  const child = spawn(file, args, {
    stdio: ["ignore", "pipe", "pipe"],
    env: makeInstallEnvironment(environment),
    signal,
    ...(folder === undefined ? {} : { cwd: folder }),
  });
  const tail: string[] = [];
  for (const stream of [child.stdout, child.stderr])
    createInterface({ input: stream }).on("line", (line) => {
      tail.push(line);
      if (tail.length > errorLines) tail.shift();
    });
  const { promise, resolve, reject } = Promise.withResolvers<number | null>();
  child.once("error", reject).once("close", resolve);
  const code = await promise.catch((cause: Error) => {
    signal.throwIfAborted();
    throw failed(`${file} could not be started: ${cause.message}`, cause);
  });
  if (code !== 0) throw failed(`${title}: ${file} ended with exit code ${code}. It said:\n  ${tail.join("\n  ")}`);
}

/** What a program prints, as a step of an install sees it. Rejects as `execFile` does where it fails or takes more than half a minute. */
export async function askStep(
  { file, args, environment = {} }: Pick<InstallStep, "file" | "args" | "environment">,
  { signal }: InstallContext,
): Promise<string> {
  const { stdout } = await promisify(execFile)(file, args, { timeout: 30_000, env: makeInstallEnvironment(environment), signal });
  return stdout;
}

/** The names of a package by package manager; a manager without a name for it cannot install it. */
export interface SystemPackage {
  "apt-get"?: string[];
  dnf?: string[];
  apk?: string[];
}

const managers: { file: keyof SystemPackage; refresh: string[]; install: string[] }[] = [
  { file: "apt-get", refresh: ["update", "-qq"], install: ["install", "--yes", "-qq", "--no-install-recommends"] },
  { file: "dnf", refresh: [], install: ["install", "--assumeyes", "--quiet"] },
  { file: "apk", refresh: [], install: ["add"] },
];

/** Installs packages of the system, which needs root: as another user it throws with the command that an administrator runs. */
export async function installSystemPackage(title: string, names: SystemPackage, context: InstallContext): Promise<void> {
  const manager = managers.find(({ file }) => names[file] && findProgram(file));
  if (!manager) throw failed(`No package manager that is known here has ${title}: install it yourself, so that it is on PATH.`);
  const packages = names[manager.file] ?? [];
  const commands = [manager.refresh, [...manager.install, ...packages]].filter(({ length }) => length > 0);
  if (process.geteuid?.() !== 0) {
    const line = commands.map((command) => [manager.file, ...command].join(" ")).join(" && ");
    throw failed(`Installing ${title} needs root: sudo sh -c '${line}'`);
  }
  for (const args of commands) await runStep({ file: manager.file, args, title: [manager.file, ...args].join(" ") }, context);
}
