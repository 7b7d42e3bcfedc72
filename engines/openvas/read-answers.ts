import type { ThreatLevel } from "@periscan/contract/risk.ts";
import { parseAddress } from "@periscan/contract/target-syntax.ts";
import { ParseError } from "../kit/engine.ts";
import { findChild, type OspElement } from "./osp-client.ts";

/** One result of a scan, as it came. */
export interface ScanResult {
  type: "alarm" | "log" | "error" | "detail";
  /** The host's address in canonical form; empty for a result of the scan itself. */
  host: string;
  hostname: string;
  /** Such as `8080/tcp` or `general/tcp`; empty where it has none. */
  port: string;
  oid: string;
  name: string;
  /** As the scanner wrote them: a number, or nothing where it does not know. */
  severity: string;
  qod: string;
  uri: string;
  text: string;
  /** What a report calls it, for where it has no score. */
  level?: ThreatLevel;
}

/** Whether a test told it, of what it saw. */
export const isSight = ({ type, oid }: ScanResult): boolean => (type === "alarm" || type === "log") && oid !== "";

/** What `get_scans` answers of one scan. */
export interface ScanState {
  status: "queued" | "init" | "running" | "stopped" | "finished" | "interrupted";
  /** 0 to 1. */
  progress: number;
  /** Hosts that did not answer the test whether they are there. */
  dead: number;
  results: ScanResult[];
}

const statuses = new Set(["queued", "init", "running", "stopped", "finished", "interrupted"]);
const types: Record<string, ScanResult["type"]> = { Alarm: "alarm", "Log Message": "log", "Error Message": "error", "Host Detail": "detail" };

/** Throws ParseError on anything that is not the state of the scan that was asked for. */
export function readScanState(answer: OspElement, scanId?: string): ScanState {
  const { scan, status } = readScan(answer, scanId);
  const { progress = "" } = scan.attributes;
  if (!/^-?\d{1,3}$/.test(progress)) throw new ParseError("The scanner's scan has no progress.");
  const results = findChild(scan, "results");
  if (!results) throw new ParseError("The scanner's answer has no results.");
  return { status, progress: Math.min(1, Math.max(0, Number(progress) / 100)), dead: readCount(scan), results: results.children.map(readResult) };
}

/** The state's name alone, of an answer without details. */
export const readScanStatus = (answer: OspElement, scanId: string): ScanState["status"] => readScan(answer, scanId).status;

function readScan(answer: OspElement, scanId: string | undefined): { scan: OspElement; status: ScanState["status"] } {
  const scan = findChild(answer, "scan");
  if (answer.name !== "get_scans_response" || !scan) throw new ParseError("The scanner's answer has no scan.");
  const { id, status = "" } = scan.attributes;
  if (scanId !== undefined && id !== scanId) throw new ParseError("The scanner answers of another scan.");
  if (!statuses.has(status)) throw new ParseError(`The scanner's scan has a state that is not known: ${status.slice(0, 50)}.`);
  return { scan, status: status as ScanState["status"] };
}

function readCount(scan: OspElement): number {
  const text = findChild(findChild(scan, "progress"), "count_dead")?.text ?? "0";
  if (!/^\d{1,7}$/.test(text)) throw new ParseError("The scanner's count of dead hosts is no number.");
  return Number(text);
}

function readResult({ name: element, attributes, text }: OspElement): ScanResult {
  const type = Object.hasOwn(types, attributes.type ?? "") ? types[attributes.type ?? ""] : undefined;
  if (element !== "result" || !type) throw new ParseError(`The scanner has a result of a type that is not known: ${String(attributes.type).slice(0, 50)}.`);
  const { host = "", hostname = "", port = "", test_id = "", name = "", severity = "", qod = "", uri = "" } = attributes;
  const address = host === "" ? "" : parseAddress(host);
  if (address === undefined) throw new ParseError("A result of the scanner has a host that is no address.");
  return {
    type,
    host: address,
    // The scanner escapes what is in attributes once more than XML does.
    hostname: unescapeOnce(hostname).slice(0, 500),
    // Results of the scan as a whole have a space for a port.
    port: requirePort(port.trim()),
    oid: readOid(test_id),
    name: unescapeOnce(name).slice(0, 500),
    severity: severity.slice(0, 20),
    qod: qod.slice(0, 20),
    uri: unescapeOnce(uri).slice(0, 2048),
    text,
  };
}

