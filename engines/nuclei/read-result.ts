import { z } from "zod";
import { ParseError } from "../kit/engine.ts";
import { type Line, readLines } from "./read-lines.ts";

const Text = z.string().max(20_000);
/** Nuclei writes one value as it is and several as a list. */
const Texts = z.union([Text.transform((text) => [text]), z.array(Text).max(1000), z.null().transform((): string[] => [])]).default([]);

const Classification = z.object({
  "cve-id": Texts,
  "cwe-id": Texts,
  "cvss-metrics": Text.optional(),
  "cvss-score": z.number().optional(),
  "epss-score": z.number().optional(),
  cpe: Text.optional(),
});

/** What Periscan reads of a hit: pkg/output/output.go of Nuclei names the fields. */
const Result = z.object({
  "template-id": z.string().min(1).max(200),
  info: z.object({
    name: z.string().min(1).max(1000),
    severity: z.string().max(50),
    description: Text.optional(),
    impact: Text.optional(),
    remediation: Text.optional(),
    reference: Texts,
    tags: Texts,
    classification: Classification.nullish(),
  }),
  type: z.string().min(1).max(50),
  "matcher-name": Text.optional(),
  "extractor-name": Text.optional(),
  host: Text.optional(),
  port: z.string().max(20).optional(),
  url: Text.optional(),
  "matched-at": z.string().min(1).max(20_000),
  "extracted-results": z.array(z.string()).max(10_000).nullish(),
  request: z.string().optional(),
  response: z.string().optional(),
  "curl-command": z.string().optional(),
  timestamp: z.string().max(100).optional(),
  "matcher-status": z.boolean().optional(),
});
export type NucleiResult = z.infer<typeof Result>;

/** Nuclei prints some of its warnings on standard output too. */
const warning = /^\[(WRN|INF|ERR|VER|DBG)\] /;

/** One line of Nuclei's JSONL as a hit; undefined where it is empty or a warning. Throws ParseError on anything else. */
export function readResult({ number, text }: Line): NucleiResult | undefined {
  if (text.trim() === "" || warning.test(text)) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new ParseError(`Line ${number} of Nuclei's output is no JSON.`, { cause });
  }
  return checkResult(number, value);
}

/** The value of a line, or of an entry of a list, as a hit. Throws ParseError on anything else. */
export function checkResult(number: number, value: unknown): NucleiResult {
  const parsed = Result.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new ParseError(`Line ${number} of Nuclei's output is not a hit: ${issue?.path.join(".").slice(0, 200)}: ${issue?.message.slice(0, 200)}.`, {
    cause: parsed.error,
  });
}

/** A whole output of Nuclei, or a file of the user's: each hit with its line. `change` may alter a line before it is read, and kept. */
export async function* readResults(
  chunks: AsyncIterable<Uint8Array>,
  change: (text: string) => string = (text) => text,
): AsyncIterable<{ result: NucleiResult; text: string }> {
  for await (const line of readLines(chunks, "Nuclei's output")) {
    const text = change(line.text);
    const result = readResult({ ...line, text });
    if (result) yield { result, text };
  }
}
