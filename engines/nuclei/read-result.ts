import { z } from "zod";
import { ParseError } from "../kit/engine.ts";
import { type Line, readLines } from "./read-lines.ts";

/** Null stands wherever Go has nothing to write. */
const Text = z
  .string()
  .max(20_000)
  .nullish()
  .transform((text) => text ?? undefined);
const LongText = z
  .string()
  .nullish()
  .transform((text) => text ?? undefined);

const Entry = z.string().max(20_000);
const makeTexts = (split: (text: string) => string[]) =>
  z
    .union([Entry.transform(split), z.array(Entry.nullable()).max(1000), z.null().transform((): string[] => [])])
    .default([])
    .transform((texts) => texts.flatMap((text) => text || []));
/** Nuclei writes one value as it is, and several as a list. */
const Texts = makeTexts((text) => [text]);
/** Its older versions wrote several words with commas between them. */
const Words = makeTexts((text) => text.split(",").map((word) => word.trim()));

const Score = z
  .union([
    z.number(),
    z
      .string()
      .regex(/^\d{1,2}(\.\d{1,10})?$/)
      .transform(Number),
  ])
  .nullish()
  .transform((score) => score ?? undefined);

const Classification = z.object({
  "cve-id": Words,
  "cwe-id": Words,
  "cvss-metrics": Text,
  "cvss-score": Score,
  "epss-score": Score,
  cpe: Text,
});

const Port = z
  .union([z.string().max(20), z.int().transform(String)])
  .nullish()
  .transform((port) => port ?? undefined);

/** What Periscan reads of a hit: pkg/output/output.go of Nuclei names the fields. */
const Result = z.object({
  "template-id": z.string().min(1).max(200),
  info: z.object({
    name: Text,
    severity: Text,
    description: Text,
    impact: Text,
    remediation: Text,
    reference: Texts,
    tags: Words,
    classification: Classification.nullish(),
  }),
  type: z.string().min(1).max(50),
  "matcher-name": Text,
  "extractor-name": Text,
  host: Text,
  port: Port,
  scheme: Text,
  url: Text,
  "matched-at": Text,
  "extracted-results": z
    .array(LongText.transform((text) => text ?? ""))
    .max(10_000)
    .nullish(),
  request: LongText,
  response: LongText,
  "curl-command": LongText,
  timestamp: Text,
  "matcher-status": z.boolean().nullish(),
  /** Which input of the page a fuzzing template changed, where that is, and in which kind of request. */
  "fuzzing-parameter": Text,
  "fuzzing-position": Text,
  "fuzzing-method": Text,
});
export type NucleiResult = Omit<z.infer<typeof Result>, "matched-at"> & { "matched-at": string };

/** Nuclei prints some of its warnings on standard output too. */
export const isWarning = (text: string): boolean => /^\[(WRN|INF|ERR|VER|DBG)\] /.test(text);

/** One line of Nuclei's JSONL as a hit; undefined where it is empty or a warning. Throws ParseError on anything else. */
export function readResult(line: Line): NucleiResult | undefined {
  if (line.text.trim() === "" || isWarning(line.text)) return undefined;
  return checkResult(line.number, parseLine(line));
}

/** A line as JSON. Throws ParseError where it is none. */
export function parseLine({ number, text }: Line): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new ParseError(`Line ${number} of Nuclei's output is no JSON.`, { cause });
  }
}

/** The value of a line, or of an entry of a list, as a hit. Throws ParseError on anything else. */
export function checkResult(number: number, value: unknown): NucleiResult {
  const parsed = Result.safeParse(nameFields(value));
  if (parsed.success) return placeResult(number, parsed.data);
  const issue = parsed.error.issues[0];
  throw new ParseError(`Line ${number} of Nuclei's output is not a hit: ${issue?.path.join(".").slice(0, 200)}: ${issue?.message.slice(0, 200)}.`, {
    cause: parsed.error,
  });
}

/** As `checkResult`, for somebody else's file: a field that is not as Nuclei writes it is left out, and named, where the hit can be told without it. */
export function readLeniently(number: number, value: unknown): { result: NucleiResult; without: string[] } {
  const parsed = Result.safeParse(nameFields(value));
  if (parsed.success) return { result: placeResult(number, parsed.data), without: [] };
  const paths = parsed.error.issues.map(({ path }) => path.map(String));
  const rest = paths.reduce(dropField, nameFields(value));
  return { result: checkResult(number, rest), without: [...new Set(paths.map((path) => path.slice(0, 3).join(".")))] };
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null && !Array.isArray(value);

function dropField(value: unknown, path: string[]): unknown {
  const [field, ...inner] = path;
  if (!isObject(value) || field === undefined) return value;
  const { [field]: dropped, ...others } = value;
  return inner.length > 0 && isObject(dropped) ? { ...others, [field]: dropField(dropped, inner) } : others;
}

/** Nuclei before 2.5 called the template `templateID` and the place `matched`, and had underscores in names; fuzzing has them still. */
function nameFields(value: unknown): unknown {
  if (!isObject(value)) return value;
  const named = Object.entries(value).map(([name, field]) => [oldNames.get(name) ?? name.replaceAll("_", "-"), field] as const);
  return Object.fromEntries(named);
}

const oldNames = new Map([
  ["templateID", "template-id"],
  ["matched", "matched-at"],
]);

/** Templates with a flow and those in JavaScript may tell no place of their own: it is then what they were told to look at. */
function placeResult(number: number, result: z.infer<typeof Result>): NucleiResult {
  const place = [result["matched-at"], result.url, result.host].find(Boolean);
  if (place === undefined) throw new ParseError(`Line ${number} of Nuclei's output is not a hit: it has none of matched-at, url and host.`);
  return { ...result, "matched-at": place };
}

/** A whole output of Nuclei: each hit with its line. `change` may alter a line before it is read, and kept. */
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
