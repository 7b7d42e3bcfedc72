import { z } from "zod";
import { ParseError } from "../kit/engine.ts";
import { Coverage } from "./coverage.ts";

/**
 * ZAP's JSON report (`traditional-json`, and `traditional-json-plus` with requests and responses), as far as it is read here, and its XML report in the same shape. What ZAP adds later
 * is let through, and what older versions wrote otherwise is taken as today's. https://www.zaproxy.org/docs/desktop/addons/report-generation/report-traditional-json-plus/
 */
const Text = z
  .union([z.string(), z.number(), z.null()])
  .default("")
  .transform((value) => `${value ?? ""}`);
const OptionalText = Text.transform((text) => (text === "" ? undefined : text)).optional();
const textOf = (pattern: RegExp, what: string) => Text.refine((text) => pattern.test(text), `is not ${what}`);
const Digits = textOf(/^(-?\d{1,9})?$/, "a number");

/** What was made from XML has no list around a single one, and nothing in the place of an empty one. */
const listOf = <Item extends z.ZodType>(item: Item) => z.preprocess((value) => (Array.isArray(value) ? value : isGiven(value) ? [value] : []), z.array(item));
const isGiven = (value: unknown): boolean => value !== undefined && value !== null && value !== "";

export const ReportInstance = z.object({
  /** Empty where it is not known. */
  uri: Text,
  method: Text,
  param: Text,
  attack: Text,
  evidence: Text,
  otherinfo: Text,
  "request-header": OptionalText,
  "request-body": OptionalText,
  "response-header": OptionalText,
  "response-body": OptionalText,
});
export type ReportInstance = z.infer<typeof ReportInstance>;

type Fields = Record<string, unknown>;
const isFields = (value: unknown): value is Fields => typeof value === "object" && value !== null && !Array.isArray(value);

/** Until 2.4.3 an alert had no name beside `alert`, until 2.3 a `reliability`; and one that is not merged with others has its place in itself. */
function modernise(value: unknown): unknown {
  if (!isFields(value)) return value;
  const { name, alert, confidence, reliability, instances, uri } = value;
  return {
    ...value,
    name: isGiven(name) ? name : alert,
    confidence: confidence ?? reliability,
    instances: isGiven(instances) || !isGiven(uri) ? instances : value,
  };
}

export const ReportAlert = z.preprocess(
  modernise,
  z.object({
    pluginid: textOf(/^-?\d{1,9}$/, "a number"),
    /** Older versions have none, and it is empty where a person raised the alert. */
    alertRef: textOf(/^(-?[\w-]{1,40})?$/, "a reference").optional(),
    alert: Text.optional(),
    name: Text.refine((name) => fromParagraphs(name) !== "", "is missing"),
    riskcode: textOf(/^[0-3]$/, "a risk of ZAP's, 0 to 3"),
    /** Empty where it is not known. */
    confidence: textOf(/^[0-4]?$/, "a confidence of ZAP's, 0 to 4"),
    riskdesc: Text,
    desc: Text,
    instances: listOf(ReportInstance),
    count: Digits.optional(),
    solution: Text,
    otherinfo: Text,
    reference: Text,
    cweid: Digits,
    wascid: Digits,
    sourceid: Text,
  }),
);
export type ReportAlert = z.infer<typeof ReportAlert>;

/** What Periscan adds to a site of its own reports: how far the scan got, so that a report of a scan that was cut short does not read as a whole one. */
const ScanFacts = z.object({
  outcome: z.enum(["complete", "partial"]),
  reason: z.string().min(1).max(2000).optional(),
  notes: z.array(z.string().min(1).max(2000)).max(50),
  coverage: Coverage,
  /** Each alert's scope, by its reference. */
  scopes: z.record(z.string().max(60), z.string().min(1).max(500)),
});
export type ScanFacts = z.infer<typeof ScanFacts>;

