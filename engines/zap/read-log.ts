import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { readEngineFile } from "../kit/run-folder.ts";
import { clip } from "./clean-text.ts";

const maxBytes = 32 * 1024 ** 2;
const maxExamples = 3;

export interface RuleErrors {
  count: number;
  /** What ZAP said of the first of them. */
  examples: string[];
}

/**
 * ZAP's rules that broke: its API does not tell of them, only its log does, in lines of the threads that run rules. Each call answers what came since the
 * one before. A page cannot make a line that counts without making a scan partial, which closes nothing.
 */
export function createLogReader(file: string): () => RuleErrors {
  let offset = 0;
  return () => {
    const { text, size } = readFrom(file, offset);
    offset = size;
    const lines = text.split("\n").filter((line) => /^\S+ \S+ \[ZAP-(?:PassiveScan|ActiveScanner)[^\]]*\] ERROR /.test(line));
    return { count: lines.length, examples: lines.slice(0, maxExamples).map((line) => clip(line.replace(/^.*?ERROR\s+/, ""), 200)) };
  };
}

function readFrom(file: string, offset: number): { text: string; size: number } {
  let descriptor: number;
  try {
    descriptor = openSync(file, readEngineFile);
  } catch {
    return { text: "", size: 0 };
  }
  try {
    const { size } = fstatSync(descriptor);
    // A log that is shorter than before was begun anew.
    const start = size < offset ? 0 : offset;
    const bytes = Buffer.alloc(Math.min(maxBytes, size - start));
    const read = readSync(descriptor, bytes, 0, bytes.length, start);
    return { text: bytes.subarray(0, read).toString("utf8"), size };
  } finally {
    closeSync(descriptor);
  }
}
