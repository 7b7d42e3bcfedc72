import type { ImportCounts } from "@periscan/contract/import-counts.ts";
import type { Scan, ScanTarget } from "@periscan/contract/scan.ts";
import { sql } from "drizzle-orm";
import type { Database, Transaction } from "../db/connect.ts";
import { isOneOf } from "../db/is-one-of.ts";
import { isoTime } from "../db/iso-time.ts";
import { readTogether } from "../db/read-together.ts";
import { importFile, result, scan } from "../db/schema.ts";
import { countedRisks, countedTargets } from "./count-targets.ts";
import { presentImport } from "./describe-import.ts";
import { loadChanges, loadShownTargets, loadSkipped, type ShownTargetRow, type SkippedRow } from "./load-shown.ts";

/** How much of a scan is shown: of each list of targets, and of each list of risks. */
export interface ShownParts {
  targets: number;
  risks: number;
}

/** In a list and in an event. */
export const shownInLists: ShownParts = { targets: 100, risks: 100 };

/** Alone; `GET /v1/scans/{id}/targets` and `GET /v1/risks` have the rest. */
export const shownAlone: ShownParts = { targets: 1000, risks: 100_000 };

interface HeadRow
  extends Pick<Scan, "id" | "type" | "state" | "progress" | "options" | "created_at" | "target_counts" | "risk_counts">,
    Record<string, unknown> {
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
    select id, type, state, progress, options, source_id, scheduled_by, error_code, error_message, ${isoTime(scan.createdAt)} as created_at,
      coalesce(target_counts, (select ${countedTargets} from scan_target where scan_id = scan.id)) as target_counts,
      coalesce(risk_counts, (select ${countedRisks} from scan_risk where scan_id = scan.id)) as risk_counts,
      (select counts from ${importFile} where ${importFile.scanId} = ${scan.id}) as import_counts,
      ${isoTime(scan.startedAt)} as started_at, ${isoTime(scan.finishedAt)} as finished_at from ${scan} where ${isOneOf(scan.id, scanIds)} order by id desc`);
  return rows;
}

type File = Scan["results"][number];

async function loadFiles(db: Database | Transaction, scanIds: string[]) {
  const { rows } = await db.execute<{ scan_id: string; id: string; content_type: File["content_type"] }>(sql`
    select scan_id, id, content_type from result where ${isOneOf(result.scanId, scanIds)} order by id`);
  return rows;
}

/** These scans as the API shows them, newest first; a few queries however many there are. The scans first: of one that is final, so is what is read after it. */
export async function presentScans(db: Database | Transaction, ids: string[], parts: ShownParts): Promise<Scan[]> {
  if (ids.length === 0) return [];
  const heads = await loadHeads(db, ids);
  const [targetRows, skippedRows, fileRows, changeRows] = await readTogether(
    db,
    () => loadShownTargets(db, ids, parts.targets),
    () =>
      loadSkipped(
        db,
        heads.filter(mayHaveSkipped).map(({ id }) => id),
        parts.targets,
      ),
    () => loadFiles(db, ids),
    () =>
      loadChanges(
        db,
        heads.filter(isEnded).map(({ id }) => id),
        parts.risks,
      ),
  );
  const targets = Map.groupBy(targetRows, ({ scan_id }) => scan_id);
  const skipped = Map.groupBy(skippedRows, ({ scan_id }) => scan_id);
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
      ...presentTargets(targets.get(row.id) ?? [], skipped.get(row.id) ?? []),
      risks: { new_open: changes("new_open"), still_open: changes("still_open"), closed: changes("closed") },
    };
  });
}

const isEnded = ({ finished_at }: HeadRow): boolean => finished_at !== null;

/** The counts of an import that is read are some seconds old. */
const mayHaveSkipped = (row: HeadRow): boolean => {
  const { partial, unreachable, skipped } = row.target_counts;
  return partial + unreachable + skipped > 0 || !isEnded(row);
};

function presentHead(row: HeadRow) {
  return {
    id: row.id,
    type: row.type,
    state: row.state,
    progress: row.progress,
    options: row.options,
    target_counts: row.target_counts,
    risk_counts: row.risk_counts,
    ...(row.source_id === null ? {} : { source_id: row.source_id }),
    ...(row.import_counts === null ? {} : { import: presentImport(row.import_counts) }),
    ...(row.error_code === null ? {} : { error: { code: row.error_code, message: row.error_message ?? "" } }),
    ...(row.scheduled_by === null ? {} : { scheduled_by: row.scheduled_by }),
    created_at: row.created_at,
    ...(row.started_at === null ? {} : { started_at: row.started_at }),
    ...(row.finished_at === null ? {} : { finished_at: row.finished_at }),
  };
}

function presentTargets(rows: ShownTargetRow[], skipped: SkippedRow[]) {
  return {
    requested_targets: rows.map(({ target_id, target }) => ({ target_id, target })),
    resolved_targets: rows.flatMap(({ target_id, resolved_target }) => (resolved_target === null ? [] : [{ target_id, resolved_target }])),
    skipped_targets: skipped.map(({ target_id, kind, reason }) => ({ target_id, skipped_reason: reason ?? kind })),
    targets: rows.map(presentTarget),
  };
}

/** One target of a scan with its outcome so far. */
export function presentTarget(row: ShownTargetRow): ScanTarget {
  return {
    target_id: row.target_id,
    target: row.target,
    outcome: row.kind ?? "pending",
    ...(row.reason === null ? {} : { reason: row.reason }),
    ...(row.resolved_target === null ? {} : { resolved_target: row.resolved_target }),
    ...(row.coverage_text === null ? {} : { coverage: row.coverage_text }),
    notes: row.notes,
    ...(row.observed_at === null ? {} : { observed_at: row.observed_at }),
  };
}
