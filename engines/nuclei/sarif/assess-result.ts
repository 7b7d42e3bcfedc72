import type { Severity } from "../threat-levels.ts";
import type { FoundRule } from "./find-rule.ts";
import type { Result, Run } from "./schema.ts";

export interface Assessment {
  severity: Severity;
  /** From 0 to 10, as the tool gave it. */
  score?: number;
  /** A level that SARIF does not know; the result stands as a warning. */
  strangeLevel?: string;
}

const levels = new Map<string, Severity>([
  ["error", "high"],
  ["warning", "medium"],
  ["note", "low"],
  ["none", "info"],
]);

/** How the tool calls what a person must decide (3.27.9). They are no failure yet, and nobody has said that they are none. */
export const isUndecided = ({ kind }: Result): boolean => kind === "review" || kind === "open";

/** Nuclei calls every hit `open`, and tells those of severity info and unknown by the level none alone (pkg/reporting/exporters/sarif/sarif.go). */
export const isNuclei = ({ tool }: Run): boolean => tool.driver.name === "Nuclei";

/** Which of the run's settings change the level of the rules (3.20.5), by the number of their invocation. */
export type FindOverride = (invocation: number | undefined, found: FoundRule | undefined) => string | undefined;

export function createOverrideFinder(run: Run, findRule: (name: object) => FoundRule | undefined): FindOverride {
  const overrides = (run.invocations ?? []).map((invocation) =>
    (invocation?.ruleConfigurationOverrides ?? []).flatMap((each) => {
      const level = each?.configuration?.level;
      const rule = each?.descriptor && findRule(each.descriptor)?.rule;
      return rule && level !== undefined ? [[rule, level] as const] : [];
    }),
  );
  const byRule = overrides.map((pairs) => new Map(pairs));
  // Where there is one invocation, it is that of every result.
  const only = byRule.length === 1 ? byRule[0] : undefined;
  return (invocation, found) => found && (invocation === undefined ? only : byRule[invocation])?.get(found.rule);
}

/**
 * GitHub's scale where the rule has a score: https://docs.github.com/code-security/code-scanning/integrating-with-code-scanning/sarif-support-for-code-scanning.
 * Else SARIF's level, which says how bad the tool finds it (3.27.10): the result's own, else that of the run's settings, else the rule's, else a warning.
 */
export function assessResult(run: Run, result: Result, { found, findOverride }: { found: FoundRule | undefined; findOverride: FindOverride }): Assessment {
  const own = result.level?.toLowerCase();
  const score = readScore(result.properties?.["security-severity"] ?? found?.rule.properties?.["security-severity"]);
  if (isNuclei(run) && own === "none") return { severity: score === 9.5 ? "unknown" : "info" };
  if (score !== undefined) return { severity: score >= 9 ? "critical" : score >= 7 ? "high" : score >= 4 ? "medium" : score > 0 ? "low" : "info", score };
  // What is not decided must have no level, or the level none (3.27.10): that says nothing about how bad it is.
  const told = own === "none" && isUndecided(result) ? undefined : own;
  const level = told ?? (findOverride(result.provenance?.invocationIndex, found) ?? found?.rule.defaultConfiguration?.level)?.toLowerCase() ?? "warning";
  const severity = levels.get(level);
  return severity === undefined ? { severity: "medium", strangeLevel: level } : { severity };
}

function readScore(value: unknown): number | undefined {
  const score = typeof value === "number" || (typeof value === "string" && value.trim() !== "") ? Number(value) : Number.NaN;
  return score >= 0 && score <= 10 ? score : undefined;
}
