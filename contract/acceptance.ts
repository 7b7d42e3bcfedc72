import { z } from "zod";
import { AcceptanceKind, AcceptanceReason } from "./risk.ts";
import { RiskFilters } from "./risk-filters.ts";

const reasonsOf: Record<AcceptanceKind, AcceptanceReason[]> = {
  accepted: ["business_need", "compensating_control", "fix_planned", "low_impact"],
  false_positive: ["not_present", "fix_backported", "not_affected"],
};

/** The most risks that one request may accept, or take back. */
export const maxRisksAtOnce = 10_000;

const Note = z.string().trim().min(1, "say why, for whoever reads it later").max(5000);
const Author = z.string().trim().min(1).max(200).describe("Who decided it. The name of the API key where absent.");

const decision = {
  kind: AcceptanceKind.default("accepted"),
  reason: AcceptanceReason.optional(),
  note: Note.describe("Why."),
  author: Author.optional(),
  expires_at: z.iso.datetime({ offset: true }).optional().describe("From then on the risk is not accepted any more. Without it the acceptance has no end."),
};
const fits = ({ kind, reason }: { kind: AcceptanceKind; reason?: AcceptanceReason | undefined }) => reason === undefined || reasonsOf[kind].includes(reason);
const misfit = {
  path: ["reason"],
  message: `is none of this kind: accepted has ${reasonsOf.accepted.join(", ")}; false_positive ${reasonsOf.false_positive.join(", ")}`,
};

export const NewAcceptance = z.strictObject(decision).refine(fits, misfit).meta({ id: "NewAcceptance" });
export type NewAcceptance = z.input<typeof NewAcceptance>;
export type Decision = z.output<typeof NewAcceptance>;

const chosen = {
  risk_ids: z.array(z.string().max(64)).min(1).max(maxRisksAtOnce).optional().describe("These risks."),
  filters: RiskFilters.optional().describe("Every risk that matches, as in the list of risks: at least one filter."),
};
const isOne = ({ risk_ids, filters }: { risk_ids?: unknown; filters?: Record<string, unknown> | undefined }) =>
  (risk_ids === undefined) !== (filters === undefined) && (filters === undefined || Object.keys(filters).length > 0);
const notOne = { path: ["risk_ids"], message: "give either risk_ids, or filters with at least one of them" };

export const NewAcceptances = z
  .strictObject({ ...chosen, ...decision })
  .refine(isOne, notOne)
  .refine(fits, misfit)
  .meta({ id: "NewAcceptances" });
export type NewAcceptances = z.input<typeof NewAcceptances>;

export const AcceptanceEnd = z.strictObject({ note: Note.optional(), author: Author.optional() });
export type AcceptanceEnd = z.infer<typeof AcceptanceEnd>;

export const AcceptancesEnd = z
  .strictObject({ ...chosen, ...AcceptanceEnd.shape })
  .refine(isOne, notOne)
  .meta({ id: "AcceptancesEnd" });
export type AcceptancesEnd = z.infer<typeof AcceptancesEnd>;

/** What a request for many did: `matched` risks were meant, `changed` ones were not so before. */
export const AcceptanceCount = z.object({ matched: z.int(), changed: z.int() }).meta({ id: "AcceptanceCount" });
export type AcceptanceCount = z.infer<typeof AcceptanceCount>;
