import type { ReportTarget } from "../render/report.ts";
import { formatDate, formatShortDate, outcomeNames } from "../render/words.ts";
import type { CoveredTarget, Look } from "./load-coverage.ts";

/** Whether some scan looked at the target to the end, and each type's last look got that far. */
export const isCovered = ({ looks }: CoveredTarget): boolean => looks.length > 0 && looks.every(({ kind }) => kind === "complete");

/** One row for each type of scan; a target that was never scanned has its row too. */
export function describeLook({ target, label, looks }: CoveredTarget): ReportTarget[] {
  if (looks.length === 0)
    return [{ target, more: label, outcome: "Never scanned", tone: "bad", what: "No scan of any type has been made.", counts: [], when: "" }];
  return looks.map((look, index) => {
    const { label: outcome, tone } = outcomeNames[look.kind];
    return {
      target: index === 0 ? target : "",
      more: index === 0 ? label : "",
      outcome,
      tone,
      what: `${look.title}: ${look.what}`,
      counts: [],
      when: formatShortDate(look.at),
    };
  });
}

interface Gap {
  target: string;
  look?: Look;
}

/** What must not be taken for clean. */
export const listGaps = (targets: CoveredTarget[]): Gap[] =>
  targets.flatMap(({ target, looks }): Gap[] =>
    looks.length === 0 ? [{ target }] : looks.filter(({ kind }) => kind !== "complete").map((look) => ({ target, look })),
  );

export function describeGap({ target, look }: Gap): { target: string; what: string } {
  if (!look) return { target, what: "It was never scanned." };
  const before = look.completeAt
    ? `It was last looked at to the end on ${formatDate(look.completeAt)}: its risks are as they were known then.`
    : "It was never looked at to the end.";
  return { target, what: `${look.title}, ${formatDate(look.at)}: ${look.what} ${before}` };
}
