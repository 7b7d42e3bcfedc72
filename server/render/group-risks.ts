import type { Block } from "@periscan/contract/block.ts";
import type { ThreatLevel } from "@periscan/contract/risk.ts";
import type { ReportGroup } from "./report.ts";
import { count, firstSentence, levelNames, shorten } from "./words.ts";

/** The most risks that a page or a PDF describes: a larger PDF takes minutes and gigabytes, and nobody reads it. */
export const mostDetailed = 10_000;

/** A risk as a report details it. */
export interface DetailedRisk {
  target: string;
  /** What stands beside the target. */
  note: string;
  title: string;
  threat_level: ThreatLevel;
  description: string;
  solution: string;
  references: string[];
  evidence: Block[];
}

/** Risks that differ only in their target stand together; in the order given, which is worst first. */
export function groupRisks(risks: DetailedRisk[]): ReportGroup[] {
  const groups = Map.groupBy(risks, ({ threat_level, title, description, solution, references }) =>
    JSON.stringify([threat_level, title, description, solution, references]),
  );
  return [...groups.values()].flatMap((members, index) => {
    const [first] = members;
    if (!first) return [];
    const { threat_level: level, title, description, solution } = first;
    const references = first.references.map((text) => ({ text, isLink: /^https?:\/\//i.test(text) && URL.canParse(text) }));
    return [
      {
        id: `risk-${index + 1}`,
        level,
        name: levelNames[level],
        title,
        summary: firstSentence(description),
        description,
        solution,
        references,
        names: nameTargets(members),
        seen: groupEvidence(members),
      },
    ];
  });
}

function groupEvidence(members: DetailedRisk[]): ReportGroup["seen"] {
  const same = Map.groupBy(members, ({ evidence }) => JSON.stringify(evidence));
  return [...same.values()].map((risks) => ({ targets: risks.map(({ target, note }) => ({ target, note })), evidence: risks[0]?.evidence ?? [] }));
}

const namedTargets = 3;

function nameTargets(members: DetailedRisk[]): string {
  const names = members.slice(0, namedTargets).map(({ target }) => shorten(target));
  const more = members.length - names.length;
  return `${names.join(", ")}${more > 0 ? ` and ${count(more)} more` : ""}`;
}
