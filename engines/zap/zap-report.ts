import { z } from "zod";
import { Coverage } from "./coverage.ts";

/**
 * ZAP's JSON report (`traditional-json`, and `traditional-json-plus` with requests and responses), as far as it is read here. What ZAP adds later is
 * let through. https://www.zaproxy.org/docs/desktop/addons/report-generation/report-traditional-json-plus/
 */
const Text = z.string();
const Digits = z.string().regex(/^-?\d{1,9}$/);

export const ReportInstance = z.object({
  uri: Text,
  method: Text.default(""),
  param: Text.default(""),
  attack: Text.default(""),
  evidence: Text.default(""),
  otherinfo: Text.default(""),
  "request-header": Text.optional(),
  "request-body": Text.optional(),
  "response-header": Text.optional(),
  "response-body": Text.optional(),
});
export type ReportInstance = z.infer<typeof ReportInstance>;

export const ReportAlert = z.object({
  pluginid: Digits,
  /** Older versions have none, and it is empty where a person raised the alert. */
  alertRef: z
    .string()
    .regex(/^(-?[\w-]{1,40})?$/)
    .optional(),
  alert: Text.optional(),
  name: Text,
  riskcode: z.string().regex(/^[0-3]$/),
  confidence: z.string().regex(/^[0-4]$/),
  riskdesc: Text.default(""),
  desc: Text.default(""),
  instances: z.array(ReportInstance).max(100_000),
  count: Digits.optional(),
  solution: Text.default(""),
  otherinfo: Text.default(""),
  reference: Text.default(""),
  cweid: Digits.default("0"),
  wascid: Digits.default("0"),
  sourceid: Text.default(""),
});
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

export const ReportSite = z.object({
  "@name": z.string().min(1).max(500),
  "@host": z.string().max(500),
  "@port": Digits,
  "@ssl": z.enum(["true", "false"]),
  alerts: z.array(ReportAlert).max(10_000),
  periscan: ScanFacts.optional(),
});
export type ReportSite = z.infer<typeof ReportSite>;

export const Report = z.object({
  "@programName": z.string().max(100).optional(),
  "@version": z.string().max(100),
  "@generated": z.string().max(200),
  /** The same time with its zone, of newer versions. */
  created: z.string().max(100).optional(),
  "@created": z.string().max(100).optional(),
  site: z.array(ReportSite).min(1).max(5000),
});
export type Report = z.infer<typeof Report>;

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
