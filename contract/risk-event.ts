import { z } from "zod";
import { AcceptanceKind, AcceptanceReason, ThreatLevel } from "./risk.ts";

export const RiskEventType = z
  .enum([
    "opened",
    "seen_again",
    "closed",
    "reopened",
    "threat_level_changed",
    "accepted",
    "false_positive",
    "acceptance_changed",
    "acceptance_ended",
    "acceptance_expired",
  ])
  .meta({ id: "RiskEventType" });
export type RiskEventType = z.infer<typeof RiskEventType>;

/** One thing that happened to a risk. What a scan did has the scan, what a person did has the author. */
export const RiskEvent = z
  .object({
    id: z.string(),
    type: RiskEventType,
    at: z.iso.datetime().describe("When it was seen or decided."),
    scan_id: z.string().optional(),
    scan_type: z.string().optional(),
    threat_level: ThreatLevel.optional().describe("As the scan saw it."),
    previous_threat_level: ThreatLevel.optional(),
    author: z.string().optional(),
    key_name: z.string().optional().describe("The API key that the decision came with."),
    kind: AcceptanceKind.optional(),
    reason: AcceptanceReason.optional(),
    note: z.string().optional(),
    expires_at: z.iso.datetime().optional(),
  })
  .meta({ id: "RiskEvent" });
export type RiskEvent = z.infer<typeof RiskEvent>;
