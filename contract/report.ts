import { z } from "zod";
import { RiskFilters } from "./risk-filters.ts";

export const ReportFormat = z.enum(["PDF", "HTML"]).meta({ id: "ReportFormat" });
export type ReportFormat = z.infer<typeof ReportFormat>;

export const ReportState = z.enum(["QUEUED", "RUNNING", "SUCCEEDED", "FAILED"]).meta({ id: "ReportState" });
export type ReportState = z.infer<typeof ReportState>;

const some = (what: z.ZodString) => z.array(what.min(1)).min(1).max(500).optional();

/** Which targets a report is about: those with one of the ids and one of the tags, where each is given; all of them where it is empty. */
const TargetsFilter = z.strictObject({ target_ids: some(z.string().max(64)), tag: some(z.string().max(100)) }).meta({ id: "TargetsFilter" });
export type TargetsFilter = z.infer<typeof TargetsFilter>;

const NewTargetsFilter = z.strictObject({ ...TargetsFilter.shape, id: some(z.string().max(64)).describe("The older name of target_ids; give one of them.") });

export const NewReport = z
  .strictObject({
    report_format: ReportFormat,
    targets_filter: NewTargetsFilter.optional(),
    risks_filter: RiskFilters.optional().describe("As in the list of risks. Without `status` the open ones, and those closed in the last 30 days."),
  })
  .meta({ id: "NewReport" });
export type NewReport = z.infer<typeof NewReport>;

/** A report and how far it is; `GET /v1/reports/:id` is the file itself. */
export const Report = z
  .object({
    id: z.string(),
    report_format: ReportFormat,
    state: ReportState,
    targets_filter: TargetsFilter,
    risks_filter: RiskFilters,
    error: z.string().optional().describe("Why it could not be made."),
    created_at: z.iso.datetime(),
    finished_at: z.iso.datetime().optional(),
  })
  .meta({ id: "Report" });
export type Report = z.infer<typeof Report>;
