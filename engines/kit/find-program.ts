import { accessSync, constants, realpathSync, statSync } from "node:fs";
import { delimiter, join } from "node:path";
import { explainBarrier } from "./engine-account.ts";

/** The absolute path of a program on PATH, or undefined. */
export const findProgram = (name: string): string | undefined => listPrograms(name)[0];

/** As `findProgram`, of those that engines get to. */
export const findEngineProgram = (name: string): string | undefined => listPrograms(name).find((file) => explainProgramBarrier(file) === undefined);

function listPrograms(name: string): string[] {
  const folders = (process.env.PATH ?? "").split(delimiter).filter((folder) => folder.startsWith("/"));
  return folders.map((folder) => join(folder, name)).filter(isExecutable);
}

/** Why engines cannot start the program, with the mend; undefined where they can. */
export const explainProgramBarrier = (file: string): string | undefined => explainBarrier(file) ?? explainBarrier(realpathSync(file));

/** Whether it is a file that this account may run. */
export function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
