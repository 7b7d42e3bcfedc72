import type { Detection, Observation, Outcome } from "@periscan/contract/outcome.ts";
import { cleanText } from "./clean-text.ts";
import { type Coverage, makeScope, packIds, readPort } from "./coverage.ts";
import type { Services } from "./find-services.ts";
import type { Template } from "./find-templates.ts";
import { readDetection, readSeverity } from "./read-detection.ts";
import type { Request } from "./read-log.ts";
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
}

const mostDetections = 20_000;

/** What is known of a template at a place. */
interface Look {
  answered: number;
  hungUp: number;
  unanswered: number;
  /** The template waits for an answer to the last thing that it sends. */
  readsLast: boolean;
}

/** What the runs tell of their target. Complete only where every request was answered, to Nuclei's own end. */
export function readOutcome(facts: TargetFacts): Outcome {
  const looks = readLooks(facts);
  const notes = listNotes(facts, looks);
  const hits = readHits(facts);
  const answered = [...looks.values()].some((byTemplate) => [...byTemplate.values()].some((look) => look.answered > 0));
  if (!answered && hits.detections.length === 0) return { kind: "unreachable", reason: describeSilence(facts), notes, detections: [] };
  const reasons = [...facts.runs.flatMap(({ cut }) => cut ?? []), ...listGaps(facts, looks), ...hits.gaps];
  const learned = { notes, coverage: makeCoverage(facts, looks), detections: hits.detections, observations: listObservations(facts, looks, hits) };
  if (reasons.length === 0) return { kind: "complete", ...learned };
  return { kind: "partial", reason: reasons.join(" ").slice(0, 2000), ...learned };
}

const describeSilence = ({ runs, services: { sites, ports } }: TargetFacts): string => {
  const cut = runs.flatMap((run) => run.cut ?? []).join(" ");
  const where = [...sites, ...ports.map((port) => `TCP port ${port}`)].slice(0, 5).join(", ");
  return `Nothing that was sent to ${where} got an answer that could be used, although connections were accepted. ${cut}`.trim().slice(0, 2000);
};

/** Where a request or a hit belongs: the site of its origin, or the port. Undefined where that was not scanned. */
function findPlace({ sites, ports }: Services, type: string, address: string): string | undefined {
  if (type === "http") {
    if (!URL.canParse(address)) return undefined;
    const { origin } = new URL(address);
    return sites.find((site) => new URL(site).origin === origin);
  }
  const port = Number(/:(\d{1,5})$/.exec(address)?.[1]);
  return ports.includes(port) ? `tcp:${port}` : undefined;
}

function readLooks({ runs, services, templates, mute }: TargetFacts): Map<string, Map<string, Look>> {
  const places = new Map<string, Map<string, Look>>();
  const ids = new Set([...templates.values()].map(({ id }) => id));
  const readsLast = new Set([...templates.values()].flatMap((template) => (template.readsLast ? [template.id] : [])));
  for (const { template, type, input, address, end } of runs.flatMap((run) => run.requests)) {
    const id = templates.get(template)?.id ?? (ids.has(template) ? template : undefined);
    const place = findPlace(services, type, type === "http" ? input : address || input);
    if (id === undefined || place === undefined) continue;
    const byTemplate = places.get(place) ?? new Map<string, Look>();
    places.set(place, byTemplate);
    const look = byTemplate.get(id) ?? { answered: 0, hungUp: 0, unanswered: 0, readsLast: readsLast.has(id) };
    byTemplate.set(id, look);
    // To a network template, sending is enough; only the proxy knows that nothing came back.
    const isMute = mute.some((port) => place === `tcp:${port}`);
    if (end === "answered" && !isMute) look.answered += 1;
    if (end === "hung up") look.hungUp += 1;
    if (end === "unanswered") look.unanswered += 1;
  }
  return places;
}

/**
 * Every request of the template was answered. A network template that reads each answer itself has all of them where Nuclei tells of its request; what
 * comes after is only the end of the connection.
 */
