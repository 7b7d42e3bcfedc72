import { rmSync } from "node:fs";
import { tmpdir } from "node:os";
import type { Observation } from "@periscan/contract/outcome.ts";
import type { ScanType } from "@periscan/contract/scan.ts";
import { parseTarget } from "@periscan/contract/target-syntax.ts";
import type { EngineEvent, EngineRunner, EngineTask, PinnedTarget, ReadContext, ReadOutcome, RunContext } from "./engine.ts";
import { makeRunFolder } from "./run-folder.ts";
import { createTally, type TallyCounts } from "./tally.ts";

/** Where the engines of the tests are; `./periscan test` installs what is missing there. */
export const testEnginesFolder = process.env.PERISCAN_ENGINES ?? "/var/lib/periscan/engines";

/** A target as the worker pins it; a name needs its address. */
export function pinForTest(text: string, address?: string): PinnedTarget {
  const parsed = parseTarget(text);
  const [target] = parsed.ok ? parsed.targets : [];
  if (!target) throw new Error(`${text} is no target`);
  return { targetId: text, target, address: address ?? target.host, known: [] };
}

type Service = Extract<Observation, { kind: "service" }>;

/** An open TCP port as Nmap sees it, unless told otherwise. */
export function serviceForTest(port: number, change: Partial<Service> = {}): Service {
  const scope = `${change.protocol ?? "tcp"}/${port}`;
  return { kind: "service", key: scope, scope, protocol: "tcp", port, tls: false, cpe: [], ...change };
}

/** Runs an engine as the worker does, in a folder of its own that is removed, and answers all that it said. */
export async function runForTest(runner: EngineRunner, task: EngineTask, change: Partial<RunContext> = {}): Promise<EngineEvent[]> {
  const folder = makeRunFolder(tmpdir(), "periscan-engine-test-");
  const context: RunContext = {
    signal: new AbortController().signal,
    limits: { memoryBytes: 2 ** 31, packetsPerSecond: Number.POSITIVE_INFINITY, outputBytes: 2 ** 30 },
    enginesFolder: testEnginesFolder,
    folder,
    log: () => {},
    ...change,
  };
  try {
    const events: EngineEvent[] = [];
    for await (const event of runner.run(task, context)) events.push(event);
    return events;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

export interface ReadForTest {
  outcomes: ReadOutcome[];
  /** Of all outcomes together. */
  detections: number;
  counts: TallyCounts;
}

/** Reads a file as an import does, and holds the reader to its counts: each result is a detection, joined to one, or left out with a reason. */
export async function readForTest(
  read: EngineRunner["read"],
  file: string | Uint8Array,
  { type, target }: { type: ScanType; target?: string },
): Promise<ReadForTest> {
  async function* bytes(): AsyncIterable<Uint8Array> {
    yield Buffer.from(file);
  }
  const tally = createTally();
  const context: ReadContext = { type, tally, ...(target === undefined ? {} : { target: pinForTest(target).target }) };
  const outcomes: ReadOutcome[] = [];
  for await (const outcome of read(bytes(), context)) outcomes.push(outcome);
  const detections = outcomes.reduce((sum, { outcome }) => sum + outcome.detections.length, 0);
  const counts = tally.counts();
  const told = detections + counts.joined + counts.left_out.reduce((sum, { count }) => sum + count, 0);
  if (told !== counts.results)
    throw new Error(`Of ${counts.results} results in the file ${told} are told: ${detections} detections and ${JSON.stringify(counts)}.`);
  return { outcomes, detections, counts };
}
