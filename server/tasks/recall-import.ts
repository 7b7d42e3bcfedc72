import { and, desc, eq, isNotNull, ne, sql } from "drizzle-orm";
import type { Database, Transaction } from "../db/connect.ts";
import { importFile, scan, task, worker } from "../db/schema.ts";
import { ApiError } from "../errors/api-error.ts";
import { findImportFile } from "../outcomes/import-file.ts";
import { lockAttempt } from "./lock-attempt.ts";
import { renewLease } from "./task-rows.ts";

/** The newest import of the same bytes as the same type and of the same target that was read to its end. */
export async function findEarlier(tx: Transaction, scanId: string): Promise<{ scanId: string; readBy: string | null } | undefined> {
  const [own] = await tx.select().from(importFile).innerJoin(scan, eq(scan.id, importFile.scanId)).where(eq(importFile.scanId, scanId));
  if (!own) return undefined;
  const [earlier] = await tx
    .select({ scanId: importFile.scanId, readBy: importFile.readBy })
    .from(importFile)
    .innerJoin(scan, eq(scan.id, importFile.scanId))
    .where(
      and(
        eq(importFile.sha256, own.import_file.sha256),
        ne(importFile.scanId, scanId),
        isNotNull(importFile.readBy),
        sql`${importFile.target} is not distinct from ${own.import_file.target}`,
        eq(scan.workspaceId, own.scan.workspaceId),
        eq(scan.type, own.scan.type),
      ),
    )
    .orderBy(desc(importFile.scanId))
    .limit(1);
  return earlier;
}

/**
 * Takes over what an earlier import of the same file told, instead of reading it again. False where there is none, where another version of the reader
 * read it, or where a target of it was deleted since: then the file is read. Throws 409 once the attempt is over.
 */
export async function recallImport(db: Database, taskId: string, attempt: number): Promise<boolean> {
  return db.transaction(async (tx) => {
    const { scanId } = await lockAttempt(tx, taskId, attempt);
    if (!(await findImportFile(tx, scanId))) throw new ApiError(400, "request.invalid", "This task reads no file.");
    const earlier = await findEarlier(tx, scanId);
    if (!earlier || earlier.readBy !== (await findReader(tx, taskId))) return false;
    const from = earlier.scanId;
    // Locked as an outcome does, so that none is deleted before its detections are there.
    const alive = await tx.execute(sql`
      select 1 from target where id in (select target_id from scan_target where scan_id = ${from}) order by id for key share`);
    const told = await tx.execute(sql`select 1 from scan_target where scan_id = ${from}`);
    if (alive.rowCount !== told.rowCount) return false;
    await copyOutcomes(tx, { from, scanId, taskId, attempt });
    await renewLease(tx, taskId, { progress: 0.5 });
    return true;
  });
}

/** The version of the worker that has the task. */
export async function findReader(tx: Transaction, taskId: string): Promise<string | null> {
  const [row] = await tx.select({ version: worker.version }).from(task).innerJoin(worker, eq(worker.name, task.workerName)).where(eq(task.id, taskId));
  return row?.version ?? null;
}

interface Copy {
  from: string;
  scanId: string;
  taskId: string;
  attempt: number;
}

async function copyOutcomes(tx: Transaction, { from, scanId, taskId, attempt }: Copy): Promise<void> {
  await tx.execute(sql`
    insert into scan_target (scan_id, target_id, target, ordinal, task_id, kind, reason, resolved_target, coverage, coverage_text, notes, observations, attempt, sequence, observed_at)
    select ${scanId}, target_id, target, ordinal, ${taskId}, kind, reason, resolved_target, coverage, coverage_text, notes, observations, ${attempt}, sequence, observed_at
    from scan_target where scan_id = ${from}
    on conflict do nothing`);
  await tx.execute(sql`
    insert into detection (scan_id, target_id, key, scope, title, threat_level, description, solution, "references", additional_info, detail)
    select ${scanId}, target_id, key, scope, title, threat_level, description, solution, "references", additional_info, detail
    from detection where scan_id = ${from} order by id
    on conflict do nothing`);
  await tx.execute(sql`
    update import_file set counts = earlier.counts from import_file as earlier where import_file.scan_id = ${scanId} and earlier.scan_id = ${from}`);
}
