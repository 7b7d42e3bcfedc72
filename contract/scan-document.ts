import { z } from "zod";
import { Block } from "./block.ts";
import { Acceptance, RiskStatus, ThreatLevel } from "./risk.ts";
import { EngineContent, ScanImport, ScanState, ScanTarget, ScanType } from "./scan.ts";

/** One risk as a result shows it. `closed` ones were there before and are gone. */
export const DocumentRisk = z.object({
  risk_id: z.string(),
  target_id: z.string(),
  target: z.string(),
  change: z.enum(["new_open", "still_open", "closed"]),
  status: RiskStatus,
  is_accepted: z.boolean(),
  acceptance: Acceptance.optional().describe("The decision that stood when this was made."),
  title: z.string(),
  threat_level: ThreatLevel,
  description: z.string(),
  solution: z.string(),
  references: z.array(z.string()),
  additional_info: z.record(z.string(), z.unknown()),
  evidence: z.array(Block),
  first_detected_at: z.iso.datetime(),
  last_detected_at: z.iso.datetime(),
});
export type DocumentRisk = z.infer<typeof DocumentRisk>;

/**
 * Everything that a scan's JSON, HTML and PDF show; the JSON is this very document. Risks come sorted: threat level from worst, then target,
 * then title.
 */
export const ScanDocument = z
  .object({
    format: z.literal("periscan.scan/1"),
    generated_at: z.iso.datetime(),
    scan: z.object({
      id: z.string(),
      type: ScanType,
      title: z.string().describe("The type in words, such as `TCP port scan`."),
      state: ScanState,
      error: z.object({ code: z.string(), message: z.string() }).optional(),
      import: ScanImport.optional().describe("Of an imported scan: what became of each result of its file."),
      options: z.record(z.string(), z.unknown()),
      engine_versions: z.array(z.string()),
      content: z.array(EngineContent).describe("The rules, templates or feed that the engine scanned with."),
      created_at: z.iso.datetime(),
      started_at: z.iso.datetime().optional(),
      finished_at: z.iso.datetime().optional(),
    }),
    workspace: z.string(),
    summary: z.object({
      risks: z.record(ThreatLevel, z.int()).describe("Open risks that this scan saw, by threat level."),
      changes: z.object({ new_open: z.int(), still_open: z.int(), closed: z.int() }),
      targets: z.object({ complete: z.int(), partial: z.int(), unreachable: z.int(), skipped: z.int(), pending: z.int() }),
    }),
    risks: z.array(DocumentRisk),
    targets: z.array(ScanTarget),
    not_covered: z.array(z.object({ target: z.string(), what: z.string() })).describe("What a reader must not take for clean: target by target, why."),
  })
  .meta({ id: "ScanDocument" });
export type ScanDocument = z.infer<typeof ScanDocument>;
