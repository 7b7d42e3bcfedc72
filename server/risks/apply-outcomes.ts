import type { Engine } from "@periscan/engines/kit/engine.ts";
import { and, eq, inArray, sql } from "drizzle-orm";
import { v7 as uuidv7 } from "uuid";
import type { Transaction } from "../db/connect.ts";
import { risk, scanRisk, scanTarget } from "../db/schema.ts";
import { recordRiskEventsOfScan } from "../webhooks/record-risk-events.ts";

interface FinishedScan {
  scanId: string;
  workspaceId: string;
  engine: Engine;
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

async function openDetected(tx: Transaction, { scanId, workspaceId, engine }: FinishedScan): Promise<void> {
  const fresh = await tx.execute<{ id: number }>(sql`
    select detection.id from detection where scan_id = ${scanId}
      and not exists (select 1 from risk where risk.target_id = detection.target_id and risk.scan_type = ${engine.type} and risk.key = detection.key)`);
  // `first detected by this scan`, and what was closed and is back: both are news to whoever watches.
  await tx.execute(sql`
    insert into scan_risk (scan_id, risk_id, change, detection_id)
    select ${scanId}, risk.id, case when risk.closed_at <= scan_target.observed_at then 'new_open' else 'still_open' end, detection.id
    from detection join scan_target on scan_target.scan_id = detection.scan_id and scan_target.target_id = detection.target_id
    join risk on risk.target_id = detection.target_id and risk.scan_type = ${engine.type} and risk.key = detection.key
    where detection.scan_id = ${scanId}`);
  // Older evidence than what is known changes nothing: a scan that ends late does not open again what a later look found gone.
  await tx.execute(sql`
    update risk set status = 'OPEN', closed_at = null, scope = detection.scope, title = detection.title, threat_level = detection.threat_level,
      description = detection.description, solution = detection.solution, "references" = detection.references,
      additional_info = detection.additional_info, detail = detection.detail, last_detected_at = scan_target.observed_at
    from detection join scan_target on scan_target.scan_id = detection.scan_id and scan_target.target_id = detection.target_id
    where detection.scan_id = ${scanId} and greatest(risk.closed_at, risk.last_detected_at) <= scan_target.observed_at and risk.target_id = detection.target_id and risk.scan_type = ${engine.type} and risk.key = detection.key`);
  await insertRisks(tx, { scanId, workspaceId, scanType: engine.type, detectionIds: fresh.rows.map(({ id }) => Number(id)) });
}

interface NewRisks {
  scanId: string;
  workspaceId: string;
  scanType: string;
  detectionIds: number[];
}

const rowsPerInsert = 5000;

async function insertRisks(tx: Transaction, { scanId, workspaceId, scanType, detectionIds }: NewRisks): Promise<void> {
  for (let start = 0; start < detectionIds.length; start += rowsPerInsert) {
    const pairs = detectionIds.slice(start, start + rowsPerInsert).map((detectionId) => ({ detection_id: detectionId, risk_id: uuidv7() }));
    const list = sql`jsonb_to_recordset(${JSON.stringify(pairs)}::jsonb) as pair(detection_id bigint, risk_id uuid)`;
    await tx.execute(sql`
      insert into risk (id, workspace_id, target_id, scan_type, key, scope, title, threat_level, description, solution, "references", additional_info, detail,
        status, first_detected_at, last_detected_at)
      select pair.risk_id, ${workspaceId}, detection.target_id, ${scanType}, key, scope, title, threat_level, description, solution, "references", additional_info,
        detail, 'OPEN', scan_target.observed_at, scan_target.observed_at
      from ${list} join detection on detection.id = pair.detection_id
      join scan_target on scan_target.scan_id = detection.scan_id and scan_target.target_id = detection.target_id`);
    await tx.execute(sql`
      insert into scan_risk (scan_id, risk_id, change, detection_id) select ${scanId}, pair.risk_id, 'new_open', pair.detection_id from ${list}`);
  }
}

async function closeGone(tx: Transaction, { scanId, engine }: FinishedScan): Promise<void> {
  const open = await tx
    .select({ id: risk.id, scope: risk.scope, coverage: scanTarget.coverage })
    .from(scanTarget)
    .innerJoin(risk, and(eq(risk.targetId, scanTarget.targetId), eq(risk.scanType, engine.type), eq(risk.status, "OPEN")))
    .where(
      and(
        eq(scanTarget.scanId, scanId),
        eq(scanTarget.kind, "complete"),
        // A later look saw it: this scan's older evidence does not undo that.
        sql`${risk.lastDetectedAt} < ${scanTarget.observedAt}`,
        sql`not exists (select 1 from detection where detection.scan_id = ${scanId} and detection.target_id = ${risk.targetId} and detection.key = ${risk.key})`,
      ),
    );
  const gone = open.filter(({ coverage, scope }) => engine.covers(coverage, scope)).map(({ id }) => id);
  for (let start = 0; start < gone.length; start += rowsPerInsert) {
    const ids = gone.slice(start, start + rowsPerInsert);
    await tx
      .update(risk)
      .set({ status: "CLOSED", closedAt: sql`${scanTarget.observedAt}` })
      .from(scanTarget)
      .where(and(inArray(risk.id, ids), eq(scanTarget.scanId, scanId), eq(scanTarget.targetId, risk.targetId)));
    await tx.insert(scanRisk).values(ids.map((riskId) => ({ scanId, riskId, change: "closed" })));
  }
}
