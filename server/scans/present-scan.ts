import type { Scan, ScanTarget, ScanType } from "@periscan/contract/scan.ts";
import { findEngine } from "@periscan/engines/registry.ts";
import { asc, getTableColumns, inArray, sql } from "drizzle-orm";
import type { Database, Transaction } from "../db/connect.ts";
import { result, type scan, scanRisk, scanTarget } from "../db/schema.ts";

type ScanRow = typeof scan.$inferSelect;
/** What engines observed of a target is no part of how it is shown, and is most of its row. */
const { observations: _, ...shownColumns } = getTableColumns(scanTarget);
export type ShownTargetRow = Omit<typeof scanTarget.$inferSelect, "observations">;

/** The targets of these scans with their outcomes, in the order of the request. */
export const loadShownTargets = (db: Database | Transaction, scanIds: string[]): Promise<ShownTargetRow[]> =>
  db.select(shownColumns).from(scanTarget).where(inArray(scanTarget.scanId, scanIds)).orderBy(asc(scanTarget.ordinal));

type RiskIds = Scan["risks"]["new_open"];
interface ChangeRow {
  scanId: string;
  change: string;
  risks: RiskIds;
}

/** One row for each kind of change: a scan may have tens of thousands of risks. */
const loadChanges = (db: Database | Transaction, scanIds: string[]): Promise<ChangeRow[]> =>
  db
    .select({
      scanId: scanRisk.scanId,
      change: scanRisk.change,
      risks: sql<RiskIds>`json_agg(json_build_object('risk_id', ${scanRisk.riskId}) order by ${scanRisk.riskId})`,
    })
    .from(scanRisk)
    .where(inArray(scanRisk.scanId, scanIds))
    .groupBy(scanRisk.scanId, scanRisk.change);

/** Scans as the API shows them, in the order given; three queries however many there are. */
export async function presentScans(db: Database | Transaction, scans: ScanRow[]): Promise<Scan[]> {
  const ids = scans.map(({ id }) => id);
  if (ids.length === 0) return [];
  // One after the other: in a transaction they share one connection.
  const targets = await loadShownTargets(db, ids);
  const results = await db.select().from(result).where(inArray(result.scanId, ids)).orderBy(asc(result.id));
  const risks = await loadChanges(db, ids);
  const of = <R extends { scanId: string }>(rows: R[]) => Map.groupBy(rows, ({ scanId }) => scanId);
  const [targetsOf, resultsOf, risksOf] = [of(targets), of(results), of(risks)];
  return scans.map((row) => {
    const changes = (change: string): RiskIds => risksOf.get(row.id)?.find((each) => each.change === change)?.risks ?? [];
    return {
      ...presentHead(row),
      results: (resultsOf.get(row.id) ?? []).map((file) => ({ result_id: file.id, content_type: file.contentType as Scan["results"][number]["content_type"] })),
      ...presentTargets(row.type, targetsOf.get(row.id) ?? []),
      risks: { new_open: changes("new_open"), still_open: changes("still_open"), closed: changes("closed") },
    };
  });
}

function presentHead(row: ScanRow) {
  return {
    id: row.id,
    type: row.type,
    state: row.state as Scan["state"],
    progress: row.progress,
    options: row.options as Record<string, unknown>,
    ...(row.sourceId === null ? {} : { source_id: row.sourceId }),
    ...(row.errorCode === null ? {} : { error: { code: row.errorCode, message: row.errorMessage ?? "" } }),
    ...(row.scheduledBy === null ? {} : { scheduled_by: row.scheduledBy }),
    created_at: row.createdAt.toISOString(),
    ...(row.startedAt ? { started_at: row.startedAt.toISOString() } : {}),
    ...(row.finishedAt ? { finished_at: row.finishedAt.toISOString() } : {}),
  };
}

function presentTargets(type: ScanType, rows: ShownTargetRow[]) {
  return {
    requested_targets: rows.map((row) => ({ target_id: row.targetId, target: row.target })),
    resolved_targets: rows.flatMap((row) => (row.resolvedTarget === null ? [] : [{ target_id: row.targetId, resolved_target: row.resolvedTarget }])),
    skipped_targets: rows.flatMap((row) =>
      row.kind === null || row.kind === "complete" ? [] : [{ target_id: row.targetId, skipped_reason: row.reason ?? row.kind }],
    ),
    targets: rows.map((row) => presentTarget(type, row)),
  };
}

/** One target of a scan with its outcome so far. */
export function presentTarget(type: ScanType, row: ShownTargetRow): ScanTarget {
  return {
    target_id: row.targetId,
    target: row.target,
    outcome: (row.kind as ScanTarget["outcome"] | null) ?? "pending",
    ...(row.reason === null ? {} : { reason: row.reason }),
    ...(row.resolvedTarget === null ? {} : { resolved_target: row.resolvedTarget }),
    ...(row.coverage === null ? {} : { coverage: findEngine(type).describeCoverage(row.coverage) }),
    notes: row.notes,
    ...(row.observedAt ? { observed_at: row.observedAt.toISOString() } : {}),
  };
}
