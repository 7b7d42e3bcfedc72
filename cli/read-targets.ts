import { readFileSync } from "node:fs";
import { text } from "node:stream/consumers";
import { UserError } from "./user-error.ts";

/**
 * The targets of the command line and of a file of them (`-` is standard input), in order. In the file they stand apart by blanks or lines, as in those of Nmap's -iL;
 * what follows a `#` at the beginning of a line or after a blank is a comment. Throws a UserError where there is none.
 */
export async function readTargets(given: string[], file: string | undefined): Promise<string[]> {
  const targets = file === undefined ? given : [...given, ...parseTargets(await readText(file))];
  if (targets.length > 0) return targets;
  throw new UserError(file === undefined ? "Give targets, or --targets FILE (- is standard input)." : `${nameOf(file)} has no targets in it.`, { exitCode: 2 });
}

const parseTargets = (list: string): string[] =>
  list
    .replace(/^\uFEFF/, "")
    .split(/\r\n|\r|\n/)
    .flatMap((line) => line.replace(/(^|\s)#.*$/, "").split(/\s+/))
    .filter((target) => target !== "");

const nameOf = (file: string): string => (file === "-" ? "Standard input" : file);

async function readText(file: string): Promise<string> {
  try {
    return file === "-" ? await text(process.stdin) : readFileSync(file, "utf8");
  } catch (cause) {
    throw new UserError(`${nameOf(file)} cannot be read (${(cause as NodeJS.ErrnoException).code}).`, { exitCode: 2, cause });
  }
}
