import type { ScanType } from "@periscan/contract/scan.ts";
import type { Heartbeat, OutcomeReport } from "@periscan/contract/worker-protocol.ts";
import { findEngine } from "@periscan/engines/registry.ts";
import { and, eq, isNull, sql } from "drizzle-orm";
import { cleanText } from "../clean-text.ts";
import type { Database, Transaction } from "../db/connect.ts";
import { scanTarget } from "../db/schema.ts";
import { ApiError, attemptOver } from "../errors/api-error.ts";
import { checkEvidence, insertDetections } from "../outcomes/insert-detections.ts";
import { countedTargets } from "../present/count-targets.ts";
import { lockAttempt } from "./lock-attempt.ts";
import { renewLease } from "./task-rows.ts";

/** `worker.seen_at` is refreshed at most every so many seconds: a worker has a heartbeat for each of its tasks. */
const seenEverySeconds = 5;

/** Keeps the lease and moves the progress. Throws 409 once the attempt is over. */
export async function heartbeat(db: Database, taskId: string, { attempt, progress }: Heartbeat): Promise<void> {
  await db.transaction(async (tx) => {
    const { scanId } = await lockAttempt(tx, taskId, attempt);
    await renewLease(tx, taskId, { progress });
    await noteAlive(tx, taskId);
    await updateProgress(tx, { scanId, taskId });
  });
}

/** A worker whose slots are all taken claims nothing, and is alive all the same. */
async function noteAlive(tx: Transaction, taskId: string): Promise<void> {
  await tx.execute(sql`
    update worker set seen_at = now() from task
    where task.id = ${taskId} and worker.name = task.worker_name and worker.seen_at < now() - make_interval(secs => ${seenEverySeconds})`);
}

/** Keeps one target's outcome. One that was sent before is accepted and changes nothing. Throws 409 once the attempt is over, 400 on evidence that is not the engine's. */
export async function recordOutcome(db: Database, taskId: string, given: OutcomeReport): Promise<void> {
  const report = cleanText(given);
  await db.transaction(async (tx) => {
    const { scanId, type } = await lockAttempt(tx, taskId, report.attempt);
    checkEvidence(type, report.outcome.detections, "outcome.detections");
    const written = await writeOutcome(tx, { taskId, type, report });
    if (!written) return refuseUnlessResent(tx, taskId, report);
    await keepDetections(tx, scanId, report);
    await renewLease(tx, taskId, { learned: true });
    await updateProgress(tx, { scanId, taskId });
  });
}

async function writeOutcome(tx: Transaction, { taskId, type, report }: { taskId: string; type: ScanType; report: OutcomeReport }): Promise<boolean> {
  const { outcome } = report;
  const rows = await tx
    .update(scanTarget)
    .set({
      kind: outcome.kind,
      reason: outcome.reason ?? null,
      resolvedTarget: report.resolved_target ?? null,
      coverage: outcome.coverage ?? null,
      coverageText: outcome.coverage === undefined ? null : findEngine(type).describeCoverage(outcome.coverage),
      notes: outcome.notes,
      engineVersion: report.engine_version ?? null,
      content: report.content ?? [],
      observations: outcome.observations ?? [],
      hasNative: report.has_native,
      attempt: report.attempt,
      sequence: report.sequence,
      observedAt: sql`now()`,
    })
    .where(and(eq(scanTarget.taskId, taskId), eq(sql`${scanTarget.targetId}::text`, report.target_id), isNull(scanTarget.kind)))
    .returning({ targetId: scanTarget.targetId });
  return rows.length === 1;
}

async function refuseUnlessResent(tx: Transaction, taskId: string, report: OutcomeReport): Promise<void> {
  const [known] = await tx
    .select({ attempt: scanTarget.attempt, sequence: scanTarget.sequence })
    .from(scanTarget)
    .where(and(eq(scanTarget.taskId, taskId), eq(sql`${scanTarget.targetId}::text`, report.target_id)));
  if (!known) throw new ApiError(400, "request.invalid", "target_id is not a target of this task.", { field: "target_id" });
  if (known.attempt !== report.attempt || known.sequence !== report.sequence) throw attemptOver();
}

async function keepDetections(tx: Transaction, scanId: string, { target_id, outcome }: OutcomeReport): Promise<void> {
  // A target that was deleted meanwhile took its risks with it, and this lock keeps one from being deleted under us.
  const alive = await tx.execute(sql`select 1 from target where id = ${target_id} for key share`);
  if (alive.rows.length === 0) return;
  await insertDetections(
    tx,
    scanId,
    outcome.detections.map((detection) => ({ targetId: target_id, detection })),
  );
}

/** Done targets, plus each running attempt's share of those that are left; of an import the share of its file. It never runs backwards, and 100 is for the end alone. */
async function updateProgress(tx: Transaction, { scanId, taskId }: { scanId: string; taskId: string }): Promise<void> {
  const reading = await tx.execute(sql`
    update scan set progress = greatest(scan.progress, least(99, floor(100 * task.progress)::int)),
      target_counts = (select ${countedTargets} from scan_target where scan_id = ${scanId}) from task
    where scan.id = ${scanId} and task.id = ${taskId} and task.type = 'IMPORT'`);
  if (reading.rowCount === 1) return;
  await tx.execute(sql`
    with part as (
      select count(*) filter (where scan_target.kind is not null) as done,
             count(*) as total,
             ${countedTargets} as counts,
             coalesce(sum(task.progress) filter (where scan_target.kind is null and task.state = 'running'), 0) as running
      from scan_target left join task on task.id = scan_target.task_id where scan_target.scan_id = ${scanId})
    update scan set target_counts = part.counts, progress = greatest(scan.progress, least(99, floor(100 * (part.done + part.running) / part.total)::int))
    from part where scan.id = ${scanId}`);
}
