import type { NewReport, TargetsFilter } from "@periscan/contract/report.ts";
import type { RiskFilters } from "@periscan/contract/risk-filters.ts";
import { and, arrayOverlaps, eq, inArray, type SQL } from "drizzle-orm";
import type { Database, Transaction } from "../db/connect.ts";
import { type report, target } from "../db/schema.ts";
import { ApiError, notFound } from "../errors/api-error.ts";
import { isId } from "../page.ts";
import { canonicalTexts } from "../targets/read-targets.ts";

/** What a report is about, as its row keeps it. */
export interface ReportScope {
  workspaceId: string;
  targetsFilter: TargetsFilter;
  risksFilter: RiskFilters;
}

export const scopeOf = (row: typeof report.$inferSelect): ReportScope => ({
  workspaceId: row.workspaceId,
  targetsFilter: row.targetsFilter,
  risksFilter: row.risksFilter,
});

/** The targets that a report covers, as a condition over `target`: also those that have no risk at all. */
export function targetConditions({ workspaceId, targetsFilter, risksFilter }: ReportScope): SQL | undefined {
  return and(
    eq(target.workspaceId, workspaceId),
    targetsFilter.target_ids && inArray(target.id, targetsFilter.target_ids.filter(isId)),
    targetsFilter.tag && arrayOverlaps(target.tags, targetsFilter.tag),
    risksFilter.target_id && inArray(target.id, risksFilter.target_id.filter(isId)),
    risksFilter["target.target"] && inArray(target.target, risksFilter["target.target"].flatMap(canonicalTexts)),
    risksFilter.tags && arrayOverlaps(target.tags, risksFilter.tags),
  );
}

/**
 * The scope of a request. 404 names an id that the workspace does not have; 400 where no target is left: a report about nothing would read as
 * clean.
 */
export async function readScope(db: Database | Transaction, workspaceId: string, { targets_filter, risks_filter }: NewReport): Promise<ReportScope> {
  if (targets_filter?.target_ids && targets_filter.id)
    throw new ApiError(400, "request.invalid", "targets_filter.id is the older name of target_ids: give one of them.", { field: "targets_filter.id" });
  const ids = targets_filter?.target_ids ?? targets_filter?.id;
  if (ids) await requireTargets(db, workspaceId, ids, targets_filter?.target_ids ? "target_ids" : "id");
  const scope: ReportScope = {
    workspaceId,
    targetsFilter: { ...(ids ? { target_ids: ids } : {}), ...(targets_filter?.tag ? { tag: targets_filter.tag } : {}) },
    risksFilter: risks_filter ?? {},
  };
  const [any] = await db.select({ id: target.id }).from(target).where(targetConditions(scope)).limit(1);
  if (any) return scope;
  const [field, message] = targets_filter?.tag
    ? ["targets_filter.tag", "No target has one of these tags."]
    : risks_filter
      ? ["risks_filter", "No target matches."]
      : ["targets_filter", "There is no target yet: scan one first."];
  throw new ApiError(400, "report.no_targets", `${field}: ${message}`, { field });
}

async function requireTargets(db: Database | Transaction, workspaceId: string, ids: string[], field: string): Promise<void> {
  const rows = await db
    .select({ id: target.id })
    .from(target)
    .where(and(eq(target.workspaceId, workspaceId), inArray(target.id, ids.filter(isId))));
  const known = new Set(rows.map(({ id }) => id));
  const missing = ids.findIndex((id) => !known.has(id));
  if (missing >= 0) throw notFound("target", `targets_filter.${field}[${missing}]`);
}
