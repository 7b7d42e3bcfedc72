import type { Detection, Observation, Outcome } from "@periscan/contract/outcome.ts";
import { cleanText } from "./clean-text.ts";
import { type Coverage, makeScope, packIds, readPort } from "./coverage.ts";
import { describeSilence, listGaps, listNotes } from "./describe-outcome.ts";
import type { Services } from "./find-services.ts";
import type { Template } from "./find-templates.ts";
import { readDetection, readSeverity } from "./read-detection.ts";
import type { Request } from "./read-log.ts";
import { findScanned, type Looks, readLooks } from "./read-looks.ts";
import type { NucleiResult } from "./read-result.ts";

/** What one start of Nuclei learned. */
export interface RunFacts {
  results: NucleiResult[];
  requests: Request[];
  /** How many templates the scan chose for it, and how many it says that it runs. */
  chosen: number;
  loaded: number;
  /** Why it was stopped before its end; undefined where it said that it was done. */
  cut: string | undefined;
  /** What it said of templates that it could not read. */
  broken: string[];
}

/** What a site's start page answered, by its status; undefined where no answer came. */
export interface SiteAnswers {
  site: string;
  before: number | undefined;
  after: number | undefined;
}

export interface TargetFacts {
  set: Coverage["templates"];
  /** By path, and by id for the protocols of which Nuclei tells the id. */
  templates: Map<string, Template>;
  services: Services;
  runs: RunFacts[];
  /** The places that Nuclei was told to look at. */
  planned: string[];
  /** Of each site that was looked at. */
  answers: SiteAnswers[];
  /** Open ports that accepted connections and never said a byte. */
  mute: number[];
  /** Open ports of network services that did not accept every connection. */
  failing: number[];
  /** Ports that were open before and did not accept a connection afterwards. */
  gone: number[];
  /** Ports that refused a connection before, and accepted one afterwards. */
  opened: number[];
  /** Destinations outside of the target that were asked for, and refused. */
  refused: string[];
  /** What earlier scans saw of the target. */
  known: Observation[];
  /** The UDP services that they saw, of a target that is a whole host. */
  udp: string[];
  /** A sentence where the worker itself could not keep up. */
  overload: string | undefined;
}

const mostDetections = 20_000;

/** What the runs tell of their target. Complete only where every request was answered, to Nuclei's own end. */
export function readOutcome(facts: TargetFacts): Outcome {
  const looks = readLooks(facts);
  const notes = listNotes(facts, looks);
  const hits = readHits(facts);
  const answered = [...looks.byPlace.values()].some((byTemplate) => [...byTemplate.values()].some((look) => look.answered > 0));
  if (!answered && hits.detections.length === 0) return { kind: "unreachable", reason: describeSilence(facts), notes, detections: [] };
  const reasons = [...facts.runs.flatMap(({ cut }) => cut ?? []), ...listGaps(facts, looks), ...hits.gaps];
  const learned = { notes, coverage: makeCoverage(facts, looks), detections: hits.detections, observations: listObservations(facts, looks, hits) };
  if (reasons.length === 0) return { kind: "complete", ...learned };
  return { kind: "partial", reason: reasons.join(" ").slice(0, 2000), ...learned };
}

interface Hits {
  detections: Detection[];
  results: { result: NucleiResult; place: string }[];
  gaps: string[];
}

function readHits({ runs, services, templates }: TargetFacts): Hits {
  const random = new Map([...templates.values()].map((template) => [template.id, template.random]));
  const detections = new Map<string, Detection>();
  const hits: Hits = { detections: [], results: [], gaps: [] };
  const unknown = new Set<string>();
  let outside = 0;
  for (const result of runs.flatMap((run) => run.results)) {
    if (result["matcher-status"] === false) continue;
    const place = findScanned(services, result.type, result["matched-at"]) ?? findScanned(services, result.type, result.url ?? "");
    if (place === undefined) {
      outside += 1;
      continue;
    }
    if ([undefined, "unknown"].includes(readSeverity(result))) unknown.add(result["template-id"]);
    const detection = readDetection({ result, place, random: random.get(result["template-id"]) ?? false });
    if (!detections.has(detection.key)) detections.set(detection.key, detection);
    hits.results.push({ result, place });
  }
  hits.detections = [...detections.values()].slice(0, mostDetections);
  if (detections.size > mostDetections) hits.gaps.push(`Only the first ${mostDetections.toLocaleString("en")} hits were kept.`);
  if (outside > 0) hits.gaps.push(`${outside.toLocaleString("en")} ${outside === 1 ? "hit" : "hits"} at places that were not scanned could not be used.`);
  if (unknown.size > 0) hits.gaps.push(`Nobody has assessed how severe a hit of ${[...unknown].slice(0, 5).join(", ")} is; look at it yourself.`);
  return hits;
}

function makeCoverage({ set, services, templates }: TargetFacts, { lookedAt }: Looks): Coverage {
  const checks = [...lookedAt].map(([place, ids]) => ({ places: [place], count: ids.length, ids: packIds(ids) }));
  const ids = services.closed.length === 0 ? "" : packIds([...templates.values()].map(({ id }) => id));
  // Places that were looked at with the same templates share the list.
  const byIds = Map.groupBy(
    checks.filter((check) => check.count > 0),
    (check) => check.ids,
  );
  const merged = [...byIds.values()].map((same) => ({ places: same.flatMap(({ places }) => places), count: same[0]?.count ?? 0, ids: same[0]?.ids ?? "" }));
  return { templates: { name: set.name, version: set.version }, checks: merged.slice(0, 200), closed: { ports: services.closed, ids } };
}

/** The sites that answered, what runs there, and the addresses of what was found: for engines that look farther. */
function listObservations({ services }: TargetFacts, { byPlace }: Looks, { results }: Hits): Observation[] {
  const observations = new Map<string, Observation>();
  for (const site of services.sites) {
    const port = readPort(site);
    if (port === undefined || ![...(byPlace.get(site)?.values() ?? [])].some((look) => look.answered > 0)) continue;
    const tls = site.startsWith("https:");
    observations.set(`site ${site}`, { kind: "service", key: `tcp/${port}`, scope: makeScope("", site), protocol: "tcp", port, tls, name: "http", cpe: [] });
  }
  for (const { result, place } of results) {
    const seen = { key: makeScope(result["template-id"], cleanText(result["matched-at"])), scope: makeScope(result["template-id"], place) };
    if (result.type === "http") {
      const status = Number(/^HTTP\/[\d.]+ (\d{3})/.exec(result.response ?? "")?.[1]);
      observations.set(`url ${seen.key}`, { kind: "url", ...seen, url: cleanText(result["matched-at"].slice(0, 2048)), ...(status ? { status } : {}) });
    }
    if (!result.info.tags.includes("tech")) continue;
    const version = cleanText(result["extracted-results"]?.[0]?.slice(0, 500) ?? "");
    const name = cleanText((result["matcher-name"] || result.info.name || result["template-id"]).slice(0, 500));
    observations.set(`technology ${seen.key} ${name}`, {
      kind: "technology",
      ...seen,
      key: makeScope(name.slice(0, 100), seen.key),
      name,
      ...(version ? { version } : {}),
      evidence: cleanText(result["matched-at"].slice(0, 2048)),
    });
  }
  return [...observations.values()].slice(0, mostDetections);
}
