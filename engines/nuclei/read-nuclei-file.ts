import type { Detection } from "@periscan/contract/outcome.ts";
import { toUtf8 } from "../kit/decode-text.ts";
import { ParseError, type ReadContext, type ReadOutcome } from "../kit/engine.ts";
import { peekFile } from "../kit/peek-file.ts";
import { findPlace, isOn } from "./find-place.ts";
import { findTemplates } from "./find-templates.ts";
import { type Hit, readDetection, readSeverity } from "./read-detection.ts";
import { readLeniently } from "./read-result.ts";
import { type FileValue, readValues } from "./read-values.ts";
import { readSarif } from "./sarif/read-sarif.ts";

/**
 * Nuclei's JSONL (or the list of `-json-export`), or a SARIF file. Nuclei writes its hits and nothing else, so no outcome is complete and none
 * closes a risk. What is no hit is left out and named; a file without anything that can be read throws ParseError.
 */
export async function* readNucleiFile(chunks: AsyncIterable<Uint8Array>, context: ReadContext): AsyncIterable<ReadOutcome> {
  const { head, file } = await peekFile(chunks);
  if (isSarif(head)) yield* readSarif(file, context);
  else yield* readHits(readValues(head, toUtf8(file)), context);
}

/** The keys that SARIF's first object may have (3.13). */
const isSarif = (head: string): boolean => /^\s*\{\s*"(\$schema|version|runs|properties|inlineExternalProperties)"/.test(head);

/** What of these formats a file looks like that begins so. */
export function nameFormat(head: string): string | undefined {
  if (isSarif(head) && /"(runs|\$schema)"/.test(head)) return "SARIF";
  return /"template(-id|ID)"\s*:/.test(head) ? "Nuclei's hits" : undefined;
}

interface Host {
  detections: Map<string, Detection>;
  /** Hits whose severity nobody has assessed. */
  unknown: Set<string>;
  seenAt: number;
  left: number;
}

/** What could not be read, and fields that hits had to do without. */
interface Faults {
  first: ParseError | undefined;
  count: number;
  fields: Map<string, number>;
}

const mostDetections = 20_000;
const mostFields = 20;
const why = "Nuclei's file has its hits alone and does not say what else was looked at, so it closes nothing.";

async function* readHits(values: AsyncIterable<FileValue>, context: ReadContext): AsyncIterable<ReadOutcome> {
  const { target, tally } = context;
  const random = new Map([...findTemplates().templates.values()].map((template) => [template.id, template.random]));
  const hosts = new Map<string, Host>();
  const faults: Faults = { first: undefined, count: 0, fields: new Map() };
  let elsewhere = 0;
  for await (const value of values) {
    tally.read();
    const result = takeHit(value, faults, context);
    if (result === undefined) continue;
    const place = findPlace(result);
    const text = place && (target ? (isOn(place, target) ? target.text : undefined) : place.host);
    if (place && text !== undefined) {
      keep(hosts, text, { hit: { result, place: place.text, random: random.get(result["template-id"]) ?? false }, context });
      continue;
    }
    elsewhere += 1;
    tally.leaveOut(place ? "of another host than the target" : "of no host that can be a target");
  }
  if (hosts.size === 0) yield* tellNone(faults, elsewhere, context);
  for (const [text, host] of hosts) yield describe(text, host, { faults, context });
}

/** A value of the file as a hit; undefined, and counted, where it is none. Whether a template matched is looked at first: Nuclei writes less of one that did not (`-matcher-status`). */
function takeHit(value: FileValue, faults: Faults, { tally }: ReadContext) {
  try {
    if ("error" in value) throw value.error;
    if (isNoMatch(value.value)) {
      tally.leaveOut("of a template that did not match (matcher-status is false)");
      return undefined;
    }
    const { result, without } = readLeniently(value.number, value.value);
    for (const field of without) if (faults.fields.has(field) || faults.fields.size < mostFields) faults.fields.set(field, (faults.fields.get(field) ?? 0) + 1);
    return result;
  } catch (error) {
    if (!(error instanceof ParseError)) throw error;
    faults.first ??= error;
    faults.count += 1;
    tally.leaveOut("that is no hit of Nuclei");
    return undefined;
  }
}

const isNoMatch = (value: unknown): boolean => typeof value === "object" && value !== null && "matcher-status" in value && value["matcher-status"] === false;

function keep(hosts: Map<string, Host>, text: string, { hit, context: { tally } }: { hit: Hit; context: ReadContext }): void {
  const host = hosts.get(text) ?? { detections: new Map(), unknown: new Set(), seenAt: 0, left: 0 };
  hosts.set(text, host);
  const detection = readDetection(hit);
  if ([undefined, "unknown"].includes(readSeverity(hit.result))) host.unknown.add(hit.result["template-id"]);
  if (host.detections.has(detection.key)) tally.join();
  else if (host.detections.size < mostDetections) host.detections.set(detection.key, detection);
  else {
    host.left += 1;
    tally.leaveOut(`beyond the first ${mostDetections.toLocaleString("en")} of a target`);
  }
  const at = Date.parse(hit.result.timestamp ?? "");
  if (at > host.seenAt) host.seenAt = at;
}

/** A file without a hit to keep says something only of the target that is named with it. */
function* tellNone({ first }: Faults, elsewhere: number, { target, tally }: ReadContext): Iterable<ReadOutcome> {
  if (first) throw first;
  if (target && elsewhere > 0) throw new ParseError(`The file has ${elsewhere} hits, and none of them is of ${target.text}.`);
  if (elsewhere > 0) throw new ParseError("No hit of the file is of a host that can be a target.");
  if (!target) throw new ParseError("The file has no hit, and so names no target: say which one it is of.");
  const notes = ["The file has no hit.", ...describeLeft(tally.counts().left_out)];
  yield { target: target.text, outcome: { kind: "partial", reason: why, notes, detections: [] } };
}

const describeLeft = (kinds: { reason: string; count: number }[]): string[] =>
  kinds.map(({ reason, count }) => `Left out: ${count.toLocaleString("en")} ${count === 1 ? "result" : "results"} ${reason}.`);

function describe(text: string, host: Host, { faults, context }: { faults: Faults; context: ReadContext }): ReadOutcome {
  const { detections, unknown, seenAt, left } = host;
  const reasons = [
    why,
    ...(faults.first
      ? [`${faults.count.toLocaleString("en")} of its results could not be read, and may be of any target. The first: ${faults.first.message}`]
      : []),
    ...(unknown.size > 0 ? [`Nobody has assessed how severe a hit of ${[...unknown].slice(0, 5).join(", ")} is; look at it yourself.`] : []),
    ...(left > 0 ? [`Only the first ${mostDetections.toLocaleString("en")} hits were kept.`] : []),
  ];
  const fields = [...faults.fields].map(([field, count]) => `${field} (${count.toLocaleString("en")})`);
  const notes = [
    ...describeLeft(context.tally.counts().left_out),
    ...(fields.length > 0 ? [`Fields that are not as Nuclei writes them were left out of hits: ${fields.join(", ")}.`.slice(0, 2000)] : []),
  ];
  const outcome = { kind: "partial" as const, reason: reasons.join(" ").slice(0, 2000), notes, detections: [...detections.values()] };
  return { target: text, ...(seenAt > 0 ? { observedAt: new Date(seenAt) } : {}), outcome };
}
