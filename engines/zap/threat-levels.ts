import type { ThreatLevel } from "@periscan/contract/risk.ts";
import { ParseError } from "../kit/engine.ts";
import { rules } from "./rules.ts";

/**
 * ZAP's four levels of risk, 0 to 3 (https://www.zaproxy.org/docs/constants/), as ours. ZAP has no critical one, and neither has this table: that a fault can be used, and how far it
 * leads, is not known from a scan of the surface.
 */
const byRisk: ThreatLevel[] = ["NONE", "LOW", "MEDIUM", "HIGH"];
export const riskNames = ["Informational", "Low", "Medium", "High"] as const;
export const confidenceNames = ["False Positive", "Low", "Medium", "High", "Confirmed"] as const;

interface Assessment {
  title?: string;
  threatLevel: ThreatLevel;
  description?: string;
  solution?: string;
  references?: string[];
}

/** Periscan's own rules have their texts and levels in rules.ts; ZAP's come with each alert. */
export function assessAlert(alert: { reference: string; pluginId: string; risk: number }): Assessment {
  const ours = [alert.reference, alert.pluginId].flatMap((id) => (Object.hasOwn(rules, id) ? (rules[id] ?? []) : []))[0];
  if (ours) return ours;
  const threatLevel = byRisk[alert.risk];
  if (!threatLevel) throw new ParseError(`ZAP's report has a risk of ${alert.risk}; it knows 0 to 3.`);
  return { threatLevel };
}
