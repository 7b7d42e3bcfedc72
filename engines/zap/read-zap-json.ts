import { createHash } from "node:crypto";
import type { Detection, Outcome } from "@periscan/contract/outcome.ts";
import { ParseError } from "../kit/engine.ts";
import { parseWhole, readWhole } from "../kit/read-whole.ts";
import { clip } from "./clean-text.ts";
import { type Coverage, formatScope, joinMarks, ruleOf } from "./coverage.ts";
import { excerptMessage } from "./excerpt.ts";
import { readPlace } from "./origin.ts";
import { assessAlert, confidenceNames, riskNames } from "./threat-levels.ts";
import type { Detail, Instance } from "./view.ts";
import { fromParagraphs, Report, type ReportAlert, type ReportInstance, ReportSite } from "./zap-report.ts";

const maxReportMegabytes = 128;

/** Each site of a report of ZAP's, or of ours. Throws ParseError where the file is cut off, is none, or names no site: ZAP then looked at nothing. */
export async function* readZapJson(chunks: AsyncIterable<Uint8Array>): AsyncIterable<{ address: string; outcome: Outcome }> {
  for (const site of (await parseReport(chunks)).site) yield { address: site["@name"], outcome: readSite(site) };
}

/** The report before its sites are read. */
export async function parseReport(chunks: AsyncIterable<Uint8Array>): Promise<Report> {
  const report = Report.safeParse(parseWhole(await readWhole(chunks, maxReportMegabytes)));
  if (!report.success) throw new ParseError(`This is not a JSON report of ZAP's with a site in it: ${describeIssue(report.error)}`, { cause: report.error });
  return report.data;
}

/** One site's entry of a report, as `run` makes it. */
export function readSiteText(text: string): Outcome {
  const site = ReportSite.safeParse(parseWhole(text));
  if (!site.success) throw new ParseError(`What ZAP said of this site cannot be read: ${describeIssue(site.error)}`, { cause: site.error });
  return readSite(site.data);
}

const describeIssue = ({ issues }: { issues: { path: PropertyKey[]; message: string }[] }) =>
  `${issues[0]?.path.map(String).join(".").slice(0, 100)}: ${issues[0]?.message.slice(0, 200)}.`;

export function readSite(site: ReportSite): Outcome {
  const alerts = site.alerts.filter(({ confidence }) => confidence !== falsePositive);
  const coverage = site.periscan?.coverage ?? guessCoverage(site, alerts);
  const detections = mergeAlerts(alerts).map((alert) => readAlert(alert, coverage, site.periscan?.scopes ?? {}));
  if (site.periscan) {
    const { outcome, reason, notes } = site.periscan;
    if (outcome === "partial" && reason === undefined) throw new ParseError("A part of a report is partial and does not say why.");
    return { kind: outcome, ...(reason === undefined ? {} : { reason }), notes, coverage, detections };
  }
  if (detections.length === 0)
    return {
      kind: "partial",
      reason: "The report names the site and no alert: it does not say whether anything was looked at.",
      notes: [],
      coverage,
      detections,
    };
  return { kind: "complete", notes: [reportNote], coverage, detections };
}

/** ZAP's number for an alert that a person has called false. */
const falsePositive = "0";
export const reportNote = "A report of ZAP's says what was found and not what was looked at, so it closes nothing that it does not name.";

/** A report that does not say what was looked at was at least where its alerts are. */
function guessCoverage(site: ReportSite, alerts: ReportAlert[]): Coverage {
  const places = new Set(alerts.flatMap(({ instances }) => instances.map(({ uri }) => readPlace(uri))));
  return {
    origin: site["@name"],
    path: "",
    rules: [...new Set(alerts.map(({ pluginid }) => pluginid))],
    content: [],
    answered: joinMarks(places),
    erred: "",
    refused: "",
    places: places.size,
    whole: false,
  };
}

interface MergedAlert extends ReportAlert {
  key: string;
}

/**
 * ZAP parts alerts by risk and name, so a reference may have several: the worst stands for all, as in what `writeSite` writes. Without references the
 * plugin stands for its one alert, as in a scan; only where it has several names does the name make the difference.
 */
