import { Outcome } from "@periscan/contract/outcome.ts";
import { parseAddress } from "@periscan/contract/target-syntax.ts";
import { ParseError } from "../kit/engine.ts";
import { createXmlReader } from "../kit/read-xml.ts";
import { createTally, type Tally } from "../kit/tally.ts";
import { childText, findChild, type OspElement } from "./osp-client.ts";
import type { TestFacts } from "./read-answers.ts";
import { readReportResult, readTestFacts } from "./read-report-result.ts";
import { createRecords } from "./report-records.ts";
import { countResults, describeErrors, type ReportHost, type ScanFacts, tellHost } from "./tell-report-host.ts";
import { markerElement } from "./write-result.ts";

export interface ReportOutcome {
  address: string;
  /** When the scan of the host ended, or else the whole scan. */
  observedAt?: Date;
  outcome: Outcome;
}

const mostResults = 200_000;

/** A whole report, whose hosts are told one by one. */
export interface OpenvasReport {
  addresses: string[];
  /** What it says of one of its hosts, with its results counted. */
  tell(address: string, tally: Tally): ReportOutcome;
  /** Counts the results of a host that is not told. */
  leaveOut(address: string, reason: string, tally: Tally): void;
  /** Counts the results of hosts that are no address. */
  countStrange(tally: Tally): void;
}

/**
 * Reads a report as GMP's `get_reports` gives it: ours, or an export of Greenbone's, with or without the wrappers around it. The hosts come
 * at the end, for only there it says whether the scan came to its end. Throws ParseError where it is malformed, cut off, or none.
 */
export async function readOpenvasReport(chunks: AsyncIterable<Uint8Array>): Promise<OpenvasReport> {
  const report = createReport();
  const xml = createXmlReader(createRecords((record, parent) => report.take(record, parent)));
  for await (const chunk of chunks) xml.write(chunk);
  xml.end();
  return report.finish();
}

/** Every host of a report. */
export async function* readOpenvasXml(chunks: AsyncIterable<Uint8Array>): AsyncIterable<ReportOutcome> {
  const report = await readOpenvasReport(chunks);
  for (const address of report.addresses) yield report.tell(address, createTally());
}

function createReport() {
  const hosts = new Map<string, ReportHost>();
  const tests = new Map<string, TestFacts>();
  /** How many results there are of hosts that are no address. */
  const strange = new Map<string, number>();
  /** Of the scan as a whole, such as that it could not start: gvmd writes those with an empty host. */
  const errors: string[] = [];
  let status: string | undefined;
  let scanEnd: Date | undefined;
  let results = 0;
  const hostOf = (text: string): ReportHost | undefined => {
    const address = parseAddress(text.trim());
    if (address === undefined) return undefined;
    const host = hosts.get(address) ?? { results: [], leftOut: [], faults: [], ended: false, errors: [] };
    hosts.set(address, host);
    return host;
  };
  const noteStrange = (text: string, count: number) => strange.set(text.trim(), (strange.get(text.trim()) ?? 0) + count);

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
    const [name, text] = [childText(record, "host").trim(), childText(record, "description").slice(0, 300)];
    const host = hostOf(name);
    if (host) host.errors.push(text);
    else errors.push(name === "" ? text : `${name.slice(0, 100)}: ${text}`);
  }

  function takeHost(record: OspElement): void {
    const host = hostOf(childText(record, "ip"));
    if (!host) {
      noteStrange(childText(record, "ip"), 0);
      return;
    }
    const end = childText(record, "end");
    host.ended ||= end !== "";
    const endedAt = readTime(end);
    if (endedAt) host.endedAt = endedAt;
  }

  function takeResult(record: OspElement): void {
    results += 1;
    if (results > mostResults) throw new ParseError(`The report has more than ${mostResults.toLocaleString("en")} results.`);
    const host = hostOf(childText(record, "host"));
    if (!host) {
      noteStrange(childText(record, "host"), 1);
      return;
    }
    const marker = findChild(record, markerElement);
    if (marker) {
      host.marker = readMarker(marker.text);
      return;
    }
    const { result, leftOut, fault } = readReportResult(record);
    if (leftOut !== undefined) host.leftOut.push(leftOut);
    if (fault !== undefined) host.faults.push(fault);
    if (!result) return;
    if (result.type === "error") host.errors.push(result.text.slice(0, 300));
    host.results.push(result);
    if (result.oid !== "") tests.set(result.oid, readTestFacts(record, result));
  }

  function finish(): OpenvasReport {
    if (status === undefined) throw new ParseError("The report does not say how its scan ended.");
    const [name] = strange.keys();
    if (hosts.size === 0 && name !== undefined)
      throw new ParseError(`The report has no host that is an address: ${name.slice(0, 100) || "it does not name it"}.`);
    if (hosts.size === 0) throw new ParseError(`The report has no host.${errors.length > 0 ? ` ${describeErrors(errors)}` : ""}`);
    const facts: ScanFacts = { status, errors, tests };
    return {
      addresses: [...hosts.keys()],
      tell: (address, tally) => {
        const host = getHost(address);
        const at = host.endedAt ?? scanEnd;
        return { address, ...(at ? { observedAt: at } : {}), outcome: check(tellHost(host, facts, tally)) };
      },
      leaveOut: (address, reason, tally) => {
        const host = getHost(address);
        const count = countResults(host);
        tally.read(count);
        if (count > 0) tally.leaveOut(reason, count);
      },
      countStrange: (tally) => {
        for (const [text, count] of strange) {
          tally.read(count);
          if (count > 0) tally.leaveOut(`of a host that is no address: ${text.slice(0, 60) || "it is not named"}`, count);
        }
      },
    };
  }

  function getHost(address: string): ReportHost {
    const host = hosts.get(address);
    if (!host) throw new Error(`The report has no host ${address}.`);
    return host;
  }
  return { take, finish };
}

const readTime = (text: string): Date | undefined => (/^\d{4}-\d\d-\d\dT/.test(text) && !Number.isNaN(Date.parse(text)) ? new Date(text) : undefined);

function check(outcome: Outcome): Outcome {
  const parsed = Outcome.safeParse(outcome);
  if (!parsed.success) throw new ParseError("The report has a result that is not within bounds.", { cause: parsed.error });
  return parsed.data;
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
