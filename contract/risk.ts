import { z } from "zod";
import { Block } from "./block.ts";
import { acceptanceReasons, threatLevels as levels } from "./words.ts";

/** From worst to least; `NONE` is information without a threat. */
export const ThreatLevel = z.enum(levels).meta({ id: "ThreatLevel" });
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

/** `accepted`: it is there, and stays for now. `false_positive`: it is not there, the engine was wrong. */
export const AcceptanceKind = z.enum(["accepted", "false_positive"]).meta({ id: "AcceptanceKind" });
export type AcceptanceKind = z.infer<typeof AcceptanceKind>;

export const AcceptanceReason = z
  .enum(acceptanceReasons)
  .describe(
    "Of `accepted`: business_need, compensating_control, fix_planned, low_impact. Of `false_positive`: not_present, fix_backported (the version looks old, its fix is in), not_affected (the weak part is not used).",
  )
  .meta({ id: "AcceptanceReason" });
export type AcceptanceReason = z.infer<typeof AcceptanceReason>;

/** An acceptance that stands. */
export const Acceptance = z
  .object({
    kind: AcceptanceKind,
    reason: AcceptanceReason.optional(),
    note: z.string(),
    author: z.string(),
    created_at: z.iso.datetime(),
    last_updated_at: z.iso.datetime(),
    expires_at: z.iso.datetime().optional(),
  })
  .meta({ id: "Acceptance" });
export type Acceptance = z.infer<typeof Acceptance>;

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
    accepted_by: z.array(Acceptance).describe("The acceptance that stands, or nothing."),
    risk_definition: RiskDefinition,
    first_detected_at: z.iso.datetime(),
    last_detected_at: z.iso.datetime(),
    evidence: z.array(Block).optional().describe("What the last scan that saw it saw, as blocks to draw; of a single risk alone."),
  })
  .meta({ id: "Risk" });
export type Risk = z.infer<typeof Risk>;