function requirePort(text: string): string {
  const port = readPort(text);
  if (port === undefined) throw new ParseError(`A result has a port that is none: ${text.slice(0, 50)}.`);
  return port;
}

/** The port as it is written; undefined where it is none. */
export function readPort(text: string): string | undefined {
  if (text !== "" && !/^(general|package|\d{1,5})(\/[A-Za-z0-9-]{1,20})?$/.test(text)) return undefined;
  return /^\d/.test(text) && Number.parseInt(text, 10) > 65_535 ? undefined : text;
}

function readOid(text: string): string {
  if (!isTestId(text)) throw new ParseError("A result has a test whose id is none.");
  return text;
}

/** Most are dotted numbers; a report may have a name in their place. */
export const isTestId = (text: string): boolean => text.length <= 200 && !/[^\x20-\x7e]/.test(text);

const entities: Record<string, string> = { "&lt;": "<", "&gt;": ">", "&quot;": '"', "&apos;": "'", "&amp;": "&" };
const unescapeOnce = (text: string): string => text.replace(/&(lt|gt|quot|apos|amp);/g, (entity) => entities[entity] ?? entity);

/** What the feed says of one test. */
export interface TestFacts {
  oid: string;
  name: string;
  family: string;
  summary: string;
  insight: string;
  impact: string;
  affected: string;
  solution: string;
  solutionType: string;
  /** How it looks. */
  method: string;
  qodType: string;
  /** As the feed writes it, of CVSS 3 where there is one. */
  vector: string;
  cves: string[];
  urls: string[];
  /** Numbers of Bugtraq, which old reports have. */
  bids?: string[];
}

const mostReferences = 150;

/** Reads one `<vt>` of `get_vts`. */
export function readTest(vt: OspElement): TestFacts {
  const oid = readOid(vt.attributes.id ?? "");
  if (vt.name !== "vt" || oid === "") throw new ParseError("The scanner describes a test without an id.");
  const text = (name: string) => findChild(vt, name)?.text ?? "";
  const references = findChild(vt, "refs")?.children ?? [];
  const ofType = (type: string) => references.filter(({ attributes }) => attributes.type === type).map(({ attributes }) => attributes.id ?? "");
  const severities = findChild(vt, "severities")?.children ?? [];
  const severity = severities.find(({ attributes }) => attributes.type !== "cvss_base_v2") ?? severities[0];
  return {
    oid,
    name: text("name"),
    family: findChild(findChild(vt, "custom"), "family")?.text ?? "",
    summary: text("summary"),
    insight: text("insight"),
    impact: text("impact"),
    affected: text("affected"),
    solution: text("solution"),
    solutionType: findChild(vt, "solution")?.attributes.type ?? "",
    method: text("detection"),
    qodType: findChild(vt, "detection")?.attributes.qod_type ?? "",
    vector: findChild(severity, "value")?.text ?? "",
    cves: readCves(ofType("cve")),
    urls: readUrls(ofType("url")),
  };
}

export const readCves = (texts: string[]): string[] => [...new Set(texts.filter((text) => /^CVE-\d{4}-\d{4,10}$/.test(text)))].slice(0, mostReferences);

export const readUrls = (texts: string[]): string[] =>
  [...new Set(texts.filter((text) => /^https?:\/\/[^\s<>"]+$/.test(text) && text.length <= 2048 && URL.canParse(text)))].slice(0, mostReferences);
