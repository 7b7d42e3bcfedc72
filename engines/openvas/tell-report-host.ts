import type { Outcome } from "@periscan/contract/outcome.ts";
import { ParseError } from "../kit/engine.ts";
import type { Tally } from "../kit/tally.ts";
import { Coverage, keyOf, scopeOf } from "./coverage.ts";
import { isSight, type ScanResult, type TestFacts } from "./read-answers.ts";
import { type Detections, readDetections } from "./read-detections.ts";
import { readServices } from "./read-outcome.ts";

/** What a report says of one host. */
export interface ReportHost {
  results: ScanResult[];
  /** Why results of it are no risks, each in the words of a count. */
  leftOut: string[];
  /** What could not be read, as sentences. */
  faults: string[];
  marker?: Outcome;
  ended: boolean;
  endedAt?: Date;
  errors: string[];
}

/** Quality of detection below which a result of another's report is no risk: Greenbone's default filter. */
const minQod = 70;

const alarmsOf = ({ results }: ReportHost): ScanResult[] => results.filter(({ type }) => type === "alarm");

export const countResults = (host: ReportHost): number => alarmsOf(host).length + host.leftOut.length;

/** The outcome of one host, with each of its results counted. */
export function tellHost(host: ReportHost, facts: ScanFacts, tally: Tally): Outcome {
  tally.read(countResults(host));
  for (const reason of host.leftOut) tally.leaveOut(reason);
  return host.marker ? readOwn(host, host.marker, facts.tests, tally) : readForeign(host, facts, tally);
}

function countDetections({ joined, leftOut }: Detections, tally: Tally): void {
  tally.join(joined);
  for (const { reason, count } of leftOut) tally.leaveOut(reason, count);
}

/** The outcome as Periscan wrote it, with its detections and services read again from the results: a scan looks twice at the ports that are known. */
function readOwn(host: ReportHost, marker: Outcome, tests: ReadonlyMap<string, TestFacts>, tally: Tally): Outcome {
  const coverage = Coverage.safeParse(marker.coverage);
  const alarms = alarmsOf(host);
  if (marker.coverage === undefined) {
    if (alarms.length > 0) tally.leaveOut("of hosts that were not looked at", alarms.length);
    return { ...marker, detections: [] };
  }
  if (!coverage.success || coverage.data.source !== "scan") throw new ParseError("The report's coverage of a host is none.", { cause: coverage.error });
  const looked = coverage.data;
  const isBelow = ({ oid, port }: ScanResult) => looked.below.includes(keyOf(oid, port || "general/tcp"));
  const below = alarms.filter(isBelow).length;
  if (below > 0) tally.leaveOut("with less quality of detection than the scan asked for", below);
  const facts = { tests, minQod: 0, scopeOf: (oid: string, port: string) => scopeOf(oid, port, looked) };
  const found = readDetections(
    alarms.filter((alarm) => !isBelow(alarm)),
    facts,
  );
  countDetections(found, tally);
  return { ...marker, detections: found.detections, observations: readServices(host.results.filter(isSight)) };
}

/** What the report says of its scan. */
export interface ScanFacts {
  status: string;
  errors: string[];
  tests: ReadonlyMap<string, TestFacts>;
}

export function describeErrors(errors: string[]): string {
  const texts = [...new Set(errors)].map((text) => text.replace(/\.$/, "") || "it does not say which");
  return `The report's scan had an error: ${texts.slice(0, 5).join("; ")}.`;
}

/** A report of Greenbone's. It may be filtered and does not say which ports were looked at, so it closes nothing. */
function readForeign(host: ReportHost, { status, errors, tests }: ScanFacts, tally: Tally): Outcome {
  const found = readDetections(alarmsOf(host), { tests, minQod, mayLackQod: true, scopeOf: keyOf });
  countDetections(found, tally);
  const { detections, below, problems } = found;
  const reasons = [
    ...(status === "Done" ? [] : [`The report's scan did not come to its end (${status.slice(0, 50) || "no status"}).`]),
    ...(errors.length === 0 ? [] : [describeErrors(errors)]),
    ...(host.ended ? [] : ["The report does not say that the scan of this host ended."]),
    ...limit([...host.faults, ...problems], "results could not be read"),
    ...limit(
      host.errors.map((text) => `A test failed: ${text}`),
      "tests failed",
    ),
  ];
  const notes = below.length > 0 ? [`${below.length} results with a quality of detection below ${minQod} % are no risk here.`] : [];
  const coverage: Coverage = { source: "report", scopes: detections.map(({ scope }) => scope) };
  const outcome = { notes, coverage, detections };
  return reasons.length === 0 ? { kind: "complete", ...outcome } : { kind: "partial", reason: reasons.join(" ").slice(0, 2000), ...outcome };
}

/** The first of them, and how many more there are, so that no list hides the reasons behind it. */
function limit(texts: string[], what: string): string[] {
  const shown = texts.slice(0, 5).map((text) => (text.length > 250 ? `${text.slice(0, 249)}…` : text));
  return texts.length > shown.length ? [...shown, `${(texts.length - shown.length).toLocaleString("en")} more ${what}.`] : shown;
}
