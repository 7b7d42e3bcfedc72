import type { Detection } from "@periscan/contract/outcome.ts";
import { keyOf } from "./coverage.ts";
import type { ScanResult, TestFacts } from "./read-answers.ts";
import { noSolution, rateScore, readScore, solutions } from "./threat-levels.ts";
import type { Detail } from "./view.ts";

export interface DetectionFacts {
  tests: ReadonlyMap<string, TestFacts>;
  minQod: number;
  scopeOf(oid: string, port: string): string;
}

export interface Detections {
  detections: Detection[];
  /** Keys of what was seen with less quality of detection than is asked for. */
  below: string[];
  /** Why something that was seen is not among the detections, in words. */
  problems: string[];
}

/** What the alarms of one host tell. A result whose severity or quality is not known is a problem, never a guess. */
export function readDetections(alarms: ScanResult[], facts: DetectionFacts): Detections {
  const found: Detections = { detections: [], below: [], problems: [] };
  const groups = Map.groupBy(alarms, ({ oid, port }) => keyOf(oid, port || "general/tcp"));
  for (const [key, group] of groups) {
    const [first] = group;
    if (!first) continue;
    const graded = group.flatMap((result) => grade(result) ?? []);
    const best = graded.toSorted((a, b) => b.score - a.score || b.qod - a.qod)[0];
    const test = facts.tests.get(first.oid);
    const name = clip(test?.name || first.name || first.oid, 200);
    if (first.oid === "") found.problems.push(`The scanner reported something of no test: ${clip(first.name || first.text, 200)}`);
    // A target does that with the right words in its banner.
    else if (!best) found.problems.push(`${name} (${key}) hit, but the scanner gave it no severity and quality of detection: look at that port yourself.`);
    else if (!test) found.problems.push(`${name} (${key}) hit, but the scanner's feed does not describe that test.`);
    else if (best.qod < facts.minQod) found.below.push(key);
    else found.detections.push(describe({ test, group, ...best, port: first.port || "general/tcp", scopeOf: facts.scopeOf }));
  }
  return found;
}

function grade({ severity, qod }: ScanResult): { score: number; qod: number } | undefined {
  const score = readScore(severity);
  if (score === undefined || !/^\d{1,3}$/.test(qod) || Number(qod) > 100) return undefined;
  return { score, qod: Number(qod) };
}

interface Hit {
  test: TestFacts;
  group: ScanResult[];
  port: string;
  score: number;
  qod: number;
  scopeOf: DetectionFacts["scopeOf"];
}

function describe({ test, group, port, score, qod, scopeOf }: Hit): Detection {
  const title = clip(test.name || group[0]?.name || test.oid, 500);
  const paragraphs = [test.summary, test.insight, test.impact && `Impact: ${test.impact}`, test.affected && `Affected: ${test.affected}`];
  const description = paragraphs.filter((text) => text !== "").join("\n\n");
  const detail: Detail = {
    oid: test.oid,
    port,
    cvss: { score, ...(test.vector === "" ? {} : { vector: clip(test.vector, 500) }) },
    qod,
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
    threat_level: rateScore(score),
    description: clip(description || `The OpenVAS test “${title}” hit.`, 18_000),
    solution: clip(test.solution || solutions[test.solutionType] || noSolution, 18_000),
    references: [...test.cves.map((cve) => `https://nvd.nist.gov/vuln/detail/${cve}`), ...test.urls].slice(0, 200),
    additional_info: {
      oid: test.oid,
      port,
      cvss_score: score,
      ...(test.vector === "" ? {} : { cvss_vector: clip(test.vector, 500) }),
      qod,
      ...(test.cves.length > 0 ? { cve: test.cves } : {}),
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
