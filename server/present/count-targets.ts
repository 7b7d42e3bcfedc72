import type { RiskCounts, TargetCounts } from "@periscan/contract/scan.ts";
import { sql } from "drizzle-orm";
import type { Transaction } from "../db/connect.ts";

/** `scan.target_counts` of the rows of `scan_target` that a query has. */
export const countedTargets = sql`jsonb_build_object(
  'requested', count(*),
  'resolved', count(scan_target.resolved_target),
  'complete', count(*) filter (where scan_target.kind = 'complete'),
  'partial', count(*) filter (where scan_target.kind = 'partial'),
  'unreachable', count(*) filter (where scan_target.kind = 'unreachable'),
  'skipped', count(*) filter (where scan_target.kind = 'skipped'),
  'pending', count(*) filter (where scan_target.kind is null))`;

/** `scan.risk_counts` of the rows of `scan_risk` that a query has. */
export const countedRisks = sql`jsonb_build_object(
  'new_open', count(*) filter (where change = 'new_open'),
  'still_open', count(*) filter (where change = 'still_open'),
  'closed', count(*) filter (where change = 'closed'))`;

/** Keeps how many targets the scan has of each kind, and answers it; whoever changes an outcome calls it, under the scan's lock. */
export async function countTargets(tx: Transaction, scanId: string): Promise<TargetCounts> {
  const { rows } = await tx.execute<{ counts: TargetCounts }>(sql`
    update scan set target_counts = (select ${countedTargets} from scan_target where scan_id = ${scanId}) where id = ${scanId} returning target_counts as counts`);
  return (rows[0] as { counts: TargetCounts }).counts;
}

/** Keeps how many risks an ended scan opened, saw again and closed, and answers it. */
export async function countRisks(tx: Transaction, scanId: string): Promise<RiskCounts> {
  const { rows } = await tx.execute<{ counts: RiskCounts }>(sql`
    update scan set risk_counts = (select ${countedRisks} from scan_risk where scan_id = ${scanId}) where id = ${scanId} returning risk_counts as counts`);
  return (rows[0] as { counts: RiskCounts }).counts;
}
