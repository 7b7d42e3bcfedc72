import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { EngineStatus } from "@periscan/contract/worker-protocol.ts";
import { askProgram } from "../kit/ask-program.ts";
import { EngineError, type InstallContext } from "../kit/engine.ts";
import { findEngineProgram } from "../kit/find-program.ts";
import { installFolder, installSystemPackage, runStep, withInstallLock } from "../kit/install.ts";
import { installPythonPackages } from "../kit/install-python.ts";

/** All that SSLyze needs, with exact versions and hashes. */
const requirements = fileURLToPath(new URL("requirements.txt", import.meta.url));
const sourceRequirements = fileURLToPath(new URL("requirements-source.txt", import.meta.url));
const version = "6.3.1";
/** The last number is that of the layout: since 2 its Python is one that engines get to. */
export const folderName = `sslyze-${version}-2`;
/** SSLyze 6.3 needs Python 3.10. */
const oldestMinor = 10;

/** The virtual environment's Python. It is started as `python -I -m sslyze`: the scripts beside it name the folder where they were built. */
export const pythonOf = (enginesFolder: string): string => join(enginesFolder, folderName, "bin", "python");

const question = "import importlib.metadata, nassl; print(importlib.metadata.version('sslyze'))";

export const sslyzeMissing = "SSLyze is not installed. `./periscan engines install sslyze` installs it.";

/** A Python that was updated beneath the environment does not see its packages any more; so the version is asked of the environment itself. */
export async function probe({ enginesFolder }: { enginesFolder: string }): Promise<Omit<EngineStatus, "type" | "installing">> {
  const python = pythonOf(enginesFolder);
  if (!existsSync(python)) return { ready: false, missing: sslyzeMissing };
  try {
    const { stdout } = await askProgram({ file: python, args: ["-I", "-c", question], seconds: 20 });
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
      const title = `Installing what SSLyze ${version} needs (50 MB)`;
      await installPythonPackages({ python: own, requirements, args: ["--only-binary=:all:"], title }, context);
      // SSLyze is on PyPI as source alone (of Python, nothing is compiled): it is packed with the pinned setuptools, not with the newest.
      const source = ["--no-binary=sslyze", "--no-build-isolation"];
      await installPythonPackages({ python: own, requirements: sourceRequirements, args: source, title: `Installing SSLyze ${version}` }, context);
      await runStep({ title: "Checking the packages", file: own, args: ["-m", "pip", "check"] }, context);
    });
  });

/** A Python that is new enough and can make environments; Debian has the second in a package of its own, which is installed. */
async function requirePython(context: InstallContext): Promise<string> {
  const before = await listPythons();
  const usable = before.find(isUsable);
  if (usable) return usable.file;
  const newest = Math.max(...before.map(({ minor }) => minor));
  // The system's packages would bring the same old one.
  if (before.length > 0 && newest < oldestMinor) throw pythonMissing(`; the newest here is 3.${newest}`);
  await installSystemPackage("Python with venv", { "apt-get": ["python3", "python3-venv"], dnf: ["python3"], apk: ["python3"] }, context);
  const installed = (await listPythons()).find(isUsable);
  if (!installed) throw pythonMissing("");
  return installed.file;
}

const pythonMissing = (found: string) =>
  new EngineError(
    "engine.install_failed",
    `SSLyze ${version} needs Python 3.${oldestMinor} or newer with venv${found}. Install one, so that python3 (or python3.12 and the like) is on PATH.`,
    { retry: false },
  );

interface Python {
  file: string;
  /** 11 of 3.11. */
  minor: number;
  canMakeEnvironments: boolean;
}

const isUsable = ({ minor, canMakeEnvironments }: Python): boolean => minor >= oldestMinor && canMakeEnvironments;

async function listPythons(): Promise<Python[]> {
  const names = ["python3", ...[14, 13, 12, 11, 10].map((minor) => `python3.${minor}`)];
  const described = await Promise.all(names.map(findEngineProgram).map((file) => (file ? describePython(file) : undefined)));
  return described.filter((python) => python !== undefined);
}

const pythonQuestion = "import sys; print(sys.version_info[1], flush=True); import venv, ensurepip; print('venv')";

/** Undefined where it is no Python that starts. */
async function describePython(file: string): Promise<Python | undefined> {
  const answer = await askProgram({ file, args: ["-I", "-c", pythonQuestion], seconds: 20 }).catch((error: { stdout?: string }) => ({
    stdout: error.stdout ?? "",
  }));
  const minor = /^\d+/.exec(answer.stdout)?.[0];
  return minor === undefined ? undefined : { file, minor: Number(minor), canMakeEnvironments: answer.stdout.includes("venv") };
}
