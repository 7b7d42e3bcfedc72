import type { Engine } from "@periscan/engines/kit/engine.ts";
import { sql } from "drizzle-orm";
import type { Transaction } from "../db/connect.ts";
import { recordRiskEventsOfScan } from "../events/record-risk-events.ts";
import { findCovered, looksOf } from "./find-covered.ts";

interface FinishedScan {
  scanId: string;
  workspaceId: string;
  engine: Engine;
  isImport: boolean;
}

/**
 * Moves the risks of a scan's targets: each detection opens its risk or keeps it open; an open risk of the same scan type closes where a
 * complete outcome looked at its scope and did not see it. Nothing else changes a risk: a target that was not looked at keeps its own.
 */
export async function applyOutcomes(tx: Transaction, finished: FinishedScan): Promise<void> {
  await lockTargets(tx, finished.scanId);
  await openDetected(tx, finished);
  await closeGone(tx, finished);
  await recordRiskEventsOfScan(tx, finished);
}

/** Two scans of one target that end together take turns; in the order of ids, so that they cannot wait in a circle. */
async function lockTargets(tx: Transaction, scanId: string): Promise<void> {
  await tx.execute(sql`
    select 1 from target where id in (select target_id from scan_target where scan_id = ${scanId}) order by id for no key update`);
}

/**
 * Each detection of the scan, when it was seen, and the risk that it is of where there is one. `offset 0` holds the planner to one look at an index for
 * each row: of rows that the same transaction wrote it has no statistics, and has joined 30,000 with 30,000 one by one.
 */
const seenBy = ({ scanId, engine }: FinishedScan) => sql`(
  select detection.*, mine.observed_at as at, known.id as known_id, known.closed_at as known_closed_at
  from scan_target as mine
  cross join lateral (select * from detection where detection.scan_id = mine.scan_id and detection.target_id = mine.target_id offset 0) as detection
  left join lateral (
    select risk.id, risk.closed_at from risk
    where risk.target_id = detection.target_id and risk.scan_type = ${engine.type} and risk.key = detection.key offset 0) as known on true
  where mine.scan_id = ${scanId}) as seen`;

async function openDetected(tx: Transaction, finished: FinishedScan): Promise<void> {
  const { scanId } = finished;
  const outdated = await findOutdated(tx, finished);
  const seen = seenBy(finished);
  // `first detected by this scan`, and what was closed and is back: both are news to whoever watches.
  await tx.execute(sql`
    insert into scan_risk (scan_id, risk_id, change, detection_id)
    select ${scanId}, known_id, case when known_closed_at <= at then 'new_open' else 'still_open' end, id from ${seen} where known_id is not null`);
  // A file may say less of where it looked than a scan of ours: with its scope, no scan could close the risk any more.
  const scope = finished.isImport ? sql`risk.scope` : sql`seen.scope`;
  // Older evidence than what is known changes nothing: a scan that ends late does not open again what a later look found gone. Nor does the same
  // evidence, such as a file that is imported twice.
  await tx.execute(sql`
    update risk set status = 'OPEN', closed_at = null, scope = ${scope}, title = seen.title, threat_level = seen.threat_level,
      description = seen.description, solution = seen.solution, "references" = seen.references,
      additional_info = seen.additional_info, detail = seen.detail, last_detected_at = seen.at
    from ${seen}
    where risk.id = seen.known_id and greatest(risk.closed_at, risk.last_detected_at) <= seen.at
      and (risk.status <> 'OPEN' or risk.last_detected_at < seen.at
        or (risk.scope, risk.title, risk.threat_level, risk.description, risk.solution, risk.references, risk.additional_info, risk.detail) is distinct from
          (${scope}, seen.title, seen.threat_level, seen.description, seen.solution, seen.references, seen.additional_info, seen.detail))`);
  await insertRisks(tx, finished, outdated);
}

const targetsAtOnce = 50;

/**
 * The detections of no known risk that a later look would have seen, and did not: an old file tells of what was, and opens nothing that is known
 * to be gone.
 */
