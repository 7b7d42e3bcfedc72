import type { Outcome, OutcomeKind } from "@periscan/contract/outcome.ts";
import type { Engine } from "./engine.ts";

/** Real outputs of an engine, and what must be read from each; engines/contract.test.ts holds every engine to them. */
export interface EngineSamples {
  /** Where the files lie, and how their names end. */
  folder: URL;
  extension: string;
  files: Sample[];
  /** As the engine's `run` reads the output of this sample. */
  read(name: string, output: AsyncIterable<Uint8Array>): AsyncIterable<{ address: string; outcome: Outcome }>;
}

export interface Sample {
  /** The file's name without its ending. */
  name: string;
  /** What was scanned, in words. */
  of: string;
  engine: Engine;
  /** Each outcome in its order, with the keys of what was detected. */
  expected: [address: string, kind: OutcomeKind, keys: string[]][];
}
