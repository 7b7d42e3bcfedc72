import { parseAddress } from "@periscan/contract/target-syntax.ts";
import { childText, findChild, type OspElement } from "./osp-client.ts";
import { isTestId, readCves, readPort, readUrls, type ScanResult, type TestFacts } from "./read-answers.ts";
import { readScore } from "./threat-levels.ts";

/** One `<result>` of a report. */
export interface ReportResult {
  /** Absent where it cannot be read. */
  result?: ScanResult;
  /** Why it is no risk, in the words of a count; absent for an alarm. */
  leftOut?: string;
  /** Why it cannot be read, as a sentence. */
  fault?: string;
}

type Kind = ScanResult["type"] | "false";

const kinds: Partial<Record<string, Kind>> = {
  Critical: "alarm",
  High: "alarm",
  Medium: "alarm",
  Low: "alarm",
  Alarm: "alarm",
  Log: "log",
  Debug: "log",
  "False Positive": "false",
  Error: "error",
};
/** GMP's severities that are no scores. */
const kindsBySeverity: Partial<Record<string, Kind>> = { "-1": "false", "-2": "log", "-3": "error" };
const levels: Partial<Record<string, ScanResult["level"]>> = { Critical: "CRITICAL", High: "HIGH", Medium: "MEDIUM", Low: "LOW" };

const own = <Value>(table: Partial<Record<string, Value>>, key: string): Value | undefined => (Object.hasOwn(table, key) ? table[key] : undefined);

const words: Partial<Record<Kind, string>> = {
  log: "log entries, which are no risk",
  false: "called false positives in the report",
  error: "errors of tests",
};

/** Reads a result as far as it can be read. Old reports have no quality of detection, no severity beside the test's, and the name of the port's service. */
export function readReportResult(record: OspElement): ReportResult {
  const test = findChild(record, "nvt");
  const name = (childText(test, "name") || childText(record, "name")).slice(0, 500);
  const [threat, given, portText] = ["threat", "severity", "port"].map((child) => childText(record, child).trim()) as [string, string, string];
  const level = own(levels, threat);
  const severity = chooseSeverity([given, childText(test, "cvss_base").trim()], level);
  const kind = own(kinds, threat) ?? findKind(severity);
  const fail = (leftOut: string, what: string): ReportResult => ({ leftOut, fault: `${name.slice(0, 200) || "A result"} ${what}.` });
  if (!kind)
    return fail(
      "without a threat and a severity that are known",
      `has neither a threat nor a severity that is known: ${(threat || severity || "none").slice(0, 50)}`,
    );
  const port = readReportPort(portText);
  if (port === undefined) return fail("with a port that is none", `has a port that is none: ${portText.slice(0, 50)}`);
  const oid = (test?.attributes.oid ?? "").trim();
  if (!isTestId(oid)) return fail("with a test whose id is none", "is of a test whose id is none");
  const result: ScanResult = {
    type: kind === "false" ? "log" : kind,
    host: parseAddress(childText(record, "host").trim()) ?? "",
    hostname: "",
    port,
    oid: oid === "0" ? "" : oid,
    name,
    severity: severity.slice(0, 20),
    qod: childText(findChild(record, "qod"), "value").slice(0, 20),
    uri: childText(record, "path").slice(0, 2048),
    text: childText(record, "description"),
    ...(level ? { level } : {}),
  };
  const leftOut = own(words, kind);
  return { result, ...(leftOut === undefined ? {} : { leftOut }) };
}

/** The result's own, or else the test's. A score of 0 does not go with a level that is more. */
function chooseSeverity(texts: string[], level: ScanResult["level"]): string {
  if (level === undefined) return texts.find((text) => text !== "") ?? "";
  return texts.find((text) => (readScore(text) ?? 0) > 0) ?? "";
}

function findKind(severity: string): Kind | undefined {
  const score = readScore(severity);
  if (score !== undefined) return score > 0 ? "alarm" : "log";
  return own(kindsBySeverity, severity.replace(/\.0+$/, ""));
}

/** `80/tcp`; old reports have a name beside it, `http (80/tcp)` or `445/tcp (IANA: microsoft-ds)`. */
function readReportPort(text: string): string | undefined {
  return readPort(text) ?? readPort(/\(([^()\s]+\/[^()\s]+)\)$/.exec(text)?.[1] ?? "-") ?? readPort(/^(\S+\/\S+)\s*\(.*\)$/.exec(text)?.[1] ?? "-");
}

const tagNames = "cvss_base_vector|summary|insight|affected|impact|solution|vuldetect|solution_type";

/** What `<nvt>` says. Its tags stand in one text, parted by bars; a bar inside a value is one that no name follows. Old reports list references as text. */
export function readTestFacts(record: OspElement, { oid, name }: ScanResult): TestFacts {
  const test = findChild(record, "nvt");
  const pairs = childText(test, "tags")
    .split(new RegExp(`\\|(?=(?:${tagNames})=)`))
    .map((tag): [string, string] => [tag.slice(0, tag.indexOf("=")), tag.slice(tag.indexOf("=") + 1)]);
  const tags = new Map(pairs);
  const tag = (key: string) => tags.get(key)?.trim() ?? "";
  const references = findChild(test, "refs")?.children ?? [];
  const ofType = (type: string) => references.filter(({ attributes }) => attributes.type === type).map(({ attributes }) => attributes.id ?? "");
  const solution = findChild(test, "solution");
  const severity = findChild(findChild(test, "severities"), "severity");
  const links = childText(test, "xref").split(/,\s*(?=[A-Za-z-]+:)/);
  const bids = [...ofType("bid"), ...childText(test, "bid").split(/[,\s]+/)].filter((text) => /^\d{1,9}$/.test(text));
  return {
    oid,
    name,
    family: childText(test, "family"),
    summary: tag("summary"),
    insight: tag("insight"),
    impact: tag("impact"),
    affected: tag("affected"),
    solution: solution?.text || tag("solution"),
    solutionType: solution?.attributes.type || tag("solution_type"),
    method: tag("vuldetect"),
    qodType: childText(findChild(record, "qod"), "type"),
    vector: childText(severity, "value") || tag("cvss_base_vector"),
    // A scan of products against the list of CVEs has the CVE in the place of a test.
    cves: readCves([oid, ...ofType("cve"), ...childText(test, "cve").split(/[,\s]+/)]),
    urls: readUrls([...ofType("url"), ...links.map((link) => link.trim().replace(/^URL:\s*/, ""))]),
    ...(bids.length > 0 ? { bids: [...new Set(bids)].slice(0, 150) } : {}),
  };
}
