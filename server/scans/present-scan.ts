import type { ImportCounts } from "@periscan/contract/import-counts.ts";
import type { OutcomeKind } from "@periscan/contract/outcome.ts";
import type { EngineContent, Scan, ScanTarget, ScanType } from "@periscan/contract/scan.ts";
import { findEngine } from "@periscan/engines/registry.ts";
import { sql } from "drizzle-orm";
import type { Database, Transaction } from "../db/connect.ts";
import { isOneOf } from "../db/is-one-of.ts";
import { isoTime } from "../db/iso-time.ts";
import { readTogether } from "../db/read-together.ts";
import { importFile, result, scan, scanRisk, scanTarget } from "../db/schema.ts";
import { presentImport } from "../imports/describe-import.ts";

// What is shown is read as the database driver gives it, dates as text: a page of scans has thousands of rows, of which drizzle would map each column.

/** A target of a scan with its outcome, without what engines observed of it: that is no part of how it is shown, and most of its row. */
export interface ShownTargetRow extends Record<string, unknown> {
  scan_id: string;
  target_id: string;
  target: string;
  kind: OutcomeKind | null;
  reason: string | null;
  resolved_target: string | null;
  coverage: unknown;
  notes: string[];
  engine_version: string | null;
  content: EngineContent[];
  has_native: boolean;
  attempt: number | null;
  observed_at: string | null;
}

/** The targets of these scans with their outcomes, in the order of the request. */
export async function loadShownTargets(db: Database | Transaction, scanIds: string[]): Promise<ShownTargetRow[]> {
  const { rows } = await db.execute<ShownTargetRow>(sql`
    select scan_id, target_id, target, kind, reason, resolved_target, coverage, notes, engine_version, content, has_native, attempt, ${isoTime(scanTarget.observedAt)} as observed_at
    from ${scanTarget} where ${isOneOf(scanTarget.scanId, scanIds)} order by ordinal`);
  return rows;
}

interface HeadRow extends Pick<Scan, "id" | "type" | "state" | "progress" | "options" | "created_at">, Record<string, unknown> {
  source_id: string | null;
  import_counts: ImportCounts | null;
  scheduled_by: string | null;
  error_code: string | null;
  error_message: string | null;
  started_at: string | null;
  finished_at: string | null;
}

async function loadHeads(db: Database | Transaction, scanIds: string[]): Promise<HeadRow[]> {
  const { rows } = await db.execute<HeadRow>(sql`
    select id, type, state, progress, options, source_id, scheduled_by, error_code, error_message, ${isoTime(scan.createdAt)} as created_at, ${isoTime(scan.startedAt)} as started_at,
      ${isoTime(scan.finishedAt)} as finished_at,
      (select counts from ${importFile} where ${importFile.scanId} = ${scan.id}) as import_counts from ${scan} where ${isOneOf(scan.id, scanIds)} order by id desc`);
  return rows;
}

type File = Scan["results"][number];
interface ChangeRow extends Record<string, unknown> {
  scan_id: string;
  change: string;
  risk_ids: string[];
}

/** One row for each kind of change: a scan may have tens of thousands of risks. */
async function loadChanges(db: Database | Transaction, scanIds: string[]): Promise<ChangeRow[]> {
  const { rows } = await db.execute<ChangeRow>(sql`
    select scan_id, change, array_to_json(array_agg(risk_id order by risk_id)) as risk_ids from scan_risk where ${isOneOf(scanRisk.scanId, scanIds)} group by scan_id, change`);
  return rows;
}

async function loadFiles(db: Database | Transaction, scanIds: string[]) {
  const { rows } = await db.execute<{ scan_id: string; id: string; content_type: File["content_type"] }>(sql`
    select scan_id, id, content_type from result where ${isOneOf(result.scanId, scanIds)} order by id`);
  return rows;
}

/** These scans as the API shows them, newest first; four queries however many there are. The scans first: of one that is final, so is what is read after it. */
export async function presentScans(db: Database | Transaction, ids: string[]): Promise<Scan[]> {
  if (ids.length === 0) return [];
  const heads = await loadHeads(db, ids);
  const [targetRows, fileRows, changeRows] = await readTogether(
    db,
    () => loadShownTargets(db, ids),
    () => loadFiles(db, ids),
    () => loadChanges(db, ids),
  );
  const targets = Map.groupBy(targetRows, ({ scan_id }) => scan_id);
  const files = Map.groupBy(fileRows, ({ scan_id }) => scan_id);
  const risks = Map.groupBy(changeRows, ({ scan_id }) => scan_id);
  return heads.map((row) => {
    const changes = (change: string) =>
      risks
        .get(row.id)
        ?.find((each) => each.change === change)
        ?.risk_ids.map((risk_id) => ({ risk_id })) ?? [];
    return {
      ...presentHead(row),
      results: (files.get(row.id) ?? []).map(({ id, content_type }) => ({ result_id: id, content_type })),
      ...presentTargets(row.type, targets.get(row.id) ?? []),
      risks: { new_open: changes("new_open"), still_open: changes("still_open"), closed: changes("closed") },
    };
  });
}

function presentHead(row: HeadRow) {
  return {
    id: row.id,
    type: row.type,
    state: row.state,
    progress: row.progress,
    options: row.options,
    ...(row.source_id === null ? {} : { source_id: row.source_id }),
    ...(row.import_counts === null ? {} : { import: presentImport(row.import_counts) }),
    ...(row.error_code === null ? {} : { error: { code: row.error_code, message: row.error_message ?? "" } }),
    ...(row.scheduled_by === null ? {} : { scheduled_by: row.scheduled_by }),
    created_at: row.created_at,
    ...(row.started_at === null ? {} : { started_at: row.started_at }),
    ...(row.finished_at === null ? {} : { finished_at: row.finished_at }),
  };
}

function presentTargets(type: ScanType, rows: ShownTargetRow[]) {
  return {
    requested_targets: rows.map(({ target_id, target }) => ({ target_id, target })),
    resolved_targets: rows.flatMap(({ target_id, resolved_target }) => (resolved_target === null ? [] : [{ target_id, resolved_target }])),
    skipped_targets: rows.flatMap(({ target_id, kind, reason }) =>
      kind === null || kind === "complete" ? [] : [{ target_id, skipped_reason: reason ?? kind }],
    ),
    targets: rows.map((row) => presentTarget(type, row)),
  };
}

/** One target of a scan with its outcome so far. */
export function presentTarget(type: ScanType, row: ShownTargetRow): ScanTarget {
  return {
    target_id: row.target_id,
    target: row.target,
    outcome: row.kind ?? "pending",
    ...(row.reason === null ? {} : { reason: row.reason }),
    ...(row.resolved_target === null ? {} : { resolved_target: row.resolved_target }),
    ...(row.coverage === null ? {} : { coverage: findEngine(type).describeCoverage(row.coverage) }),
    notes: row.notes,
    ...(row.observed_at === null ? {} : { observed_at: row.observed_at }),
  };
}
