import { createHash } from "node:crypto";
import type { Outcome } from "@periscan/contract/outcome.ts";
import { escapeXml } from "./osp-client.ts";
import type { ScanResult, TestFacts } from "./read-answers.ts";
import type { HostReport } from "./read-outcome.ts";
import { rateScore, readScore } from "./threat-levels.ts";

/** The marker's element and test id: GMP gives results without a test the id 0. */
export const markerElement = "periscan";

/**
 * The part of one host in a report as GMP's `get_reports` gives it: its results, in the order in which they came. The first one says how far
 * the scan of the host got; readers of such reports show it as a log entry, and `read-openvas-xml.ts` reads the outcome from it.
 */
export function writeHostResults(host: HostReport, outcome: Outcome, tests: ReadonlyMap<string, TestFacts>): string {
  const { kind, reason, notes, coverage } = outcome;
  const marker = JSON.stringify({ kind, ...(reason === undefined ? {} : { reason }), notes, ...(coverage === undefined ? {} : { coverage }) });
  const text = reason === undefined ? "The host was scanned to the end." : `The outcome is ${kind}. ${reason}`;
  const parts = [
    `<result id="${makeId(host.address, "0")}"><name>Scan of the host</name><host>${host.address}<asset asset_id=""/><hostname></hostname></host><port>general/tcp</port>` +
      `<nvt oid="0"><type>nvt</type><name>Scan of the host</name><family></family><cvss_base>0.0</cvss_base><tags></tags></nvt>` +
      `<threat>Log</threat><severity>0.0</severity><qod><value>100</value><type></type></qod><description>${escapeXml(text)}</description>` +
      `<${markerElement}>${escapeXml(marker)}</${markerElement}></result>`,
  ];
  for (const [index, result] of host.results.entries()) {
    if (result.type === "detail" || result.name === "HOST_START" || result.name === "HOST_END") continue;
    parts.push(writeResult(result, tests.get(result.oid), `${index}`));
  }
  return parts.join("\n");
}

const threats: Record<string, string> = { CRITICAL: "Critical", HIGH: "High", MEDIUM: "Medium", LOW: "Low", NONE: "Log" };

function writeResult(result: ScanResult, test: TestFacts | undefined, index: string): string {
  const { type, host, hostname, port, oid, severity, qod, uri, text } = result;
  const score = readScore(severity);
  // `Alarm` is GMP's word for a result that should have a level and has none that is known.
  const threat =
    type === "error" ? "Error" : type === "log" ? "Log" : score === undefined ? "Alarm" : score === 0 ? "Alarm" : (threats[rateScore(score)] ?? "Alarm");
  const name = escapeXml(test?.name || result.name);
  return (
    `<result id="${makeId(host, oid, port, index)}"><name>${name}</name><host>${host}<asset asset_id=""/><hostname>${escapeXml(hostname)}</hostname></host><port>${escapeXml(port)}</port>` +
    `${uri === "" ? "" : `<path>${escapeXml(uri)}</path>`}${writeTest(oid, name, test)}<threat>${threat}</threat><severity>${escapeXml(severity)}</severity>` +
    `<qod><value>${escapeXml(qod)}</value><type>${escapeXml(test?.qodType ?? "")}</type></qod><description>${escapeXml(text)}</description></result>`
  );
}

function writeTest(oid: string, name: string, test: TestFacts | undefined): string {
  const head = `<nvt oid="${escapeXml(oid || "0")}"><type>nvt</type><name>${name}</name>`;
  if (!test) return `${head}<family></family><cvss_base></cvss_base><tags></tags></nvt>`;
  const { family, vector, summary, insight, affected, impact, method, solution, solutionType, cves, urls } = test;
  const tags = { cvss_base_vector: vector, summary, insight, affected, impact, solution, vuldetect: method, solution_type: solutionType };
  const tagText = Object.entries(tags)
    .filter(([, value]) => value !== "")
    .map(([tag, value]) => `${tag}=${value}`)
    .join("|");
  const references = [...cves.map((id) => `<ref type="cve" id="${escapeXml(id)}"/>`), ...urls.map((id) => `<ref type="url" id="${escapeXml(id)}"/>`)].join("");
  return (
    `${head}<family>${escapeXml(family)}</family><severities><severity type="${/^CVSS:/.test(vector) ? "cvss_base_v3" : "cvss_base_v2"}"><value>${escapeXml(vector)}</value></severity></severities>` +
    `<tags>${escapeXml(tagText)}</tags><solution type="${escapeXml(solutionType)}">${escapeXml(solution)}</solution><refs>${references}</refs></nvt>`
  );
}

/** The same result has the same id in the file, however often it is written. */
function makeId(...parts: string[]): string {
  const hex = createHash("sha256").update(parts.join("\n")).digest("hex");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}
