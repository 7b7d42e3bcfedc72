import { z } from "zod";
import { Block } from "./block.ts";

/** From worst to least; `NONE` is information without a threat. */
export const ThreatLevel = z.enum(["CRITICAL", "HIGH", "MEDIUM", "LOW", "NONE"]).meta({ id: "ThreatLevel" });
export type ThreatLevel = z.infer<typeof ThreatLevel>;
export const threatLevels = ThreatLevel.options;

export const RiskStatus = z.enum(["OPEN", "CLOSED"]).meta({ id: "RiskStatus" });
export type RiskStatus = z.infer<typeof RiskStatus>;

export const RiskDefinition = z
  .object({
    scan_type: z.string(),
    title: z.string(),
    threat_level: ThreatLevel,
    description: z.string(),
    solution: z.string(),
    references: z.array(z.string()),
    additional_info: z.record(z.string(), z.unknown()),
    first_detected_at: z.iso.datetime(),
    last_detected_at: z.iso.datetime(),
  })
  .meta({ id: "RiskDefinition" });

/** The two dates stand in both places because the documented list has them inside and the single risk beside. */
export const Risk = z
  .object({
    id: z.string(),
    target_id: z.string(),
    target: z.string(),
    target_label: z.string(),
    tags: z.array(z.string()),
    status: RiskStatus,
    is_accepted: z.boolean(),
    accepted_by: z.array(z.object({ note: z.string(), created_at: z.iso.datetime(), last_updated_at: z.iso.datetime() })),
    risk_definition: RiskDefinition,
    first_detected_at: z.iso.datetime(),
    last_detected_at: z.iso.datetime(),
    evidence: z.array(Block).optional().describe("What the last scan that saw it saw, as blocks to draw; of a single risk alone."),
  })
  .meta({ id: "Risk" });
export type Risk = z.infer<typeof Risk>;
