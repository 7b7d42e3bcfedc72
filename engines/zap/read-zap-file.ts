import type { Outcome } from "@periscan/contract/outcome.ts";
import { type ParsedTarget, parseTarget } from "@periscan/contract/target-syntax.ts";
import { ParseError, type ReadContext, type ReadOutcome } from "../kit/engine.ts";
import { peekFile } from "../kit/peek-file.ts";
import { clip } from "./clean-text.ts";
import { parseReport, readSite, reportNote } from "./read-zap-json.ts";
import { readZapXml } from "./read-zap-xml.ts";
import type { ReportSite } from "./zap-report.ts";

/** A report of ZAP's in JSON (traditional, and with requests and responses) or XML, or one of ours. A target stands for the site that it is on, or for the only one. */
export async function* readZapFile(chunks: AsyncIterable<Uint8Array>, { target, tally }: ReadContext): AsyncIterable<ReadOutcome> {
  const { head, file } = await peekFile(chunks);
  const report = /^[\s\0\ufeff\ufffd]*</.test(head) ? await readZapXml(file) : await parseReport(file);
  const observedAt = readDate(report.generated);
  const { chosen, others } = pickSites(report.sites, target);
  for (const [reason, site] of others) {
    const count = site.alerts.length + site.faults.length;
    tally.read(count);
    if (count > 0) tally.leaveOut(reason, count);
  }
  const notes = target ? [] : noteStrange(others.map(([, site]) => site));
  for (const [text, sites] of chosen) {
    const outcome = doubt(sites, readSite(joinSites(sites), tally));
    yield { target: text, ...(observedAt ? { observedAt } : {}), outcome: { ...outcome, notes: [...outcome.notes, ...notes] } };
  }
}

interface PickedSites {
  /** By target. */
  chosen: Map<string, ReportSite[]>;
  /** Those that are left out, and why. */
  others: [reason: string, site: ReportSite][];
}

function pickSites(sites: ReportSite[], target: ParsedTarget | undefined): PickedSites {
  if (target) {
    const own = new Set(pickOwn(sites, target));
    const others = sites.filter((site) => !own.has(site));
    return { chosen: new Map([[target.text, [...own]]]), others: others.map((site) => [`of other targets than ${target.text}`, site]) };
  }
  const chosen = new Map<string, ReportSite[]>();
  const others: PickedSites["others"] = [];
  for (const site of sites) {
    const text = nameSite(site);
    if (text === undefined) others.push([`of a site that cannot be a target: ${shorten(site["@name"])}`, site]);
    else if (!chosen.get(text)?.push(site)) chosen.set(text, [site]);
  }
  const [first] = others;
  if (chosen.size === 0 && first) throw new ParseError(`The report has no site that can be a target: ${shorten(first[1]["@name"])}. Say which one it is of.`);
  return { chosen, others };
}

function pickOwn(sites: ReportSite[], target: ParsedTarget): ReportSite[] {
  const own = sites.filter((site) => isOn(site, target));
  const names = [...new Set((own.length === 0 ? sites : own).map((site) => site["@name"]))];
  if (names.length === 1) return own.length === 0 ? sites : own;
  throw new ParseError(
    `The report is of ${sites.length} sites, and ${own.length === 0 ? "none" : "more than one"} of them is ${target.text}: ${names.slice(0, 5).join(", ").slice(0, 500)}.`,
  );
}

function isOn(site: ReportSite, target: ParsedTarget): boolean {
  const [scheme, port] = [site["@ssl"] === "true" ? "https" : "http", Number(site["@port"])];
  if (site["@host"].replace(/^\[(.*)\]$/, "$1").toLowerCase() !== target.host) return false;
  if (target.kind === "url") return target.port === port && target.scheme === scheme;
  return target.kind !== "service" || target.port === port;
}

function nameSite(site: ReportSite): string | undefined {
  const parsed = parseTarget(site["@name"]);
  return parsed.ok && parsed.targets.length === 1 ? parsed.targets[0]?.text : undefined;
}

const shorten = (name: string): string => (name === "" ? "it has no name" : clip(name, 100));

function noteStrange(sites: ReportSite[]): string[] {
  if (sites.length === 0) return [];
  const names = sites.slice(0, 5).map((site) => shorten(site["@name"]));
  return [`The report also has what cannot be a target, and it is left out: ${names.join(", ")}${sites.length > names.length ? ", …" : ""}.`];
}

/** Where a report has a site twice, what was looked at is known of neither. */
function joinSites(sites: ReportSite[]): ReportSite {
  const [first, ...more] = sites;
  if (!first) throw new Error("There is no site to join.");
  if (more.length === 0) return first;
  const { periscan: _, ...facts } = first;
  return { ...facts, alerts: sites.flatMap(({ alerts }) => alerts), faults: sites.flatMap(({ faults }) => faults) };
}

/** Only our own reports say what was looked at. */
function doubt([site, ...more]: ReportSite[], outcome: Outcome): Outcome {
  if (outcome.kind !== "complete" || (site?.periscan && more.length === 0)) return outcome;
  return { ...outcome, kind: "partial", reason: reportNote, notes: outcome.notes.filter((note) => note !== reportNote) };
}

/** Older versions write the time of their machine without a zone; it is taken for UTC. */
function readDate(text: string): Date | undefined {
  const at = Date.parse(/(GMT|UTC|Z|[+-]\d\d:?\d\d)\s*$/.test(text) ? text : `${text} GMT`);
  return Number.isNaN(at) ? undefined : new Date(at);
}
