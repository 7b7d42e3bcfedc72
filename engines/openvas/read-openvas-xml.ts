import { Outcome } from "@periscan/contract/outcome.ts";
import { parseAddress } from "@periscan/contract/target-syntax.ts";
import { ParseError } from "../kit/engine.ts";
import { createXmlReader } from "../kit/read-xml.ts";
import { Coverage, keyOf, scopeOf } from "./coverage.ts";
import { childText, findChild, type OspElement } from "./osp-client.ts";
import { isSight, readCves, readOid, readPort, readUrls, type ScanResult, type TestFacts } from "./read-answers.ts";
import { readDetections } from "./read-detections.ts";
import { readServices } from "./read-outcome.ts";
import { markerElement } from "./write-result.ts";

export interface ReportOutcome {
  address: string;
  /** When the scan of the host ended, or else the whole scan. */
  observedAt?: Date;
  outcome: Outcome;
}

/** Quality of detection below which a result of another's report is no risk: Greenbone's default filter. */
const minQod = 70;

const mostResults = 200_000;

/**
 * Reads a report as GMP's `get_reports` gives it: ours, or an export of Greenbone's, with or without the wrappers around it. The outcomes come
 * at the end, for only there it says whether the scan came to its end. Throws ParseError where it is malformed, cut off, or none.
 */
export async function* readOpenvasXml(chunks: AsyncIterable<Uint8Array>): AsyncIterable<ReportOutcome> {
  const report = createReport();
  const tree = createRecords((record, parent) => report.take(record, parent));
  const xml = createXmlReader(tree);
  for await (const chunk of chunks) xml.write(chunk);
  xml.end();
  yield* report.finish();
}

/** What is read as a whole, by the element that it stands in. */
const records: Record<string, string[]> = {
  results: ["result"],
  errors: ["error"],
  report: ["host", "scan_run_status", "scan_end"],
};

const mostRecordElements = 5000;

/** Gives each record as a tree when it closes, so that no more than one of them is held. */
function createRecords(take: (record: OspElement, parent: string) => void) {
  const path: string[] = [];
  const open: OspElement[] = [];
  let count = 0;
  return {
    open: (name: string, attributes: Record<string, string>, depth: number) => {
      if (depth === 1 && name !== "report" && name !== "get_reports_response")
        throw new ParseError(`This is not an OpenVAS report: its root is <${name.slice(0, 50)}>.`);
      const starts = open.length === 0 && records[path.at(-1) ?? ""]?.includes(name) && (path.at(-1) !== "results" || path.at(-2) === "report");
      path.push(name);
      if (!starts && open.length === 0) return;
      count = open.length === 0 ? 1 : count + 1;
      if (count > mostRecordElements) throw new ParseError("A result of the report has more than 5,000 elements.");
      const element = { name, attributes, text: "", children: [] };
      open.at(-1)?.children.push(element);
      open.push(element);
    },
    text: (_name: string, text: string) => {
      const current = open.at(-1);
      if (current) current.text += text;
    },
    close: () => {
      path.pop();
      const closed = open.pop();
      if (closed && open.length === 0) take(closed, path.at(-1) ?? "");
    },
  };
}

interface ReportHost {
  results: ScanResult[];
  marker?: Outcome;
  ended: boolean;
  endedAt?: Date;
  errors: string[];
}

function createReport() {
  const hosts = new Map<string, ReportHost>();
  const tests = new Map<string, TestFacts>();
  /** Of the scan as a whole, such as that it could not start: gvmd writes those with an empty host. */
  const errors: string[] = [];
  let status: string | undefined;
  let scanEnd: Date | undefined;
  let results = 0;
  const hostOf = (text: string): ReportHost => {
    const address = parseAddress(text.trim());
    if (address === undefined) throw new ParseError(`The report has a host that is no address: ${text.slice(0, 50)}.`);
    const host = hosts.get(address) ?? { results: [], ended: false, errors: [] };
    hosts.set(address, host);
    return host;
  };

  function take(record: OspElement, parent: string): void {
    if (record.name === "scan_run_status") {
      if (status !== undefined) throw new ParseError("The file has more than one report; import them one by one.");
      status = record.text;
    } else if (record.name === "scan_end") scanEnd = readTime(record.text);
    else if (parent === "report") takeHost(record);
    else if (parent === "errors") takeError(record);
    else takeResult(record);
  }

  function takeError(record: OspElement): void {
    const [host, text] = [childText(record, "host").trim(), childText(record, "description").slice(0, 300)];
    (host === "" ? errors : hostOf(host).errors).push(text);
  }

  function takeHost(record: OspElement): void {
    const host = hostOf(childText(record, "ip"));
    const end = childText(record, "end");
    host.ended ||= end !== "";
    const endedAt = readTime(end);
    if (endedAt) host.endedAt = endedAt;
  }

  function takeResult(record: OspElement): void {
    results += 1;
    if (results > mostResults) throw new ParseError(`The report has more than ${mostResults.toLocaleString("en")} results.`);
    const host = hostOf(childText(record, "host"));
    const marker = findChild(record, markerElement);
    if (marker) {
      host.marker = readMarker(marker.text);
      return;
    }
    const result = readResult(record);
    host.results.push(result);
    if (result.oid !== "") tests.set(result.oid, readTestFacts(record, result));
  }

  function* finish(): Iterable<ReportOutcome> {
    if (status === undefined) throw new ParseError("The report does not say how its scan ended.");
    if (hosts.size === 0 && errors.length > 0) throw new ParseError(`The report has no host. ${describeErrors(errors)}`);
    for (const [address, host] of hosts) {
      const at = host.endedAt ?? scanEnd;
      const outcome = check(host.marker ? readOwn(host, host.marker, tests) : readForeign(host, { status, errors, tests }));
      yield { address, ...(at ? { observedAt: at } : {}), outcome };
    }
  }
  return { take, finish };
}

