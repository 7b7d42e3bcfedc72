import { z } from "zod";
import { RiskStatus, ThreatLevel } from "./risk.ts";

/** What risks can be filtered by, in lists, exports, reports and acceptances: one value's schema for each key. */
export const riskFilterKeys = {
  target_id: z.string().max(64),
  "target.target": z.string().max(2048),
  status: RiskStatus,
  tags: z.string().max(100),
  "risk_definition.scan_type": z.string().max(100),
  "risk_definition.threat_level": ThreatLevel,
  "risk_definition.title": z.string().max(500),
  is_accepted: z.enum(["true", "false"]),
  scan_id: z.string().max(64),
};

const anyOf = <V extends z.ZodType>(value: V) => z.array(value).min(1).max(500).optional();

/** The filters as a request's body has them: each an array of which any may match, all of them together. */
export const RiskFilters = z
  .strictObject({
    target_id: anyOf(riskFilterKeys.target_id),
    "target.target": anyOf(riskFilterKeys["target.target"]),
    status: anyOf(riskFilterKeys.status),
    tags: anyOf(riskFilterKeys.tags),
    "risk_definition.scan_type": anyOf(riskFilterKeys["risk_definition.scan_type"]),
    "risk_definition.threat_level": anyOf(riskFilterKeys["risk_definition.threat_level"]),
    "risk_definition.title": anyOf(riskFilterKeys["risk_definition.title"]),
    is_accepted: anyOf(riskFilterKeys.is_accepted),
    scan_id: anyOf(riskFilterKeys.scan_id),
  })
  .meta({ id: "RiskFilters" });
export type RiskFilters = z.infer<typeof RiskFilters>;
