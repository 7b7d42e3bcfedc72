import { createHash } from "node:crypto";
import type { Acceptance, ThreatLevel } from "@periscan/contract/risk.ts";
import type { RiskRow } from "../present/present-risk.ts";

// SARIF 2.1.0: https://docs.oasis-open.org/sarif/sarif/v2.1.0/. The results come before the rules, so that both can be written while they
// are read; the order of a JSON object's members means nothing.

const levels: Record<ThreatLevel, "error" | "warning" | "note" | "none"> = { CRITICAL: "error", HIGH: "error", MEDIUM: "warning", LOW: "note", NONE: "none" };

/** GitHub's ranks: over 9 critical, 7 high, 4 medium, above 0 low. */
const severities: Record<ThreatLevel, string> = { CRITICAL: "9.5", HIGH: "8.0", MEDIUM: "5.5", LOW: "2.0", NONE: "0.0" };

/**
 * A log of one run: risk definitions are its rules, risks its results, acceptances their suppressions. Of each rule only a risk's id is kept
 * meanwhile; `load` reads those again.
 */
export async function* writeSarif(pages: AsyncIterable<RiskRow[]>, load: (riskIds: string[]) => Promise<RiskRow[]>): AsyncIterable<string> {
  const riskOfRule = new Map<string, string>();
  let separator = "";
  yield '{"$schema":"https://json.schemastore.org/sarif-2.1.0.json","version":"2.1.0","runs":[{"columnKind":"utf16CodeUnits","results":[';
  for await (const rows of pages) {
    for (const row of rows) riskOfRule.set(ruleId(row), row.id);
    yield `${separator}\n${rows.map((row) => JSON.stringify(makeResult(row))).join(",\n")}`;
    separator = ",";
  }
  yield '\n],"tool":{"driver":{"name":"Periscan","rules":[';
  separator = "";
  const riskIds = [...riskOfRule.values()];
  for (let start = 0; start < riskIds.length; start += rulesAtOnce) {
    const rows = await load(riskIds.slice(start, start + rulesAtOnce));
    if (rows.length > 0) yield `${separator}\n${rows.map((row) => JSON.stringify(makeRule(row))).join(",\n")}`;
    separator = ",";
  }
  yield "\n]}}}]}\n";
}

const rulesAtOnce = 500;

/** Readable, and the same for the same scan type and title in every export. */
function ruleId({ risk }: RiskRow): string {
  const { scan_type: scanType, title } = risk.risk_definition;
  const words = title
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-|-$/g, "")
    .slice(0, 60);
  return `${scanType}/${words}${words && "-"}${digest(scanType, title).slice(0, 8)}`;
}

const digest = (...parts: string[]): string => createHash("sha256").update(JSON.stringify(parts)).digest("hex");

function makeRule(row: RiskRow) {
  const definition = row.risk.risk_definition;
  const { threat_level: level, title } = definition;
  const description = cut(definition.description || title, 5000);
  const links = definition.references.filter((reference) => /^https?:\/\//i.test(reference) && URL.canParse(reference));
  const help = [definition.solution, ...definition.references].filter(Boolean).join("\n") || title;
  return {
    id: ruleId(row),
    name: cut(title, 250),
    shortDescription: { text: cut(title, 1024) },
    fullDescription: { text: description },
    help: { text: cut(help, 10_000) },
    ...(links[0] === undefined ? {} : { helpUri: new URL(links[0]).href }),
    defaultConfiguration: { level: levels[level] },
    properties: { tags: ["security"], "security-severity": severities[level], threat_level: level },
  };
}

const cut = (text: string, length: number): string => (text.length <= length ? text : `${text.slice(0, length - 1).toWellFormed()}…`);

function makeResult(row: RiskRow) {
  const { risk, key } = row;
  const { scan_type: scanType, title, threat_level: level } = risk.risk_definition;
  const [standing] = risk.accepted_by;
  const isOpen = risk.status === "OPEN";
  // The id of a risk ends with its target; this outlives both. SARIF's `correlationGuid` would be the place of the id, but its schema knows no UUID of version 7.
  const fingerprint = digest(risk.target, scanType, key);
  return {
    ruleId: ruleId(row),
    // The check ran again and saw nothing: that is what SARIF calls a pass. Only a `fail` has a level.
    ...(!isOpen ? { kind: "pass", level: "none" } : level === "NONE" ? { kind: "informational", level: "none" } : { kind: "fail", level: levels[level] }),
    message: { text: `${risk.target}: ${cut(title, 1000)}` },
    fingerprints: { "periscan/v1": fingerprint },
    partialFingerprints: { primaryLocationLineHash: `${fingerprint.slice(0, 16)}:1` },
    locations: [
      {
        physicalLocation: { artifactLocation: { uri: toRelativeUri(risk.target) }, region: { startLine: 1 } },
        logicalLocations: [{ fullyQualifiedName: risk.target, kind: "resource" }],
      },
    ],
    ...(standing ? { suppressions: [makeSuppression(standing)] } : {}),
    properties: {
      risk_id: risk.id,
      status: risk.status,
      threat_level: level,
      tags: risk.tags,
      first_detected_at: risk.first_detected_at,
      last_detected_at: risk.last_detected_at,
    },
  };
}

const makeSuppression = ({ note, ...rest }: Acceptance) => ({ kind: "external", status: "accepted", justification: note, properties: rest });

/** Code scanning takes no location with a scheme but `file`, so the target stands as a path: `example.com/app`, `10.0.0.1`, `2001%3Adb8%3A%3A1`. */
const toRelativeUri = (target: string): string =>
  target
    .replace(/^https?:\/\//i, "")
    .toWellFormed()
    .split("/")
    .map(encodeURIComponent)
    .join("/");
