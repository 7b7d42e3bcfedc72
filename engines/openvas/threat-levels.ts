import type { ThreatLevel } from "@periscan/contract/risk.ts";

/**
 * The threat level of a CVSS score: the qualitative scale of the CVSS v3.1 specification, section 5 (https://www.first.org/cvss/v3-1/specification-document#5-Qualitative-Severity-Rating-Scale),
 * and of v4.0. CVSS v2 has no such scale; the feed's few tests that have only a v2 vector go by the same numbers, as Greenbone shows them.
 */
const scale: { from: number; level: ThreatLevel }[] = [
  { from: 9, level: "CRITICAL" },
  { from: 7, level: "HIGH" },
  { from: 4, level: "MEDIUM" },
  { from: 0.1, level: "LOW" },
  { from: 0, level: "NONE" },
];

/** A score as OpenVAS writes it (`5.3`), or undefined where it is none: then nothing is known of the severity. */
export function readScore(text: string): number | undefined {
  if (!/^\d{1,2}(\.\d{1,3})?$/.test(text)) return undefined;
  const score = Number(text);
  return score <= 10 ? score : undefined;
}

/** `score` is from 0 to 10. */
export const rateScore = (score: number): ThreatLevel => scale.find(({ from }) => score >= from)?.level ?? "NONE";

/** What to do where the test itself does not say it, by its type of solution. */
export const solutions: Record<string, string> = {
  VendorFix: "Install the vendor's update that mends this.",
  Workaround: "Follow the vendor's workaround: it avoids the weakness until there is an update.",
  Mitigation: "Change the configuration so that the weakness is out of reach: the evidence and the references say how.",
  NoneAvailable: "There is no solution yet. Restrict who can reach the service, and watch the vendor's advisories.",
  WillNotFix: "The vendor will not mend this. Replace the product, or restrict who can reach it.",
};

export const noSolution = "The test names no solution. See its references, and restrict who can reach the service meanwhile.";
