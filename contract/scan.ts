import { z } from "zod";
import { ImportCounts } from "./import-counts.ts";
import { OutcomeKind } from "./outcome.ts";
import { Tag } from "./target.ts";
import { scanStates, scanTypes } from "./words.ts";

/** Every scan type of the v1 API: each has its engine. Which of them this installation can run depends on its workers. */
export const ScanType = z.enum(scanTypes).meta({ id: "ScanType" });
export type ScanType = z.infer<typeof ScanType>;

export const isScanType = (text: string): text is ScanType => ScanType.safeParse(text).success;

/**
 * What an engine scans with, apart from the engine itself: a feed, a set of rules or of templates. `official` is the engine's makers',
 * `ours` is Periscan's own, `user` anything else. A scan with a count of 0 looks at nothing, and fails.
 */
export const EngineContent = z
  .object({ name: z.string().max(200), version: z.string().max(200), count: z.int().min(0), origin: z.enum(["official", "user", "ours"]) })
  .meta({ id: "EngineContent" });
export type EngineContent = z.infer<typeof EngineContent>;

export const ScanState = z.enum(scanStates).meta({ id: "ScanState" });
export type ScanState = z.infer<typeof ScanState>;

/** A state that never changes again. */
export const isFinalState = (state: ScanState): boolean => state === "SUCCEEDED" || state === "FAILED" || state === "OVER_LIMIT";

export const ResultContentType = z.enum(["text/html", "application/pdf", "application/xml", "application/json"]);
export type ResultContentType = z.infer<typeof ResultContentType>;

/** The most targets that one scan may have, after address blocks are expanded. */
export const maxTargetsPerScan = 4096;

export const NewScan = z
  .strictObject({
    type: ScanType,
    targets: z
      .array(z.string().min(1).max(2048))
      .max(maxTargetsPerScan)
      .optional()
      .describe("Addresses, names, URLs or CIDR blocks up to 1,024 addresses; unknown ones become targets."),
    target_ids: z.array(z.string().min(1).max(64)).max(maxTargetsPerScan).optional().describe("Ids of existing targets."),
    tags: z.array(Tag).max(100).optional().describe("Every target that has one of these tags."),
    use_authentication: z.boolean().optional().describe("Use the login that is configured for the target."),
    options: z.record(z.string(), z.unknown()).optional().describe("Options of the engine; an unknown one is refused by name."),
  })
  .meta({ id: "NewScan" });
export type NewScan = z.infer<typeof NewScan>;

const RiskReference = z.object({ risk_id: z.string() });

/** One target of a scan and what was learned of it: ours, beside the documented lists. */
export const ScanTarget = z
  .object({
    target_id: z.string(),
    target: z.string(),
    outcome: z.union([OutcomeKind, z.literal("pending")]),
    reason: z.string().optional().describe("Why the outcome is not complete."),
    resolved_target: z.string().optional(),
    coverage: z.string().optional().describe("What was looked at, in words."),
    notes: z.array(z.string()).describe("What a reader of the outcome must know, such as a scan without raw sockets."),
    observed_at: z.iso.datetime().optional(),
  })
  .meta({ id: "ScanTarget" });
export type ScanTarget = z.infer<typeof ScanTarget>;

/** How many of a scan's targets there are, have an address, and have each outcome. */
export const TargetCounts = z
  .object({
    requested: z.int(),
    resolved: z.int(),
    complete: z.int(),
    partial: z.int(),
    unreachable: z.int(),
    skipped: z.int(),
    pending: z.int(),
  })
  .meta({ id: "TargetCounts" });
export type TargetCounts = z.infer<typeof TargetCounts>;

export const RiskCounts = z.object({ new_open: z.int(), still_open: z.int(), closed: z.int() }).meta({ id: "RiskCounts" });
export type RiskCounts = z.infer<typeof RiskCounts>;

/** What became of the results in an imported file, once it was read. */
export const ScanImport = ImportCounts.extend({ summary: z.string().describe("The same as a sentence.") }).meta({ id: "ScanImport" });
export type ScanImport = z.infer<typeof ScanImport>;

export const Scan = z
  .object({
    id: z.string(),
    type: ScanType,
    state: ScanState,
    progress: z.int().min(0).max(100),
    results: z.array(z.object({ result_id: z.string(), content_type: ResultContentType })),
    requested_targets: z.array(z.object({ target_id: z.string(), target: z.string() })),
    resolved_targets: z.array(z.object({ target_id: z.string(), resolved_target: z.string() })),
    skipped_targets: z.array(z.object({ target_id: z.string(), skipped_reason: z.string() })),
    risks: z.object({ new_open: z.array(RiskReference), still_open: z.array(RiskReference), closed: z.array(RiskReference) }),
    targets: z
      .array(ScanTarget)
      .describe("The first 1,000, and in a list of scans the first 100, as in the other lists of targets; `GET /v1/scans/{id}/targets` has all."),
    target_counts: TargetCounts.describe("Of all targets, shown or not."),
    risk_counts: RiskCounts.describe(
      "Of all risks, shown or not, once the scan has ended. In a list of scans `risks` has the first 100 of each, else 100,000.",
    ),
    options: z.record(z.string(), z.unknown()),
    error: z.object({ code: z.string(), message: z.string() }).optional().describe("Why the scan failed, or does not run."),
    source_id: z.string().optional().describe("Where an imported scan came from."),
    import: ScanImport.optional().describe("Of an imported scan, once its file was read: what became of each of its results."),
    scheduled_by: z.string().optional().describe("The schedule that made it."),
    created_at: z.iso.datetime(),
    started_at: z.iso.datetime().optional(),
    finished_at: z.iso.datetime().optional(),
  })
  .meta({ id: "Scan" });
export type Scan = z.infer<typeof Scan>;
