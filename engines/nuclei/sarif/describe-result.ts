import type { Detection } from "@periscan/contract/outcome.ts";
import { cleanText } from "../clean-text.ts";
import { readThreatLevel } from "../threat-levels.ts";
import type { Detail } from "../view.ts";
import type { Assessment } from "./assess-result.ts";
import type { FoundRule } from "./find-rule.ts";
import type { Sight } from "./identify-results.ts";
import { resolveText } from "./resolve-text.ts";
import type { Result, RuleReference } from "./schema.ts";

/** One result of the file, with all that was found out about it. */
export interface ReadResult extends Sight {
  result: Result;
  found: FoundRule | undefined;
  assessment: Assessment;
}

const clean = (text: string, characters: number): string => cleanText(text.slice(0, characters));

/** A result as a detection with this key. */
export function describeResult(key: string, { tool, rule, message, place, result, found, assessment }: ReadResult): Detection {
  const { severity, score } = assessment;
  const words = (name: "shortDescription" | "fullDescription" | "help") => resolveText(found?.rule[name], found);
  const ruleName = rule === "" ? "" : `the rule ${clean(rule, 200)} of `;
  const [cwes, cves] = [listCwes(result, found), listCves(result, found)];
  const title = [words("shortDescription"), found?.rule.name ?? "", message.split("\n")[0] ?? "", rule].map((text) => clean(text, 500).trim());
  return {
    key,
    scope: key,
    title: title.find((text) => text !== "") ?? `A result of ${clean(tool, 200)}`,
    threat_level: readThreatLevel(severity),
    description:
      [clean(message, 18_000), clean(words("fullDescription"), 1500)].filter((text) => text.trim() !== "").join("\n\n") ||
      `It is a hit of ${ruleName}${clean(tool, 200)}.`,
    solution: clean(words("help"), 18_000).trim() || `Follow the documentation of ${ruleName}${clean(tool, 200)}.`,
    references: listReferences(found, { cwes, cves }),
    additional_info: {
      tool: clean(tool, 500),
      ...(rule === "" ? {} : { rule: clean(rule, 500) }),
      severity,
      ...(score === undefined ? {} : { security_severity: score }),
      ...(place.text === "" ? {} : { location: clean(place.text, 2000) }),
      ...(place.logical === "" ? {} : { logical_location: clean(place.logical, 2000) }),
      ...(cwes.length > 0 ? { cwe: cwes } : {}),
      ...(cves.length > 0 ? { cve: cves } : {}),
      ...((result.kind ?? "fail") === "fail" ? {} : { kind: clean(result.kind ?? "", 50) }),
    },
    detail: {
      template: clean(rule, 200).trim() || "none named",
      type: "sarif",
      severity,
      at: clean(place.text, 2000),
      extracted: [],
      ...readSnippet(result),
    } satisfies Detail as unknown as Detection["detail"],
  };
}

function readSnippet({ locations = [] }: Result): Pick<Detail, "response"> {
  const text = resolveText(locations[0]?.physicalLocation?.region?.snippet);
  return text === "" ? {} : { response: clean(text, 2000) };
}

function listReferences(found: FoundRule | undefined, { cwes, cves }: { cwes: string[]; cves: string[] }): string[] {
  const uri = found?.rule.helpUri ?? "";
  const given = /^https?:\/\//i.test(uri) && uri.length <= 2048 && URL.canParse(uri) ? [uri] : [];
  const made = [
    ...cves.map((id) => `https://nvd.nist.gov/vuln/detail/${id}`),
    ...cwes.map((id) => `https://cwe.mitre.org/data/definitions/${id.replace("CWE-", "")}.html`),
  ];
  return [...new Set([...given, ...made])];
}

/** The most weaknesses, and the most vulnerabilities, that one result is tagged with. */
const mostIds = 20;

/**
 * As tools tell them: tags such as `external/cwe/cwe-089` (CodeQL) and `CWE-89: SQL injection` (Semgrep), a property `cwe`, and relations to MITRE's list
 * (3.49.15, 3.27.8).
 */
function listCwes(result: Result, found: FoundRule | undefined): string[] {
  const properties = [result.properties, found?.rule.properties].flatMap((values) => [values?.tags, values?.cwe]);
  const related = [...(result.taxa ?? []), ...(found?.rule.relationships ?? []).map((each) => each?.target)].flatMap((each) => readTaxon(each));
  return collect([...properties.flatMap(readTexts), ...related], /^(?:.*\/)?cwe-0*(\d{1,6})\b/i, (number) => `CWE-${number}`);
}

function readTaxon(reference: RuleReference | undefined): string[] {
  const { id = "", toolComponent } = reference ?? {};
  return /^cwe$/i.test(toolComponent?.name ?? "") && /^\d{1,6}$/.test(id) ? [`CWE-${id}`] : [id];
}

/** Scanners of packages name their rules after vulnerabilities. */
function listCves(result: Result, found: FoundRule | undefined): string[] {
  const properties = [result.properties, found?.rule.properties].flatMap((values) => [values?.tags, values?.cve]);
  const texts = [result.ruleId, result.rule?.id, found?.rule.id].flatMap((id) => id ?? []);
  return collect([...texts, ...properties.flatMap(readTexts)], /^(?:.*\/)?(CVE-\d{4}-\d{4,10})\b/i, (id) => id.toUpperCase());
}

const collect = (texts: string[], pattern: RegExp, write: (part: string) => string): string[] =>
  [...new Set(texts.flatMap((text) => pattern.exec(text.slice(0, 500))?.[1] ?? []).map(write))].slice(0, mostIds);

const readTexts = (value: unknown): string[] =>
  (Array.isArray(value) ? value.slice(0, 1000) : [value]).flatMap((each) => (typeof each === "string" ? [each] : []));