const readTime = (text: string): Date | undefined => (/^\d{4}-\d\d-\d\dT/.test(text) && !Number.isNaN(Date.parse(text)) ? new Date(text) : undefined);

function check(outcome: Outcome): Outcome {
  const parsed = Outcome.safeParse(outcome);
  if (!parsed.success) throw new ParseError("The report has a result that is not within bounds.", { cause: parsed.error });
  return parsed.data;
}

const alarmThreats = new Set(["Critical", "High", "Medium", "Low", "Alarm"]);

function readResult(record: OspElement): ScanResult {
  const threat = childText(record, "threat");
  const type = alarmThreats.has(threat) ? "alarm" : threat === "Error" ? "error" : "log";
  if (type === "log" && !["Log", "Debug", "False Positive"].includes(threat))
    throw new ParseError(`The report has a threat that is not known: ${threat.slice(0, 50)}.`);
  const test = findChild(record, "nvt");
  const oid = readOid(test?.attributes.oid ?? "");
  return {
    type,
    host: parseAddress(childText(record, "host").trim()) ?? "",
    hostname: "",
    port: readPort(childText(record, "port")),
    oid: oid === "0" ? "" : oid,
    name: (childText(test, "name") || childText(record, "name")).slice(0, 500),
    severity: childText(record, "severity").slice(0, 20),
    qod: childText(findChild(record, "qod"), "value").slice(0, 20),
    uri: childText(record, "path").slice(0, 2048),
    text: childText(record, "description"),
  };
}

const tagNames = "cvss_base_vector|summary|insight|affected|impact|solution|vuldetect|solution_type";

/** What `<nvt>` says. Its tags stand in one text, parted by bars; a bar inside a value is one that no name follows. */
function readTestFacts(record: OspElement, { oid, name }: ScanResult): TestFacts {
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
    cves: readCves(ofType("cve")),
    urls: readUrls(ofType("url")),
  };
}

function readMarker(text: string): Outcome {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new ParseError("The report's outcome of a host cannot be read.", { cause });
  }
  const parsed = Outcome.safeParse({ ...(value as object), detections: [] });
  if (!parsed.success) throw new ParseError("The report's outcome of a host is none.", { cause: parsed.error });
  return parsed.data;
}

/** The outcome as Periscan wrote it, with its detections and services read again from the results: a scan looks twice at the ports that are known. */
function readOwn(host: ReportHost, marker: Outcome, tests: ReadonlyMap<string, TestFacts>): Outcome {
  const coverage = Coverage.safeParse(marker.coverage);
  if (marker.coverage === undefined) return { ...marker, detections: [] };
  if (!coverage.success || coverage.data.source !== "scan") throw new ParseError("The report's coverage of a host is none.", { cause: coverage.error });
  const looked = coverage.data;
  const alarms = host.results.filter(({ type, oid, port }) => type === "alarm" && !looked.below.includes(keyOf(oid, port || "general/tcp")));
  const { detections } = readDetections(alarms, { tests, minQod: 0, scopeOf: (oid, port) => scopeOf(oid, port, looked) });
  const observations = readServices(host.results.filter(isSight));
  return { ...marker, detections, observations };
}

interface ScanFacts {
  status: string;
  errors: string[];
  tests: ReadonlyMap<string, TestFacts>;
}

function describeErrors(errors: string[]): string {
  const texts = [...new Set(errors)].map((text) => text.replace(/\.$/, "") || "it does not say which");
  return `The report's scan had an error: ${texts.slice(0, 5).join("; ")}.`;
}

/** A report of Greenbone's. It may be filtered and does not say which ports were looked at, so it closes nothing. */
function readForeign(host: ReportHost, { status, errors, tests }: ScanFacts): Outcome {
  const alarms = host.results.filter(({ type }) => type === "alarm");
  const { detections, below, problems } = readDetections(alarms, { tests, minQod, scopeOf: keyOf });
  const reasons = [
    ...(status === "Done" ? [] : [`The report's scan did not come to its end (${status.slice(0, 50) || "no status"}).`]),
    ...(errors.length === 0 ? [] : [describeErrors(errors)]),
    ...(host.ended ? [] : ["The report does not say that the scan of this host ended."]),
    ...problems.slice(0, 5),
    ...host.errors.slice(0, 5).map((text) => `A test failed: ${text}`),
  ];
  const notes = below.length > 0 ? [`${below.length} results with a quality of detection below ${minQod} % are no risk here.`] : [];
  const coverage: Coverage = { source: "report", scopes: detections.map(({ scope }) => scope) };
  const outcome = { notes, coverage, detections };
  return reasons.length === 0 ? { kind: "complete", ...outcome } : { kind: "partial", reason: reasons.join(" ").slice(0, 2000), ...outcome };
}