const WrittenSite = z.object({
  "@name": Text,
  "@host": Text,
  "@port": Text,
  "@ssl": Text,
  alerts: listOf(z.unknown()),
  periscan: ScanFacts.optional(),
});
export type WrittenSite = z.infer<typeof WrittenSite>;

const WrittenReport = z.object({
  "@generated": Text,
  /** The same time with its zone, of newer versions. */
  created: Text,
  "@created": Text,
  site: listOf(WrittenSite).refine((sites) => sites.length > 0, "names no site"),
});

/** An alert that cannot be read. */
export interface AlertFault {
  /** The field that is none, such as `riskcode`. */
  field: string;
  /** A sentence that names the alert. */
  text: string;
}

export interface ReportSite extends Omit<WrittenSite, "alerts"> {
  alerts: ReportAlert[];
  faults: AlertFault[];
}

export interface Report {
  /** When it was made, as it says; empty where it does not. */
  generated: string;
  sites: ReportSite[];
}

/** Reads what a report holds. Throws ParseError where it is none, names no site, or has alerts of which none can be read; `what` is such as `a JSON report`. */
export function readReport(value: unknown, what: string): Report {
  const report = WrittenReport.safeParse(value);
  if (!report.success) throw new ParseError(`This is not ${what} of ZAP's with a site in it: ${describeIssue(report.error)}.`, { cause: report.error });
  const sites = report.data.site.map(readAlerts);
  const [fault] = sites.flatMap(({ faults }) => faults);
  if (fault && sites.every(({ alerts }) => alerts.length === 0)) throw new ParseError(`None of the report's alerts can be read. ${fault.text}`);
  return { generated: report.data.created || report.data["@created"] || report.data["@generated"], sites };
}

/** One site's entry of a report. Throws ParseError where it is none. */
export function readWrittenSite(value: unknown): ReportSite {
  const site = WrittenSite.safeParse(value);
  if (!site.success) throw new ParseError(`What ZAP said of this site cannot be read: ${describeIssue(site.error)}.`, { cause: site.error });
  return readAlerts(site.data);
}

function readAlerts(site: WrittenSite): ReportSite {
  const alerts: ReportAlert[] = [];
  const faults: AlertFault[] = [];
  for (const written of site.alerts) {
    const parsed = ReportAlert.safeParse(written);
    if (parsed.success) alerts.push(parsed.data);
    else
      faults.push({
        field: `${String(parsed.error.issues[0]?.path[0] ?? "form").slice(0, 40)}`,
        text: `${nameAlert(written)}: ${describeIssue(parsed.error)}.`,
      });
  }
  return { ...site, alerts, faults };
}

const nameAlert = (written: unknown): string => {
  const { name, alert, pluginid } = isFields(written) ? written : {};
  const [known = "An alert"] = [name, alert, pluginid].filter((text) => typeof text === "string" && text.trim() !== "");
  return `${known}`.slice(0, 100);
};

const describeIssue = ({ issues }: { issues: { path: PropertyKey[]; message: string }[] }): string =>
  `${issues[0]?.path.map(String).join(".").slice(0, 100)} ${issues[0]?.message.slice(0, 200)}`;

/** Text as the paragraphs of HTML that ZAP's reports hold. */
export const toParagraphs = (text: string): string =>
  text
    .split(/\r?\n/)
    .filter((line) => line.trim() !== "")
    .map((line) => `<p>${line.replace(/[&<>]/g, (character) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;" })[character] ?? character)}</p>`)
    .join("");

const entities: Record<string, string> = { lt: "<", gt: ">", quot: '"', apos: "'", "#39": "'", nbsp: " ", amp: "&" };

/** And back. Whatever else looks like markup stays what it is: text. */
export const fromParagraphs = (html: string): string =>
  html
    .replace(/<\/p>\s*<p>/g, "\n")
    .replace(/<\/?p>/g, "")
    .replace(/&(lt|gt|quot|apos|#39|nbsp|amp);/g, (_whole, name: string) => entities[name] ?? "")
    .trim();
