import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { EngineStatus } from "@periscan/contract/worker-protocol.ts";
import { EngineError, type InstallContext } from "../kit/engine.ts";
import { findProgram } from "../kit/find-program.ts";
import { installFolder, installSystemPackage, runStep, withInstallLock } from "../kit/install.ts";

const run = promisify(execFile);

/** All that SSLyze needs, with exact versions. */
const requirements = fileURLToPath(new URL("requirements.txt", import.meta.url));
const version = "6.3.1";
const folderName = `sslyze-${version}`;
/** SSLyze 6.3 needs Python 3.10. */
const oldestMinor = 10;

/** The virtual environment's Python. It is started as `python -I -m sslyze`: the scripts beside it name the folder where they were built. */
export const pythonOf = (enginesFolder: string): string => join(enginesFolder, folderName, "bin", "python");

export const sslyzeMissing = "SSLyze is not installed. `./periscan engines install sslyze` installs it.";

/** A Python that was updated beneath the environment does not see its packages any more; so the version is asked of the environment itself. */
export async function probe({ enginesFolder }: { enginesFolder: string }): Promise<Omit<EngineStatus, "type" | "installing">> {
  const python = pythonOf(enginesFolder);
  if (!existsSync(python)) return { ready: false, missing: sslyzeMissing };
  try {
    const { stdout } = await run(python, ["-I", "-c", "import importlib.metadata, nassl; print(importlib.metadata.version('sslyze'))"], { timeout: 20_000 });
    if (stdout.trim() === version) return { ready: true, version: `SSLyze ${version}` };
    return { ready: false, missing: `${join(enginesFolder, folderName)} holds SSLyze ${stdout.trim()}: ${reinstall(enginesFolder)}` };
  } catch (error) {
    return {
      ready: false,
      missing: `SSLyze does not start (${(error as Error).message.trim().split("\n").at(-1)}): ${reinstall(enginesFolder)}`.slice(0, 2000),
    };
  }
}

const reinstall = (enginesFolder: string) => `remove ${join(enginesFolder, folderName)} and run \`./periscan engines install sslyze\`.`;

/** Makes a virtual environment of its own with the pinned packages from PyPI, by pip's own configuration. */
export const install = (context: InstallContext): Promise<void> =>
  withInstallLock("sslyze", context, async () => {
    const python = await requirePython(context);
    await installFolder(folderName, context, async (fresh) => {
      await runStep({ title: "Making a Python environment for SSLyze", file: python, args: ["-m", "venv", fresh] }, context);
      const own = join(fresh, "bin", "python");
      const pip = ["-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--no-cache-dir", "--no-deps"];
      const wheels = [...pip, "--only-binary=:all:", "--requirement", requirements];
      await runStep({ title: `Installing what SSLyze ${version} needs (50 MB)`, file: own, args: wheels }, context);
      // SSLyze is on PyPI as source alone (of Python, nothing is compiled): it is packed with the pinned setuptools, not with the newest.
      const source = [...pip, "--no-binary=sslyze", "--no-build-isolation", `sslyze==${version}`];
      await runStep({ title: `Installing SSLyze ${version}`, file: own, args: source }, context);
      await runStep({ title: "Checking the packages", file: own, args: ["-m", "pip", "check"] }, context);
    });
  });

const pythonPackages = { "apt-get": ["python3", "python3-venv"], dnf: ["python3"], apk: ["python3"] };

/** A Python that is new enough and can make environments; Debian has the second in a package of its own, which is installed. */
async function requirePython(context: InstallContext): Promise<string> {
  for (const tried of [false, true]) {
    const candidates = ["python3", ...[14, 13, 12, 11, 10].map((minor) => `python3.${minor}`)].flatMap((name) => findProgram(name) ?? []);
    let newest: string | undefined;
    for (const python of candidates) {
      const { minor, canMakeEnvironments } = await describePython(python);
      if (minor !== undefined && (newest === undefined || python.endsWith("python3"))) newest = `3.${minor}`;
      if (minor !== undefined && minor >= oldestMinor && canMakeEnvironments) return python;
    }
    if (tried) throw new EngineError("engine.install_failed", explainPython(newest), { retry: false });
    await installSystemPackage("Python with venv", pythonPackages, context);
  }
  throw new EngineError("engine.install_failed", explainPython(undefined), { retry: false });
}

const explainPython = (newest: string | undefined) =>
  `SSLyze ${version} needs Python 3.${oldestMinor} or newer with venv${newest === undefined ? "" : `; this machine's python3 is ${newest}`}. Install one, so that python3 (or python3.12 and the like) is on PATH.`;

async function describePython(python: string): Promise<{ minor?: number; canMakeEnvironments: boolean }> {
  try {
    const { stdout } = await run(python, ["-I", "-c", "import sys; print(sys.version_info[1]); import venv, ensurepip; print('venv')"], { timeout: 20_000 });
    return { minor: Number(stdout.split("\n")[0]), canMakeEnvironments: stdout.includes("venv") };
  } catch (error) {
    const [first] = String((error as { stdout?: string }).stdout ?? "").split("\n");
    return first ? { minor: Number(first), canMakeEnvironments: false } : { canMakeEnvironments: false };
  }
}
