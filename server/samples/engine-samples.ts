import { readFileSync } from "node:fs";
import type { Outcome } from "@periscan/contract/outcome.ts";
import type { ScanType } from "@periscan/contract/scan.ts";

/** What an engine really printed, and what was read from it. */
export interface EngineSample {
  type: ScanType;
  engine_version: string;
  /** The native output, beside scans.json. */
  file: string;
  targets: { target: string; outcome: Outcome }[];
}

const folder = new URL("engines/", import.meta.url);

/** Written by test/sample-data/write-sample-data.ts from the engines' own samples. */
export const engineSamples = JSON.parse(readFileSync(new URL("scans.json", folder), "utf8")) as EngineSample[];

export const readNative = ({ file }: EngineSample): Buffer => readFileSync(new URL(file, folder));
