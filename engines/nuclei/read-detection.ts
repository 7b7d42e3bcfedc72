import { createHash } from "node:crypto";
import type { Detection } from "@periscan/contract/outcome.ts";
import { cleanText, cutText } from "./clean-text.ts";
import { makeScope } from "./coverage.ts";
import type { NucleiResult } from "./read-result.ts";
import { readThreatLevel, type Severity, severities } from "./threat-levels.ts";
import type { Detail } from "./view.ts";

export interface Hit {
  result: NucleiResult;
  /** The site, or `tcp:PORT`. */
  place: string;
  /** The template puts random text into its requests: the path it was seen at is another one each time. */
  random: boolean;
}

/** The severity as this code knows it; undefined for any other word. */
export const readSeverity = ({ info }: NucleiResult): Severity | undefined => severities.find((each) => each === info.severity?.toLowerCase());

/** A hit as a detection. */
export function readDetection({ result, place, random }: Hit): Detection {
  const { info } = result;
  const severity = readSeverity(result) ?? "unknown";
  const impact = info.impact ?? "";
  return {
    key: makeKey({ result, place, random }),
    scope: makeScope(result["template-id"], place),
    title: cleanText((info.name ?? "").trim().slice(0, 500)) || result["template-id"],
    threat_level: readThreatLevel(severity),
    description:
      [info.description ?? "", impact]
        .map((text) => text.trim())
        .filter(Boolean)
        .join("\n\n")
        .slice(0, 20_000) || `The template ${result["template-id"]} hit; it has no description.`,
    solution: info.remediation?.trim().slice(0, 20_000) || "The template names no solution. Follow its references, or the documentation of the product.",
    references: listReferences(result),
    additional_info: listFacts(result, severity),
    detail: readDetail(result, severity) as unknown as Detection["detail"],
  };
}

/**
 * One template may hit in several ways, at several paths, and by several inputs of a page. What is sent in a query, and random paths, differ from scan
 * to scan; the names in a query do not.
 */
function makeKey({ result, place, random }: Hit): string {
  const parts = [result["template-id"], result["matcher-name"], result["extractor-name"]].filter(Boolean).join(":");
  // Without the host: a target's name or address is the target's.
  const where = place.replace(/^(https?):\/\/(?:\[[^\]]*\]|[^/:]*):(\d+).*$/, "$1:$2");
  const key = cleanText(`${parts}@${where}${where.startsWith("tcp") ? "" : readPath(result["matched-at"], place, random)}${nameInput(result)}`);
  return key.length <= 500 ? key : `${key.slice(0, 400)}#${createHash("sha256").update(key).digest("hex")}`;
}

/** The path, with the host where the template asked another one than the place's. */
function readPath(text: string, place: string, random: boolean): string {
  if (!URL.canParse(text)) return "";
  const { hostname, pathname, searchParams } = new URL(text);
  const host = !URL.canParse(place) || new URL(place).hostname === hostname ? "" : `//${hostname}`;
  const names = [...new Set(searchParams.keys())].sort();
  return random ? host : `${host}${pathname}${names.length > 0 ? `?${names.join("&")}` : ""}`;
}

/** The input that a fuzzing template changed; empty for other templates. */
function nameInput(result: NucleiResult): string {
  const parts = [result["fuzzing-parameter"], result["fuzzing-position"], result["fuzzing-method"]];
  return parts.some(Boolean) ? `[${parts.map((part) => part ?? "").join(" ")}]` : "";
}

const cwe = (id: string): string | undefined => /^CWE-(\d{1,6})$/i.exec(id.trim())?.[1];
const cve = (id: string): string | undefined => /^CVE-\d{4}-\d{4,10}$/i.exec(id.trim())?.[0].toUpperCase();

/** Many templates tell their CVE by their id alone. */
const listCves = (result: NucleiResult): string[] => {
  const told = result.info.classification?.["cve-id"] ?? [];
  const named = /^CVE-\d{4}-\d{4,10}(?!\w)/i.exec(result["template-id"])?.[0];
  return [...new Set([...told, ...(named ? [named] : [])].flatMap((id) => cve(id) ?? []))];
};

