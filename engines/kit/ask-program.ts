import { execFile } from "node:child_process";
import { rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { promisify } from "node:util";
import { confine, makeEnvironment } from "./confine.ts";
import { makeHome, makeRunFolder } from "./run-folder.ts";

const run = promisify(execFile);

export interface Question {
  file: string;
  args: string[];
  seconds: number;
  environment?: Record<string, string>;
}

/** What a program prints, run as engines are, in a folder of its own that is removed. Rejects as `execFile` does where it fails or takes too long. */
export async function askProgram({ file, args, seconds, environment }: Question): Promise<{ stdout: string; stderr: string }> {
  const folder = makeRunFolder(tmpdir(), "periscan-ask-");
  try {
    const home = makeHome(folder);
    const [setpriv = "", ...before] = confine("none");
    return await run(setpriv, [...before, file, ...args], {
      timeout: seconds * 1000,
      killSignal: "SIGKILL",
      cwd: home,
      env: makeEnvironment(home, environment),
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
