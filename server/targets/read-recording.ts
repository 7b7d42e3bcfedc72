import { Recording, type RecordingStep, recordingCommands } from "@periscan/contract/recording.ts";
import { parseTarget } from "@periscan/contract/target-syntax.ts";
import { z } from "zod";
import { ApiError } from "../errors/api-error.ts";

export const maxRecordingBytes = 1024 ** 2;

/** Selenium IDE's file, as far as a login needs it: https://www.selenium.dev/selenium-ide/docs/en/introduction/code-export and the files that it writes. */
const Command = z.object({
  command: z.string().max(100),
  target: z.string().max(4096).default(""),
  targets: z
    .array(z.tuple([z.string().max(4096)], z.unknown()))
    .max(100)
    .default([]),
  value: z.string().max(4096).default(""),
});
const Side = z.object({
  id: z.string().max(200),
  name: z.string().max(1000),
  url: z.string().max(2048),
  tests: z
    .array(z.object({ id: z.string().max(200), name: z.string().max(1000), commands: z.array(Command).max(500) }))
    .min(1)
    .max(50),
});

/**
 * Reads a `.side` file of Selenium IDE that logs in to this target (canonical text). Throws 400 that names the place: another format, more than one
 * test, a command that is not replayed, an address on another host than the target's.
 */
export function readRecording(bytes: Buffer, target: string): Recording {
  const parsed = Side.safeParse(parseJson(bytes));
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw refuse(issue?.path.join(".") ?? "", issue?.message ?? "");
  }
  const { name, url, tests } = parsed.data;
  const filled = tests.map((test, index) => ({ ...test, index })).filter(({ commands }) => commands.some(({ command }) => isDone(command)));
  const [test] = filled;
  if (!test || filled.length > 1)
    throw refuse("tests", `there must be one test with commands, the one that logs in; there are ${filled.length}. Export it as a project of its own`);
  const place = `tests.${test.index}.commands`;
  const steps = test.commands.flatMap((command, index) => (isDone(command.command) ? readStep(command, `${place}.${index}`) : []));
  requireHost(url, target, "url");
  for (const [index, step] of steps.entries()) if (step.command === "open") requireOpen(step, { url, target, field: `the step ${index + 1} (open)` });
  if (steps[0]?.command !== "open") throw refuse(place, "the first command must be open");
  const recording = Recording.safeParse({ name: clean(`${name}: ${test.name}`).slice(0, 200), url, steps });
  if (!recording.success) throw refuse(recording.error.issues[0]?.path.join(".") ?? "", recording.error.issues[0]?.message ?? "");
  return recording.data;
}

function parseJson(bytes: Buffer): unknown {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (error) {
    throw refuse("", "is not text in UTF-8", error);
  }
  try {
    return JSON.parse(text);
  } catch (error) {
    throw refuse("", "is not JSON: give the .side file that Selenium IDE saves", error);
  }
}

/** Selenium IDE writes `//` before a command that is switched off; one without a name is an empty line. */
const isDone = (command: string): boolean => command !== "" && !command.startsWith("//");

function readStep({ command, target, targets, value }: z.infer<typeof Command>, place: string): RecordingStep {
  if (!recordingCommands.has(command))
    throw refuse(
      `${place}.command`,
      `${JSON.stringify(command)} is not replayed. A login may have: ${[...recordingCommands].slice(0, 11).join(", ")}, pause, waitFor…, assert…`,
    );
  for (const text of [target, value]) {
    const variable = /\$\{(?!KEY_)[^}]*\}/.exec(text)?.[0];
    if (variable !== undefined && command !== "echo")
      throw refuse(place, `${variable.slice(0, 50)} is a variable, which is not known here: record the text itself`);
  }
  const others = targets.map(([each]) => each).filter((each) => each !== target);
  return { command, target, targets: others.slice(0, 20), value };
}

function requireOpen({ target: path }: RecordingStep, { url, target, field }: { url: string; target: string; field: string }): void {
  if (!URL.canParse(path, url)) throw refuse("", `${field} has no address: ${path.slice(0, 100)}`);
  requireHost(new URL(path, url).href, target, field);
}

/** A scan looks at its target alone, so its login must be there too. */
function requireHost(url: string, target: string, field: string): void {
  const [at] = parsedOf(url);
  const [wanted] = parsedOf(target);
  if (at?.kind !== "url") throw refuse(field, "must be an http or https address without a login in it");
  if (at.host !== wanted?.host)
    throw refuse(field, `was recorded at ${at.host}, and the target is ${target}: a login on another host is out of the scan's scope`);
}

const parsedOf = (text: string) => {
  const parsed = parseTarget(text);
  return parsed.ok ? parsed.targets : [];
};

const clean = (text: string): string => text.replaceAll(/\p{C}/gu, " ");

const refuse = (place: string, message: string, cause?: unknown): ApiError =>
  new ApiError(400, "recording.invalid", `file: ${place === "" ? "" : `${place}: `}${message}.`, { field: "file", ...(cause === undefined ? {} : { cause }) });
