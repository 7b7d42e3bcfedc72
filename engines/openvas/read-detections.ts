import type { Detection } from "@periscan/contract/outcome.ts";
import type { ThreatLevel } from "@periscan/contract/risk.ts";
import { keyOf } from "./coverage.ts";
import type { ScanResult, TestFacts } from "./read-answers.ts";
import { noSolution, rateScore, readScore, solutions } from "./threat-levels.ts";
import type { Detail } from "./view.ts";

export interface DetectionFacts {
  tests: ReadonlyMap<string, TestFacts>;
  minQod: number;
  /** An old report does not say the quality of detection: what it tells counts all the same. */
  mayLackQod?: boolean;
  scopeOf(oid: string, port: string): string;
}

export interface Detections {
  detections: Detection[];
  /** Keys of what was seen with less quality of detection than is asked for. */
  below: string[];
  /** Why something that was seen is not among the detections, in words. */
  problems: string[];
  /** How many alarms another detection speaks for as well. */
  joined: number;
  /** How many alarms are not among the detections, by why. */
  leftOut: { reason: string; count: number }[];
}

/** What the alarms of one host tell. A result whose severity or quality is not known is a problem, never a guess. */
export function readDetections(alarms: ScanResult[], facts: DetectionFacts): Detections {
  const found: Detections = { detections: [], below: [], problems: [], joined: 0, leftOut: [] };
  const groups = Map.groupBy(alarms, ({ oid, port }) => keyOf(oid, port || "general/tcp"));
  for (const [key, group] of groups) {
    const [first] = group;
    if (!first) continue;
    const grades = group.map(grade);
    const known = grades.filter(({ level, qod }) => level !== undefined && (qod !== undefined || facts.mayLackQod === true));
    const good = known.filter(({ qod = 100 }) => qod >= facts.minQod);
    const [best] = good.toSorted((a, b) => rank(b) - rank(a) || (b.qod ?? 100) - (a.qod ?? 100));
    const test = facts.tests.get(first.oid);
    const name = clip(test?.name || first.name || first.oid, 200);
    const leaveOut = (list: string[], text: string, reason: string) => {
      list.push(text);
      found.leftOut.push({ reason, count: group.length });
    };
    if (first.oid === "") leaveOut(found.problems, `The scanner reported something of no test: ${clip(first.name || first.text, 200)}`, "of no test");
    // A target does that with the right words in its banner.
    else if (known.length === 0) {
      const missing = describeMissing(grades);
      leaveOut(found.problems, `${name} (${key}) hit, but the scanner gave it no ${missing}: look at that port yourself.`, `without a ${missing}`);
    } else if (!test) leaveOut(found.problems, `${name} (${key}) hit, but the scanner's feed does not describe that test.`, "of a test that is not described");
    else if (!best) leaveOut(found.below, key, `with a quality of detection below ${facts.minQod} %`);
    else {
      found.joined += group.length - 1;
      found.detections.push(describe({ test, group, ...best, port: first.port || "general/tcp", scopeOf: facts.scopeOf }));
    }
  }
  return found;
}

interface Grade {
  /** Absent where nothing tells it. */
  level?: ThreatLevel;
  score?: number;
  qod?: number;
}

function grade({ severity, qod, level: named }: ScanResult): Grade {
  const score = readScore(severity);
  const level = score === undefined ? named : rateScore(score);
  return {
    ...(level === undefined ? {} : { level }),
    ...(score === undefined ? {} : { score }),
    ...(/^\d{1,3}$/.test(qod) && Number(qod) <= 100 ? { qod: Number(qod) } : {}),
  };
}

/** Where a report has a level and no score, the least score of that level. */
const leastScores: Record<ThreatLevel, number> = { CRITICAL: 9, HIGH: 7, MEDIUM: 4, LOW: 0.1, NONE: 0 };
const rank = ({ score, level = "NONE" }: Grade): number => score ?? leastScores[level];

function describeMissing(grades: Grade[]): string {
  const [severity, qod] = [grades.every(({ level }) => level === undefined), grades.every((each) => each.qod === undefined)];
  if (severity && qod) return "severity and no quality of detection";
  return severity ? "severity" : "quality of detection";
}

interface Hit extends Grade {
  test: TestFacts;
  group: ScanResult[];
  port: string;
  scopeOf: DetectionFacts["scopeOf"];
}

function describe({ test, group, port, level, score, qod, scopeOf }: Hit): Detection {
  const title = clip(test.name || group[0]?.name || test.oid, 500);
  const paragraphs = [test.summary, test.insight, test.impact && `Impact: ${test.impact}`, test.affected && `Affected: ${test.affected}`];
  const description = paragraphs.filter((text) => text !== "").join("\n\n");
  const detail: Detail = {
    oid: test.oid,
    port,
    cvss: { ...(score === undefined ? {} : { score }), ...(test.vector === "" ? {} : { vector: clip(test.vector, 500) }) },
    ...(qod === undefined ? {} : { qod }),
    ...(test.qodType === "" ? {} : { qodType: clip(test.qodType, 500) }),
    ...(test.family === "" ? {} : { family: clip(test.family, 500) }),
    cves: test.cves,
    ...(test.solutionType === "" ? {} : { solutionType: clip(test.solutionType, 500) }),
    ...(test.method === "" ? {} : { method: clip(test.method, 2000) }),
    outputs: readOutputs(group),
    ...(test.solution === "" ? {} : { solution: clip(test.solution, 4000) }),
  };
  return {
    key: keyOf(test.oid, port),
    scope: scopeOf(test.oid, port),
    title,
    threat_level: level ?? "NONE",
    description: clip(description || `The OpenVAS test “${title}” hit.`, 18_000),
    solution: clip(test.solution || solutions[test.solutionType] || noSolution, 18_000),
    references: [...test.cves.map((cve) => `https://nvd.nist.gov/vuln/detail/${cve}`), ...test.urls].slice(0, 200),
    additional_info: {
      oid: test.oid,
      port,
      ...(score === undefined ? {} : { cvss_score: score }),
      ...(test.vector === "" ? {} : { cvss_vector: clip(test.vector, 500) }),
      ...(qod === undefined ? {} : { qod }),
      ...(test.cves.length > 0 ? { cve: test.cves } : {}),
      ...(test.bids ? { bid: test.bids } : {}),
      ...(test.family === "" ? {} : { family: clip(test.family, 500) }),
      ...(test.solutionType === "" ? {} : { solution_type: clip(test.solutionType, 500) }),
    },
    detail: detail as unknown as Detection["detail"],
  };
}

/** So much of what a test said is for reading; all of it is in the native result. */
const outputCharacters = 12_000;

function readOutputs(group: ScanResult[]): Detail["outputs"] {
  let left = outputCharacters;
  const outputs: Detail["outputs"] = [];
  for (const { uri, text } of group.slice(0, 20)) {
    const shown = clip(text, Math.min(left, 5000));
    left -= Math.min(left, text.length);
    if (uri !== "" || shown !== "") outputs.push({ ...(uri === "" ? {} : { uri }), text: shown });
  }
  return outputs;
}

export const clip = (text: string, characters: number): string =>
  text.length > characters ? `${text.slice(0, Math.max(0, characters - 1)).toWellFormed()}…` : text;
