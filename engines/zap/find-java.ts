import { existsSync, readFileSync, realpathSync } from "node:fs";
import { dirname, join } from "node:path";
import { explainProgramBarrier, findEngineProgram } from "../kit/find-program.ts";

export const oldestJava = 17;

/** Java's home and version by the `release` file that every build of OpenJDK has: starting a Java to ask it would take half a second. */
export function findJava(): { home: string; version: number; hasCompiler: boolean } | undefined {
  const fromPath = findEngineProgram("java");
  const homes = [process.env.JAVA_HOME, fromPath === undefined ? undefined : dirname(dirname(realpathSync(fromPath)))];
  for (const home of homes) {
    const java = home === undefined ? "" : join(home, "bin", "java");
    if (home === undefined || !existsSync(java) || explainProgramBarrier(java) !== undefined) continue;
    const version = readVersion(home);
    if (version !== undefined) return { home, version, hasCompiler: ["javac", "jar"].every((name) => existsSync(join(home, "bin", name))) };
  }
  return undefined;
}

function readVersion(home: string): number | undefined {
  try {
    const major = /^JAVA_VERSION="(\d+)/m.exec(readFileSync(join(home, "release"), "utf8"))?.[1];
    return major === undefined ? undefined : Number(major);
  } catch {
    return undefined;
  }
}
