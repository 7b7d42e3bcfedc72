import { existsSync, readdirSync, readFileSync, readlinkSync, realpathSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { EngineRunner, InstallContext } from "./engine.ts";
import { withInstallLock } from "./install.ts";

/**
 * Removes the builds of a program that this version does not use, once its own is there. One that a process runs from, or holds as workers do, is
 * kept and named: the next install removes it.
 */
export async function sweepBuilds(program: string, { build }: Pick<EngineRunner, "build">, context: InstallContext): Promise<void> {
  const { enginesFolder, say } = context;
  if (build === undefined || !existsSync(join(enginesFolder, build))) return;
  await withInstallLock(program, context, async () => {
    for (const name of readdirSync(enginesFolder)) {
      // Nobody else installs this program now, so what an install left half made is nobody's.
      if (name === build || !new RegExp(`^${program}-\\d`).test(name)) continue;
      const folder = join(enginesFolder, name);
      const [user] = findUsers(folder);
      if (user !== undefined) {
        say(`${name} is an older build that process ${user} still uses: \`periscan engines install ${program}\` removes it once that has ended.`);
        continue;
      }
      removeWhole(folder);
      say(`Removed ${name}, an older build.`);
    }
  });
}

/** Renamed first: half a build must not look like one. */
function removeWhole(folder: string): void {
  const gone = folder.endsWith(".removed") ? folder : `${folder}.removed`;
  if (gone !== folder) renameSync(folder, gone);
  rmSync(gone, { recursive: true, force: true });
}

/** The processes that run a program of the folder, name a file in it as an argument, stand in it, or have something of it open. Those of other users show their arguments alone. */
function findUsers(folder: string): number[] {
  // Links of /proc are resolved, arguments are as they were given.
  const names = [folder, realpathSync(folder)];
  const isInside = (path: string) => names.some((name) => path === name || path.startsWith(`${name}/`));
  return listProcesses().filter((pid) => listPaths(pid).some(isInside));
}

const listProcesses = (): number[] => readdirSync("/proc").map(Number).filter(Number.isInteger);

function listPaths(pid: number): string[] {
  const own = `/proc/${pid}`;
  const links = ["exe", "cwd", "root", ...tryTo(() => readdirSync(`${own}/fd`), []).map((fd) => `fd/${fd}`)];
  const words = tryTo(() => readFileSync(`${own}/cmdline`, "utf8"), "").split(/[\0:=]/);
  return [...words, ...links.map((link) => tryTo(() => readlinkSync(`${own}/${link}`), ""))];
}

/** A process may end, or be another user's, at any moment. */
function tryTo<Answer>(look: () => Answer, otherwise: Answer): Answer {
  try {
    return look();
  } catch {
    return otherwise;
  }
}
