import type { ScanType } from "@periscan/contract/scan.ts";
import { parseTarget } from "@periscan/contract/target-syntax.ts";
import { type ImportReport, maxReportOutcomes } from "@periscan/contract/worker-protocol.ts";
import type { Engine } from "@periscan/engines/kit/engine.ts";
import { findEngine } from "@periscan/engines/registry.ts";
import { eq, sql } from "drizzle-orm";
import { v7 as uuidv7 } from "uuid";
import { toStorableJson } from "../clean-text.ts";
import type { Database, Transaction } from "../db/connect.ts";
import { importFile, scan } from "../db/schema.ts";
import { ApiError } from "../errors/api-error.ts";
import { checkTargetAllowance } from "../limits/workspace-limit.ts";
import { checkEvidence, insertDetections } from "../outcomes/insert-detections.ts";
import { lockAttempt } from "./lock-attempt.ts";
import { renewLease } from "./task-rows.ts";

type Imported = ImportReport["outcomes"][number];

/**
 * Keeps some of the outcomes that an import's file tells of. A target that the scan has already is left as it is, so a report may come twice, and an
 * attempt may begin the file anew. Throws 409 once the attempt is over, 400 on what is not canonical or not the engine's, and where the workspace
 * may not have so many targets; then nothing of the report is kept.
 */
export async function recordImported(db: Database, taskId: string, { attempt, sequence, outcomes }: ImportReport): Promise<void> {
  await db.transaction(async (tx) => {
    const { scanId, type } = await lockAttempt(tx, taskId, attempt, "share");
    for (const [index, each] of outcomes.entries()) checkImported(type, each, `outcomes[${index}]`);
    const [owner] = await tx
      .select({ workspaceId: scan.workspaceId, receivedAt: importFile.receivedAt })
      .from(scan)
      .innerJoin(importFile, eq(importFile.scanId, scan.id))
      .where(eq(scan.id, scanId));
    if (!owner) throw new ApiError(400, "request.invalid", "This task reads no file.");
    const targetIds = await findTargets(tx, owner.workspaceId, outcomes);
    const fresh = await insertTargets(tx, { scanId, taskId, engine: findEngine(type), attempt, sequence, receivedAt: owner.receivedAt, targetIds, outcomes });
    const seen = fresh.flatMap(({ targetId, outcome }) => outcome.detections.map((detection) => ({ targetId, detection })));
    await insertDetections(tx, scanId, seen);
    await renewLease(tx, taskId, { learned: fresh.length > 0 });
  });
}

function checkImported(type: ScanType, { target, outcome }: Imported, field: string): void {
  const parsed = parseTarget(target);
  if (!parsed.ok || parsed.targets.length !== 1 || parsed.targets[0]?.text !== target)
    throw new ApiError(400, "request.invalid", `${field}.target is not a target in canonical form.`, { field: `${field}.target` });
  checkEvidence(type, outcome.detections, `${field}.outcome.detections`);
}

/** The ids of the targets, by their text. One that did not answer is only listed where it is a target already: a file of a whole network would add each address. */
async function findTargets(tx: Transaction, workspaceId: string, outcomes: Imported[]): Promise<Map<string, string>> {
  const looked = outcomes.filter(({ outcome }) => outcome.kind === "complete" || outcome.kind === "partial");
  // Sorted, so that two imports with the same new targets cannot wait for each other.
  const rows = [...new Set(looked.map(({ target }) => target))].sort().map((target) => ({ id: uuidv7(), target }));
  const made = await tx.execute(sql`
    insert into target (id, workspace_id, target)
    select id, ${workspaceId}, target from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) as row(id uuid, target text) order by target
    on conflict do nothing`);
  // Locked, so that none is deleted before its detections are there.
  const found = await tx.execute<{ id: string; target: string }>(sql`
    select id, target from target where workspace_id = ${workspaceId}
      and target in (select jsonb_array_elements_text(${JSON.stringify(outcomes.map(({ target }) => target))}::jsonb)) order by id for key share`);
  // Last: nobody who holds the workspace's limit waits for a target.
  if (made.rowCount) await checkTargetAllowance(tx, workspaceId);
  return new Map(found.rows.map(({ id, target }) => [target, id]));
}

interface Fresh {
  scanId: string;
  taskId: string;
  engine: Engine;
  attempt: number;
  sequence: number;
  receivedAt: Date;
  targetIds: Map<string, string>;
  outcomes: Imported[];
}

/** Adds the targets that the scan does not have yet, with their outcomes, and answers those. */
async function insertTargets(tx: Transaction, fresh: Fresh): Promise<{ targetId: string; outcome: Imported["outcome"] }[]> {
  const { scanId, taskId, engine, attempt, sequence, receivedAt, targetIds } = fresh;
  const byId = new Map<string, Imported["outcome"]>();
  const rows: object[] = [];
  for (const [index, { target, resolved_target, observed_at, outcome }] of fresh.outcomes.entries()) {
    const targetId = targetIds.get(target);
    if (targetId === undefined || byId.has(targetId)) continue;
    byId.set(targetId, outcome);
    const { kind, reason, coverage, notes, observations } = outcome;
    // Nothing was looked at after its file was here: a clock that ran ahead would make all later looks seem older.
    const observedAt = observed_at === undefined || new Date(observed_at) > receivedAt ? receivedAt.toISOString() : observed_at;
    const ordinal = (sequence - 1) * maxReportOutcomes + index;
    rows.push({
      target_id: targetId,
      target,
      ordinal,
      kind,
      reason,
      resolved_target,
      coverage,
      coverage_text: coverage === undefined ? undefined : engine.describeCoverage(coverage),
      notes,
      observations: observations ?? [],
      observed_at: observedAt,
    });
  }
  const added = await tx.execute<{ target_id: string }>(sql`
    insert into scan_target (scan_id, target_id, target, ordinal, task_id, kind, reason, resolved_target, coverage, coverage_text, notes, observations, attempt, sequence, observed_at)
    select ${scanId}, target_id, target, ordinal, ${taskId}, kind, reason, resolved_target, coverage, coverage_text,
      coalesce((select array_agg(note) from jsonb_array_elements_text(notes) as note), '{}'), observations, ${attempt}, ${sequence}, observed_at
    from jsonb_to_recordset(${toStorableJson(rows)}::jsonb) as row(target_id uuid, target text, ordinal int, kind text, reason text, resolved_target text,
      coverage jsonb, coverage_text text, notes jsonb, observations jsonb, observed_at timestamptz)
    on conflict do nothing returning target_id`);
  return added.rows.flatMap(({ target_id }) => {
    const outcome = byId.get(target_id);
    return outcome ? [{ targetId: target_id, outcome }] : [];
  });
}
