import type { Detection } from "@periscan/contract/outcome.ts";
import { type ParsedTarget, parseTarget } from "@periscan/contract/target-syntax.ts";
import { toUtf8 } from "../kit/decode-text.ts";
import { ParseError, type ReadContext, type ReadOutcome } from "../kit/engine.ts";
import { peekFile } from "../kit/peek-file.ts";
import { parseWhole, readWhole } from "../kit/read-whole.ts";
import { findTemplates } from "./find-templates.ts";
import { readDetection, readSeverity } from "./read-detection.ts";
import { checkResult, type NucleiResult, readResults } from "./read-result.ts";
import { readSarif } from "./sarif/read-sarif.ts";

/**
 * Nuclei's JSONL (or the list of `-json-export`), or a SARIF file. Nuclei writes its hits and nothing else, so no outcome is complete and none
 * closes a risk.
 */
export async function* readNucleiFile(chunks: AsyncIterable<Uint8Array>, context: ReadContext): AsyncIterable<ReadOutcome> {
  const { head, file } = await peekFile(chunks);
  if (isSarif(head)) yield* readSarif(file, context);
  else yield* readHits(/^\s*\[\s*[{\]]/.test(head) ? readList(file) : readResults(toUtf8(file)), context);
}

/** The keys that SARIF's first object may have (3.13). */
const isSarif = (head: string): boolean => /^\s*\{\s*"(\$schema|version|runs|properties|inlineExternalProperties)"/.test(head);

/** What of these formats a file looks like that begins so. */
export function nameFormat(head: string): string | undefined {
  if (isSarif(head) && /"(runs|\$schema)"/.test(head)) return "SARIF";
  return /"template(-id|ID)"\s*:/.test(head) ? "Nuclei's hits" : undefined;
}

async function* readList(file: AsyncIterable<Uint8Array>): AsyncIterable<{ result: NucleiResult }> {
  const list = parseWhole(await readWhole(file, 128));
  if (!Array.isArray(list)) throw new ParseError("This is not a list of Nuclei's hits.");
  for (const [index, value] of list.entries()) yield { result: checkResult(index + 1, value) };
}

interface Host {
  detections: Map<string, Detection>;
  /** Hits whose severity nobody has assessed. */
  unknown: Set<string>;
  seenAt: number;
  left: number;
}

const mostDetections = 20_000;
const why = "Nuclei's file has its hits alone and does not say what else was looked at, so it closes nothing.";

async function* readHits(results: AsyncIterable<{ result: NucleiResult }>, { target }: ReadContext): AsyncIterable<ReadOutcome> {
  const random = new Map([...findTemplates().templates.values()].map((template) => [template.id, template.random]));
  const hosts = new Map<string, Host>();
  let elsewhere = 0;
  for await (const { result } of results) {
    if (result["matcher-status"] === false) continue;
    const place = findPlace(result);
    const text = place && (target ? (isOn(place, target) ? target.text : undefined) : place.host);
    if (!place || text === undefined) elsewhere += 1;
    else keep(hosts, text, { result, place: place.text, random: random.get(result["template-id"]) ?? false });
  }
  if (hosts.size === 0 && !target)
    throw new ParseError(
      elsewhere > 0 ? "No hit of the file is of a host that can be a target." : "The file has no hit, and so names no target: say which one it is of.",
    );
  if (hosts.size === 0 && target && elsewhere > 0) throw new ParseError(`The file has ${elsewhere} hits, and none of them is of ${target.text}.`);
  if (hosts.size === 0 && target) yield { target: target.text, outcome: { kind: "partial", reason: why, notes: ["The file has no hit."], detections: [] } };
  for (const [text, host] of hosts) yield describe(text, host, elsewhere);
}

function keep(hosts: Map<string, Host>, text: string, hit: Parameters<typeof readDetection>[0]): void {
  const host = hosts.get(text) ?? { detections: new Map(), unknown: new Set(), seenAt: 0, left: 0 };
  hosts.set(text, host);
  const detection = readDetection(hit);
  if ([undefined, "unknown"].includes(readSeverity(hit.result))) host.unknown.add(hit.result["template-id"]);
  if (!host.detections.has(detection.key) && host.detections.size >= mostDetections) host.left += 1;
  else if (!host.detections.has(detection.key)) host.detections.set(detection.key, detection);
  const at = Date.parse(hit.result.timestamp ?? "");
  if (at > host.seenAt) host.seenAt = at;
}

function describe(text: string, { detections, unknown, seenAt, left }: Host, elsewhere: number): ReadOutcome {
  const reasons = [
    why,
    ...(unknown.size > 0 ? [`Nobody has assessed how severe a hit of ${[...unknown].slice(0, 5).join(", ")} is; look at it yourself.`] : []),
    ...(left > 0 ? [`Only the first ${mostDetections.toLocaleString("en")} hits were kept.`] : []),
  ];
  const notes = elsewhere > 0 ? [`${elsewhere.toLocaleString("en")} hits of other hosts, or of none that can be a target, were left out.`] : [];
  const outcome = { kind: "partial" as const, reason: reasons.join(" ").slice(0, 2000), notes, detections: [...detections.values()] };
  return { target: text, ...(seenAt > 0 ? { observedAt: new Date(seenAt) } : {}), outcome };
}

interface Place {
  /** The target that a scan of the whole host would have. */
  host: string;
  port?: number;
  /** As a scan names it: a site with its port, or `tcp:PORT`. */
  text: string;
}

/** Where a hit was seen; undefined where that is no host. What Nuclei was told to look at goes before where a redirect led. */
function findPlace(result: NucleiResult): Place | undefined {
  const texts = [result.url ?? "", result["matched-at"], result.host ?? ""];
  if (result.type === "http") {
    const url = texts.find((text) => /^https?:\/\//i.test(text) && URL.canParse(text));
    return url === undefined ? undefined : findSite(new URL(url));
  }
  const text = result.host || result["matched-at"];
  const name = /^[a-z]+:\/\//i.test(text) && URL.canParse(text) ? new URL(text).hostname : text.replace(/^(\[.*\]|[^:]*):\d{1,5}$/, "$1");
  const host = readHost(name);
  const port = Number(/:(\d{1,5})$/.exec(result["matched-at"])?.[1] ?? result.port);
  if (host === undefined) return undefined;
  return port >= 1 && port <= 65_535 ? { host, port, text: `tcp:${port}` } : { host, text: result.type };
}

function findSite(url: URL): Place | undefined {
  const host = readHost(url.hostname);
  const port = Number(url.port) || (url.protocol === "https:" ? 443 : 80);
  return host === undefined ? undefined : { host, port, text: `${url.protocol}//${url.hostname}:${port}` };
}

function readHost(name: string): string | undefined {
  const parsed = parseTarget(name);
  const [one] = parsed.ok ? parsed.targets : [];
  return one && (one.kind === "name" || one.kind === "address") ? one.text : undefined;
}

const isOn = (place: Place, target: ParsedTarget): boolean =>
  place.host === target.host && (!("port" in target) || place.port === undefined || target.port === place.port);
