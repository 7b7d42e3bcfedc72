import type { Outcome } from "@periscan/contract/outcome.ts";
import { type ParsedTarget, parseTarget } from "@periscan/contract/target-syntax.ts";
import { ParseError, type ReadContext, type ReadOutcome } from "../kit/engine.ts";
import { peekFile } from "../kit/peek-file.ts";
import { parseReport, readSite, reportNote } from "./read-zap-json.ts";
import { readZapXml } from "./read-zap-xml.ts";
import type { ReportSite } from "./zap-report.ts";

/** A report of ZAP's in JSON (traditional, and with requests and responses) or XML, or one of ours. A target stands for the site that it is on, or for the only one. */
export async function* readZapFile(chunks: AsyncIterable<Uint8Array>, { target }: ReadContext): AsyncIterable<ReadOutcome> {
  const { head, file } = await peekFile(chunks);
  const report = /^\s*</.test(head) ? await readZapXml(file) : await parseReport(file);
  const observedAt = readDate(report.created ?? report["@created"] ?? report["@generated"]);
  const told = new Set<string>();
  for (const site of pickSites(report.site, target)) {
    const text = target?.text ?? nameSite(site);
    if (told.has(text)) throw new ParseError(`The report has the site ${text} twice.`);
    told.add(text);
    yield { target: text, ...(observedAt ? { observedAt } : {}), outcome: doubt(site, readSite(site)) };
  }
}

function pickSites(sites: ReportSite[], target: ParsedTarget | undefined): ReportSite[] {
  if (!target) return sites;
  const own = sites.filter((site) => isOn(site, target));
  if (own.length === 1) return own;
  if (own.length === 0 && sites.length === 1) return sites;
  const names = sites.map((site) => site["@name"]).slice(0, 5);
  throw new ParseError(
    `The report is of ${sites.length} sites, and ${own.length === 0 ? "none" : "more than one"} of them is ${target.text}: ${names.join(", ").slice(0, 500)}.`,
  );
}

function isOn(site: ReportSite, target: ParsedTarget): boolean {
  const [scheme, port] = [site["@ssl"] === "true" ? "https" : "http", Number(site["@port"])];
  if (site["@host"].replace(/^\[(.*)\]$/, "$1").toLowerCase() !== target.host) return false;
  if (target.kind === "url") return target.port === port && target.scheme === scheme;
  return target.kind !== "service" || target.port === port;
}

function nameSite(site: ReportSite): string {
  const parsed = parseTarget(site["@name"]);
  if (parsed.ok && parsed.targets[0] && parsed.targets.length === 1) return parsed.targets[0].text;
  throw new ParseError(`The report has a site that cannot be a target: ${site["@name"].slice(0, 100)}. Say which one it is of.`);
}

/** Only our own reports say what was looked at. */
function doubt(site: ReportSite, outcome: Outcome): Outcome {
  if (site.periscan || outcome.kind !== "complete") return outcome;
  return { ...outcome, kind: "partial", reason: reportNote, notes: outcome.notes.filter((note) => note !== reportNote) };
}

/** Older versions write the time of their machine without a zone; it is taken for UTC. */
function readDate(text: string): Date | undefined {
  const at = Date.parse(/(GMT|UTC|Z|[+-]\d\d:?\d\d)\s*$/.test(text) ? text : `${text} GMT`);
  return Number.isNaN(at) ? undefined : new Date(at);
}