async function findOutdated(tx: Transaction, { scanId, engine }: FinishedScan): Promise<number[]> {
  const later = sql`scan_target as mine
    join scan_target as later on later.target_id = mine.target_id and later.kind = 'complete' and later.observed_at > mine.observed_at
    join scan on scan.id = later.scan_id and scan.type = ${engine.type} and scan.finished_at is not null
    where mine.scan_id = ${scanId} and mine.kind in ('complete', 'partial')`;
  const { rows: targets } = await tx.execute<{ id: string }>(sql`select distinct mine.target_id as id from ${later}`);
  const outdated: number[] = [];
  for (let start = 0; start < targets.length; start += targetsAtOnce) {
    const ids = sql.param(targets.slice(start, start + targetsAtOnce).map(({ id }) => id));
    const { rows: fresh } = await tx.execute<{ id: string; scope: string; target_id: string }>(sql`
      select id, scope, target_id from detection where scan_id = ${scanId} and target_id = any(${ids}::uuid[]) and not exists (
        select 1 from risk where risk.target_id = detection.target_id and risk.scan_type = ${engine.type} and risk.key = detection.key offset 0)`);
    if (fresh.length === 0) continue;
    const { rows: looks } = await tx.execute<{ scan_id: string; target_id: string }>(sql`
      select later.scan_id, later.target_id from ${later} and mine.target_id = any(${ids}::uuid[])`);
    const gone = await findCovered(tx, { engine, places: fresh, looks });
    for (const { id } of gone) outdated.push(Number(id));
  }
  return outdated;
}

async function insertRisks(tx: Transaction, finished: FinishedScan, outdated: number[]): Promise<void> {
  const { scanId, workspaceId, engine } = finished;
  // What is kept of a row until the end of the statement is narrow: whole rows would go to the disk and back.
  await tx.execute(sql`
    with fresh as materialized (
      select id, at, uuidv7() as risk_id from ${seenBy(finished)}
      where known_id is null and id not in (select jsonb_array_elements_text(${JSON.stringify(outdated)}::jsonb)::bigint) order by id),
    opened as (
      insert into risk (id, workspace_id, target_id, tag_set, scan_type, key, scope, title, threat_level, description, solution, "references", additional_info, detail,
        status, first_detected_at, last_detected_at)
      select risk_id, ${workspaceId}, target_id, tag_set, ${engine.type}, key, scope, title, threat_level, description, solution, "references", additional_info, detail,
        'OPEN', at, at
      from fresh cross join lateral (
        select detection.*, target.tag_set from detection join target on target.id = detection.target_id where detection.id = fresh.id offset 0) as seen)
    insert into scan_risk (scan_id, risk_id, change, detection_id) select ${scanId}, risk_id, 'new_open', id from fresh`);
}

async function closeGone(tx: Transaction, { scanId, engine }: FinishedScan): Promise<void> {
  // A later look may have seen it: this scan's older evidence does not undo that.
  const { rows: unseen } = await tx.execute<{ id: string; scope: string; target_id: string }>(sql`
    select risk.id, risk.scope, risk.target_id from scan_target
    join risk on risk.target_id = scan_target.target_id and risk.scan_type = ${engine.type} and risk.status = 'OPEN'
    where scan_target.scan_id = ${scanId} and scan_target.kind = 'complete' and risk.last_detected_at < scan_target.observed_at and not exists (
      select 1 from detection where detection.scan_id = ${scanId} and detection.target_id = risk.target_id and detection.key = risk.key offset 0)`);
  const gone = await findCovered(tx, { engine, places: unseen, looks: looksOf(scanId, unseen) });
  if (gone.length === 0) return;
  const ids = sql.param(gone.map(({ id }) => id));
  await tx.execute(sql`
    update risk set status = 'CLOSED', closed_at = scan_target.observed_at from scan_target
    where risk.id = any(${ids}::uuid[]) and scan_target.scan_id = ${scanId} and scan_target.target_id = risk.target_id`);
  await tx.execute(sql`insert into scan_risk (scan_id, risk_id, change) select ${scanId}, id, 'closed' from unnest(${ids}::uuid[]) as id`);
}