function mergeAlerts(alerts: ReportAlert[]): MergedAlert[] {
  for (const { alertRef, pluginid, name, instances } of alerts)
    if (fromParagraphs(name) === "" || instances.length === 0)
      throw new ParseError(`The report's alert ${alertRef || pluginid} has no name, or no place where it was seen.`);
  const plugins = [...Map.groupBy(alerts, ({ pluginid }) => pluginid)];
  const ambiguous = new Set(plugins.filter(([id, same]) => id === byHand || new Set(same.map(({ name }) => name)).size > 1).map(([id]) => id));
  const refer = ({ alertRef, pluginid, name }: ReportAlert) => alertRef || (ambiguous.has(pluginid) ? `${pluginid}-${digest(name)}` : pluginid);
  return [...Map.groupBy(alerts, refer)].map(([key, same]) => {
    const sorted = same.toSorted((a, b) => Number(b.riskcode) - Number(a.riskcode));
    const count = sorted.reduce((sum, alert) => sum + countInstances(alert), 0);
    return { ...(sorted[0] as ReportAlert), key, instances: sorted.flatMap(({ instances }) => instances), count: `${count}` };
  });
}

/** The plugin of whatever a person has raised. */
const byHand = "-1";

/** Names of one plugin often begin alike: cut to what a reference has room for, they would be one. */
const digest = (name: string): string => createHash("sha256").update(fromParagraphs(name)).digest("hex").slice(0, 12);

const countInstances = ({ instances, count }: ReportAlert): number => Math.max(instances.length, Number(count ?? 0));

function readAlert(alert: MergedAlert, coverage: Coverage, scopes: Record<string, string>): Detection {
  const { key } = alert;
  const risk = Number(alert.riskcode);
  const { title, threatLevel, description, solution, references } = assessAlert({ reference: key, pluginId: alert.pluginid, risk });
  const name = clip(fromParagraphs(alert.name), 500);
  const scope =
    (Object.hasOwn(scopes, key) ? scopes[key] : undefined) ??
    formatScope({ rule: key, origin: coverage.origin, answered: alert.instances.map(({ uri }) => readPlace(uri)), erred: [] });
  const count = countInstances(alert);
  const confidence = confidenceNames[Number(alert.confidence)] ?? "";
  return {
    key,
    scope,
    title: title ?? name,
    threat_level: threatLevel,
    description: description ?? clip(fromParagraphs(alert.desc), 20_000),
    solution: solution ?? clip(fromParagraphs(alert.solution), 20_000),
    references: references ?? readReferences(alert.reference),
    additional_info: {
      rule: ruleOf(key),
      confidence,
      zap_risk: riskNames[risk] ?? "",
      instances: count,
      ...(Number(alert.cweid) > 0 ? { cwe: `CWE-${Number(alert.cweid)}` } : {}),
      ...(Number(alert.wascid) > 0 ? { wasc: `WASC-${Number(alert.wascid)}` } : {}),
    },
    detail: readDetail(alert, { id: alert.alertRef || alert.pluginid, name, confidence }, count),
  };
}

/** ZAP lists them a paragraph each; what is no URL is a title of a book, and the like. */
const readReferences = (html: string): string[] =>
  fromParagraphs(html)
    .split(/\s+/)
    .filter((word) => /^https?:\/\/\S{1,2000}$/.test(word))
    .slice(0, 50);

const maxInstances = 50;
/** All instances of a detail together, so that it stays readable. */
const maxInstanceCharacters = 9000;

function readDetail(alert: ReportAlert, rule: Detail["rule"], count: number): Detail {
  const instances: Instance[] = [];
  let characters = 0;
  for (const each of alert.instances.slice(0, maxInstances)) {
    const instance = readInstance(each);
    characters += Object.values(instance).join("").length;
    if (instances.length > 0 && characters > maxInstanceCharacters) break;
    instances.push(instance);
  }
  const exchanges = alert.instances.filter((each) => each["response-header"] !== undefined).slice(0, 2);
  return { rule, count, instances, exchanges: exchanges.map(readExchange) };
}

const readInstance = ({ uri, method, param, attack, evidence, otherinfo }: ReportInstance): Instance => ({
  url: clip(uri, 500),
  method: clip(method, 20),
  param: clip(param, 200),
  attack: clip(attack, 300),
  evidence: clip(evidence, 300),
  other: clip(fromParagraphs(otherinfo), 500),
});

function readExchange(instance: ReportInstance): Detail["exchanges"][number] {
  const { uri, param, attack, evidence } = instance;
  return {
    url: clip(uri, 500),
    request: excerptMessage({ header: instance["request-header"] ?? "", body: instance["request-body"] ?? "" }, [attack, encodeURIComponent(attack)]),
    response: excerptMessage({ header: instance["response-header"] ?? "", body: instance["response-body"] ?? "" }, evidence === "" ? [param] : [evidence]),
  };
}
