import { once } from "node:events";
import { createReadStream } from "node:fs";
import { parentPort, workerData } from "node:worker_threads";
import type { ImportCounts } from "@periscan/contract/import-counts.ts";
import { Outcome } from "@periscan/contract/outcome.ts";
import type { ScanType } from "@periscan/contract/scan.ts";
import { parseTarget } from "@periscan/contract/target-syntax.ts";
import { type ImportReport, maxReportOutcomes } from "@periscan/contract/worker-protocol.ts";
import { type Engine, type EngineRunner, ParseError, type ReadContext, type ReadOutcome } from "@periscan/engines/kit/engine.ts";
import { createTally, type Tally } from "@periscan/engines/kit/tally.ts";
import { findEngine } from "@periscan/engines/registry.ts";
import { nameFormat } from "./name-format.ts";

export interface ReadingInput {
  path: string;
  type: ScanType;
  /** Canonical. */
  target?: string;
}

export type ReadingMessage =
  /** The JSON of a list of an `ImportReport`'s outcomes; the answer `next` asks for more. */
  | { kind: "outcomes"; outcomes: string; fraction: number }
  | { kind: "end"; counts?: ImportCounts }
  | { kind: "failed"; code: string; message: string; counts?: ImportCounts };

type Told = ImportReport["outcomes"][number];

/** Why a file could not be read to its end, how many outcomes stand whole before that, and what became of its results. */
interface Look {
  outcomes: number;
  counts?: ImportCounts;
  failure?: string;
}

const say = (message: ReadingMessage): void => parentPort?.postMessage(message);

/** Twice: the first time to see whether all of it can be read, so that a file that cannot be leaves nothing behind. */
async function readFile(input: ReadingInput): Promise<void> {
  const engine = findEngine(input.type);
  const runner = await engine.load();
  const look = await lookThrough(engine, runner, input);
  if (look.failure !== undefined && look.outcomes === 0) {
    const message = `${look.failure.slice(0, 1700)}${await nameFormat(input.path, input.type)}`;
    return say({ kind: "failed", code: "import.unreadable", message });
  }
  await tell(runner, input, look);
  const counts = look.counts ? { counts: look.counts } : {};
  if (look.failure === undefined) return say({ kind: "end", ...counts });
  const message = `Only a part of the file could be read; what it tells is kept. ${look.failure}`.slice(0, 2000);
  say({ kind: "failed", code: "import.incomplete", message, ...counts });
}

function contextOf({ type, target }: ReadingInput): ReadContext {
  const parsed = target === undefined ? undefined : parseTarget(target);
  return { type, tally: createTally(), ...(parsed?.ok && parsed.targets[0] ? { target: parsed.targets[0] } : {}) };
}

async function lookThrough(engine: Engine, runner: EngineRunner, input: ReadingInput): Promise<Look> {
  const look: Look = { outcomes: 0 };
  const context = contextOf(input);
  let risks = 0;
  try {
    for await (const read of runner.read(createReadStream(input.path), context)) {
      check(engine, canonical(read));
      look.outcomes += 1;
      risks += read.outcome.detections.length;
    }
  } catch (error) {
    if (!(error instanceof ParseError)) throw error;
    look.failure = `${await findPlace(error, runner, input)}${error.message}`;
  }
  const counts = countResults(context.tally, { risks, isCutOff: look.failure !== undefined });
  return counts ? { ...look, counts } : look;
}

/** What became of the results in the file; undefined where that does not add up, for a wrong number is worse than none. */
function countResults(tally: Tally, { risks, isCutOff }: { risks: number; isCutOff: boolean }): ImportCounts | undefined {
  const countMissing = () => {
    const { results, joined, left_out } = tally.counts();
    return results - risks - joined - left_out.reduce((sum, { count }) => sum + count, 0);
  };
  const cutOff = isCutOff ? countMissing() : 0;
  if (cutOff > 0) tally.leaveOut("in a part that could not be read to its end", cutOff);
  return countMissing() === 0 ? { risks, ...tally.counts() } : undefined;
}