const isLookedAt = ({ answered, hungUp, unanswered, readsLast }: Look): boolean => answered > 0 && (readsLast || hungUp + unanswered === 0);

/** By place, the ids of the templates that were looked with there. */
function listLookedAt({ answers }: TargetFacts, looks: Map<string, Map<string, Look>>): Map<string, string[]> {
  const blocked = new Set(answers.filter(isBlocked).map(({ site }) => site));
  const listIds = (byTemplate: Map<string, Look>) => [...byTemplate].filter(([, look]) => isLookedAt(look)).map(([id]) => id);
  return new Map([...looks].map(([place, byTemplate]) => [place, blocked.has(place) ? [] : listIds(byTemplate)]));
}

/** A server that works, and lets one in, does not answer so. */
const isRefusal = (status: number): boolean => [401, 403, 407, 429].includes(status) || status >= 500;
/** What stands before a site answers so, for a site that is not there or not to be asked now. */
const isNoAnswer = (status: number): boolean => [429, 502, 503, 504].includes(status);

/** The site refused from some time on, or all the time: what it answered to templates says nothing of what is there. */
const isBlocked = ({ before, after }: SiteAnswers): boolean => after !== undefined && (isNoAnswer(after) || (isRefusal(after) && after !== before));

function describeBlock({ site, before, after }: SiteAnswers): string {
  const start = before === undefined ? "gave no answer" : `answered ${before}`;
  return `The start page of ${site.slice(0, 200)} ${start} before the templates ran and answered ${after} afterwards: the site held the scan off or failed, so what it answered in between does not count. Scan again later, with a smaller options.rate_limit.`;
}

/** Of many templates some send what a server hangs up on. They close nothing; more of them mean that the site does not keep up. */
const toleratedHangUps = 0.01;

function listGaps(facts: TargetFacts, looks: Map<string, Map<string, Look>>): string[] {
  const { runs, planned, answers, mute, failing, gone, opened, services } = facts;
  const gaps = answers.filter(isBlocked).map(describeBlock);
  const lost = answers.filter(({ site, before, after }) => before !== undefined && after === undefined && !gone.includes(readPort(site) ?? 0));
  if (lost.length > 0) gaps.push(`${lost[0]?.site.slice(0, 200)} answered before the templates ran and gave no answer afterwards.`);
  for (const [place, ids] of listLookedAt(facts, looks)) {
    const port = readPort(place);
    if (place.startsWith("tcp:") && ids.length === 0 && port !== undefined && !mute.includes(port))
      gaps.push(`No template got an answer to all that it sent to TCP port ${port}.`);
  }
  for (const [place, byTemplate] of looks) {
    if (place.startsWith("tcp:")) continue;
    const all = [...byTemplate.values()];
    const unanswered = all.filter((look) => look.unanswered > 0).length;
    const hungUp = all.filter((look) => look.hungUp > 0 && look.unanswered === 0).length;
    const most = Math.floor(all.length * toleratedHangUps);
    if (unanswered > 0)
      gaps.push(`${count(unanswered, "template")} of ${all.length} got no answer from ${place.slice(0, 200)}. Scan again with a smaller options.rate_limit.`);
    if (hungUp > most)
      gaps.push(
        `${place.slice(0, 200)} closed the connection on ${count(hungUp, "template")} of ${all.length} without an answer. A firewall may stand before it; scan again with a smaller options.rate_limit.`,
      );
  }
  const untouched = runs.every(({ cut }) => cut === undefined) ? planned.filter((place) => !looks.has(place)) : [];
  if (untouched.length > 0) gaps.push(`No template got through to ${untouched.slice(0, 5).join(", ").slice(0, 500)}.`);
  if (mute.length > 0) gaps.push(`TCP port ${mute.join(", ")} accepted connections and never said anything.`);
  if (services.unclear.length > 0)
    gaps.push(`TCP port ${services.unclear.join(", ")} wants TLS, and no site answered there, so it was not looked at. Scan again.`);
  if (opened.length > 0)
    gaps.push(`TCP port ${opened.slice(0, 12).join(", ")} refused a connection at the start and accepted one at the end, so it was not looked at. Scan again.`);
  if (failing.length > 0) gaps.push(`TCP port ${failing.join(", ")} did not accept every connection. Scan again with a smaller options.concurrency.`);
  if (gone.length > 0)
    gaps.push(`TCP port ${gone.join(", ")} no longer accepted connections when the scan ended: the service went down meanwhile, or blocks this scanner.`);
  return gaps;
}