function listReferences(result: NucleiResult): string[] {
  const { info } = result;
  const classification = info.classification ?? undefined;
  const made = [
    ...listCves(result).map((id) => `https://nvd.nist.gov/vuln/detail/${id}`),
    ...(classification?.["cwe-id"] ?? []).flatMap((id) => (cwe(id) ? [`https://cwe.mitre.org/data/definitions/${cwe(id)}.html`] : [])),
  ];
  const given = info.reference.flatMap((text) => text.split(/\s+/)).filter((text) => /^https?:\/\//i.test(text) && text.length <= 2048 && URL.canParse(text));
  return [...new Set([...given, ...made])].slice(0, 200);
}

function listFacts(result: NucleiResult, severity: Severity): Detection["additional_info"] {
  const { info } = result;
  const classification = info.classification ?? undefined;
  const cves = listCves(result);
  const cwes = (classification?.["cwe-id"] ?? []).flatMap((id) => (cwe(id) ? `CWE-${cwe(id)}` : []));
  return {
    template: result["template-id"],
    severity,
    matched_at: cleanText(result["matched-at"].slice(0, 2048)),
    ...(result["fuzzing-parameter"] ? { parameter: cleanText(result["fuzzing-parameter"].slice(0, 300)) } : {}),
    ...(info.tags.length > 0 ? { tags: cutTexts(info.tags) } : {}),
    ...(cves.length > 0 ? { cve: cutTexts(cves) } : {}),
    ...(cwes.length > 0 ? { cwe: cutTexts(cwes) } : {}),
    ...(classification?.["cvss-metrics"] ? { cvss_vector: cleanText(classification["cvss-metrics"].slice(0, 200)) } : {}),
    ...(classification?.["cvss-score"] !== undefined ? { cvss_score: classification["cvss-score"] } : {}),
    ...(classification?.["epss-score"] !== undefined ? { epss_score: classification["epss-score"] } : {}),
    ...(result["extracted-results"]?.length ? { extracted: cutTexts(result["extracted-results"]) } : {}),
  };
}

const cutTexts = (texts: string[]): string[] => texts.slice(0, 20).map((text) => cleanText(text.slice(0, 300)));

function readDetail(result: NucleiResult, severity: Severity): Detail {
  const extracted = cutTexts(result["extracted-results"] ?? []);
  const { request, response, "curl-command": curl } = result;
  const input = [result["fuzzing-parameter"], result["fuzzing-position"], result["fuzzing-method"]].filter(Boolean).join(", ");
  return {
    template: result["template-id"],
    type: result.type,
    severity,
    at: cleanText(result["matched-at"].slice(0, 2048)),
    ...(result["matcher-name"] ? { matcher: cleanText(result["matcher-name"].slice(0, 500)) } : {}),
    ...(result["extractor-name"] ? { extractor: cleanText(result["extractor-name"].slice(0, 500)) } : {}),
    ...(input ? { input: cleanText(input.slice(0, 500)) } : {}),
    extracted,
    ...(request ? { request: cutText(cleanText(request), 0, requestBytes) } : {}),
    ...(response ? { response: cutAround(cleanText(response), extracted) } : {}),
    ...(curl ? { curl: cleanText(curl.slice(0, 2048)) } : {}),
  };
}

const requestBytes = 3000;
const responseBytes = 8000;
const headBytes = 2000;

/** The head of an answer, and the part of it around what the template read where that is farther on. */
function cutAround(text: string, extracted: string[]): string {
  const first = Math.min(...extracted.map((each) => text.indexOf(each)).filter((at) => at >= 0));
  if (!Number.isFinite(first) || first < headBytes) return cutText(text, 0, responseBytes);
  return `${cutText(text, 0, headBytes)}${cutText(text, first - 1000, responseBytes - headBytes)}`;
}
