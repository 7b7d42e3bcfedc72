import type { OutcomeKind } from "@periscan/contract/outcome.ts";
import type { EngineContent } from "@periscan/contract/scan.ts";
import { type SQL, sql } from "drizzle-orm";
import type { Database, Transaction } from "../db/connect.ts";
import { isoTime } from "../db/iso-time.ts";
import { scanTarget } from "../db/schema.ts";

// What is shown is read as the database driver gives it, dates as text: a page of scans has thousands of rows, of which drizzle would map each column.

/** A target of a scan with its outcome, without its coverage and what engines observed of it: those are most of its row, and not shown. */
export interface ShownTargetRow extends Record<string, unknown> {
  scan_id: string;
  target_id: string;
  target: string;
  ordinal: number;
  kind: OutcomeKind | null;
  reason: string | null;
  resolved_target: string | null;
  coverage_text: string | null;
  notes: string[];
  engine_version: string | null;
  content: EngineContent[];
  has_native: boolean;
  attempt: number | null;
  observed_at: string | null;
}

const shownColumns = sql`scan_id, target_id, target, ordinal, kind, reason, resolved_target, coverage_text, notes, engine_version, content, has_native, attempt,
  ${isoTime(scanTarget.observedAt)} as observed_at`;

/** The first targets of each of these scans, in the order of the request; all of them where `most` is absent. */
export async function loadShownTargets(db: Database | Transaction, scanIds: string[], most?: number): Promise<ShownTargetRow[]> {
  const { rows } = await db.execute<ShownTargetRow>(sql`
    select shown.* from unnest(${sql.param(scanIds)}::uuid[]) as wanted(id) cross join lateral (
      select ${shownColumns} from scan_target where scan_id = wanted.id order by ordinal, target_id limit ${most ?? null}::bigint) as shown`);
  return rows;
}

export interface TargetPage {
  scanId: string;
  /** `pending` is a target without an outcome. */
  outcomes: string[] | undefined;
  after: { ordinal: number; targetId: string } | undefined;
  limit: number;
}

/** A scan's targets in the order of the request, those with one of the outcomes. */
export async function loadTargetPage(db: Database, { scanId, outcomes, after, limit }: TargetPage): Promise<ShownTargetRow[]> {
  const matches = outcomes === undefined ? sql`` : sql`and coalesce(kind, 'pending') = any(${sql.param(outcomes)}::text[])`;
  const beyond = after === undefined ? sql`` : sql`and (ordinal, target_id) > (${after.ordinal}, ${after.targetId}::uuid)`;
  const { rows } = await db.execute<ShownTargetRow>(sql`
    select ${shownColumns} from scan_target where scan_id = ${scanId} ${beyond} ${matches} order by ordinal, target_id limit ${limit}`);
  return rows;
}

export interface SkippedRow extends Record<string, unknown> {
  scan_id: string;
  target_id: string;
  kind: OutcomeKind;
  reason: string | null;
}

/** The first of each scan's targets that were not looked at to the end. */
export async function loadSkipped(db: Database | Transaction, scanIds: string[], most: number): Promise<SkippedRow[]> {
  if (scanIds.length === 0) return [];
  const { rows } = await db.execute<SkippedRow>(sql`
    select shown.* from unnest(${sql.param(scanIds)}::uuid[]) as wanted(id) cross join lateral (
      select scan_id, target_id, kind, reason from scan_target
      where scan_id = wanted.id and kind in ('partial', 'unreachable', 'skipped') order by ordinal, target_id limit ${most}) as shown`);
  return rows;
}

export interface ChangeRow extends Record<string, unknown> {
  scan_id: string;
  change: string;
  risk_ids: string[];
}

/** The first risks of each scan and change, one row for each: a scan may have tens of thousands of them. */
export async function loadChanges(db: Database | Transaction, scanIds: string[], most: number): Promise<ChangeRow[]> {
  const first: SQL = sql`
    select risk_id from scan_risk where scan_risk.scan_id = wanted.id and scan_risk.change = kind.change order by risk_id limit ${most}`;
  const { rows } = await db.execute<ChangeRow>(sql`
    select wanted.id as scan_id, kind.change, shown.risk_ids from unnest(${sql.param(scanIds)}::uuid[]) as wanted(id)
    cross join (values ('new_open'), ('still_open'), ('closed')) as kind(change)
    cross join lateral (select array_to_json(array_agg(risk_id order by risk_id)) as risk_ids from (${first}) as first) as shown where shown.risk_ids is not null`);
  return rows;
}