/** What the server would refuse is a file that cannot be read, and not a server that refuses. */
function check(engine: Engine, { target, outcome }: Told): void {
  const parsed = Outcome.safeParse(outcome);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw new ParseError(`What the file tells of ${target} is not within bounds: ${issue?.path.map(String).join(".")}: ${issue?.message}.`, {
      cause: parsed.error,
    });
  }
  for (const { detail } of outcome.detections) engine.view(detail);
}

function canonical({ target, address, observedAt, outcome }: ReadOutcome): Told {
  const parsed = parseTarget(target);
  const [one, ...more] = parsed.ok ? parsed.targets : [];
  if (!one || more.length > 0) throw new ParseError(`The file names something that cannot be a target: ${target.slice(0, 100)}.`);
  return {
    target: one.text,
    ...(address === undefined ? {} : { resolved_target: address }),
    ...(observedAt === undefined ? {} : { observed_at: observedAt.toISOString() }),
    outcome,
  };
}

/** The server checks a report at one go, and answers nobody meanwhile. */
const reportCharacters = 1024 ** 2;

async function tell(runner: EngineRunner, input: ReadingInput, look: Look): Promise<void> {
  let batch: string[] = [];
  let characters = 0;
  let told = 0;
  const send = async () => {
    say({ kind: "outcomes", outcomes: `[${batch.join(",")}]`, fraction: told / look.outcomes });
    batch = [];
    characters = 0;
    if (parentPort) await once(parentPort, "message");
  };
  if (look.outcomes === 0) return;
  for await (const read of runner.read(createReadStream(input.path), contextOf(input))) {
    const text = JSON.stringify(doubt(canonical(read), look));
    batch.push(text);
    characters += text.length;
    told += 1;
    if (told === look.outcomes || batch.length === maxReportOutcomes || characters > reportCharacters) await send();
    if (told === look.outcomes) break;
  }
}

/** In a file that breaks off, what is whole was seen; what is missing is not known. */
function doubt(told: Told, { failure }: Look): Told {
  if (failure === undefined || told.outcome.kind !== "complete") return told;
  return { ...told, outcome: { ...told.outcome, kind: "partial", reason: `The file could not be read to its end. ${failure}`.slice(0, 2000) } };
}

/** `Line 12: `, where the format has lines. */
async function findPlace(error: ParseError, runner: EngineRunner, input: ReadingInput): Promise<string> {
  if (/\bline \d/i.test(error.message)) return "";
  const ofJson = /\(line (\d+) column \d+\)/.exec(error.cause instanceof Error ? error.cause.message : "")?.[1];
  if (ofJson !== undefined) return `Line ${ofJson}: `;
  const line = await findLine(error.message, runner, input);
  return line === undefined ? "" : `Line ${line}: `;
}

/** Reads once more, a line at a time, for a reader that sees its mistakes as they come. */
async function findLine(message: string, runner: EngineRunner, input: ReadingInput): Promise<number | undefined> {
  let line = 0;
  let ended = false;
  async function* byLine(): AsyncIterable<Uint8Array> {
    let starts = true;
    for await (const chunk of createReadStream(input.path) as AsyncIterable<Buffer>) {
      for (let start = 0; start < chunk.length; ) {
        const end = chunk.indexOf(10, start) + 1 || chunk.length;
        if (starts) line += 1;
        starts = chunk[end - 1] === 10;
        yield chunk.subarray(start, end);
        start = end;
      }
    }
    ended = true;
  }
  try {
    for await (const _ of runner.read(byLine(), contextOf(input)));
    return undefined;
  } catch (error) {
    // At the end of the file only what is missing is seen: for XML that is the last line, for other formats no line at all.
    const isSame = error instanceof ParseError && error.message === message;
    return isSame && (!ended || /XML/.test(message)) ? line : undefined;
  }
}

await readFile(workerData as ReadingInput);