const count = (number: number, thing: string): string => `${number.toLocaleString("en")} ${thing}${number === 1 ? "" : "s"}`;

function listNotes({ runs, refused, services: { silent } }: TargetFacts, looks: Map<string, Map<string, Look>>): string[] {
  const notes: string[] = runs.flatMap(({ broken }) => broken.map((text) => `Templates that Nuclei could not read were left out: ${text}`));
  const loaded = runs.reduce((sum, run) => sum + run.loaded, 0);
  const left = runs.reduce((sum, run) => sum + (run.cut === undefined ? Math.max(0, run.chosen - run.loaded) : 0), 0);
  if (left > 0)
    notes.push(`Nuclei left out ${count(left, "template")} that the scan chose, because it cannot read or use them. They say nothing about the target.`);
  const used = new Set(runs.flatMap((run) => run.requests.map(({ template }) => template))).size;
  if (used < loaded)
    notes.push(
      `${count(loaded - used, "template")} of ${loaded.toLocaleString("en")} made no request that Nuclei tells of: they had nothing to ask, or the service did not speak as they need.`,
    );
  const failed = [...looks].flatMap(([place, byTemplate]) =>
    [...byTemplate.values()].flatMap((look) => (isLookedAt(look) ? [] : [{ isNetwork: place.startsWith("tcp:"), ...look }])),
  );
  const hungUp = failed.filter((look) => look.hungUp > 0).length;
  if (hungUp > 0) notes.push(`The target hung up on ${count(hungUp, "template")}; they say nothing about it.`);
  const still = failed.filter((look) => look.isNetwork && look.unanswered > 0).length;
  if (still > 0) notes.push(`The target did not answer all that ${count(still, "network template")} sent; they say nothing about it.`);
  if (refused.length > 0) notes.push(`Requests to elsewhere were refused, because only the target is scanned: ${refused.slice(0, 5).join(", ")}.`);
  if (silent.length > 0)
    notes.push(
      `${count(silent.length, "port")} did not answer and may be behind a firewall: ${silent.slice(0, 12).join(", ")}${silent.length > 12 ? " …" : ""}.`,
    );
  return notes.map((note) => note.slice(0, 2000)).slice(0, 50);
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
    const place = findPlace(services, result.type, result["matched-at"]) ?? findPlace(services, result.type, result.url ?? "");
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
  if (outside > 0) hits.gaps.push(`${count(outside, "hit")} at places that were not scanned could not be used.`);
  if (unknown.size > 0) hits.gaps.push(`Nobody has assessed how severe a hit of ${[...unknown].slice(0, 5).join(", ")} is; look at it yourself.`);
  return hits;
}

function makeCoverage(facts: TargetFacts, looks: Map<string, Map<string, Look>>): Coverage {
  const { set, services, templates } = facts;
  const checks = [...listLookedAt(facts, looks)].map(([place, ids]) => ({ places: [place], count: ids.length, ids: packIds(ids) }));
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
function listObservations({ services }: TargetFacts, looks: Map<string, Map<string, Look>>, { results }: Hits): Observation[] {
  const observations = new Map<string, Observation>();
  for (const site of services.sites) {
    const port = readPort(site);
    if (port === undefined || ![...(looks.get(site)?.values() ?? [])].some((look) => look.answered > 0)) continue;
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
