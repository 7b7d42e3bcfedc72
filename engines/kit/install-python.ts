import type { InstallContext } from "./engine.ts";
import { runStep } from "./install.ts";

interface PythonPackages {
  /** The environment's own Python. */
  python: string;
  /** A file of exact versions, each with the SHA-256 of the files that it may be. */
  requirements: string;
  /** Beside what holds for all, such as `--no-build-isolation`. */
  args: string[];
  title: string;
}

/**
 * Installs packages from PyPI, or wherever pip's own configuration says, into an environment. pip takes a file only where its SHA-256 stands in the requirements, and
 * nothing that is not named there: no dependency and no newest build tool. Else it throws an EngineError with pip's words.
 */
export async function installPythonPackages({ python, requirements, args, title }: PythonPackages, context: InstallContext): Promise<void> {
  const always = ["--disable-pip-version-check", "--no-input", "--no-cache-dir", "--no-deps", "--require-hashes"];
  await runStep({ title, file: python, args: ["-m", "pip", "install", ...always, ...args, "--requirement", requirements] }, context);
}
