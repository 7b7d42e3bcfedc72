import type { ThreatLevel } from "@periscan/contract/risk.ts";

/** As templates may say it (nuclei's documentation of templates, "Info": severity). */
export const severities = ["info", "low", "medium", "high", "critical", "unknown"] as const;
export type Severity = (typeof severities)[number];

/**
 * The threat level of a severity. Templates are assessed by their authors on the scale of CVSS (first.org/cvss/v3.1/specification-document, part 5), so
 * the names mean the same here. `info` tells of something without a threat. A template of severity `unknown` was never assessed: its hit is kept
 * with the level of information, and the outcome is partial and says so, because nobody knows how bad it is.
 */
const levels: Record<Severity, ThreatLevel> = { critical: "CRITICAL", high: "HIGH", medium: "MEDIUM", low: "LOW", info: "NONE", unknown: "NONE" };

export const readThreatLevel = (severity: Severity): ThreatLevel => levels[severity];
