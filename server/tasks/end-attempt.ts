import type { ImportCounts } from "@periscan/contract/import-counts.ts";
import type { AttemptEnd } from "@periscan/contract/worker-protocol.ts";
import { and, count, eq, isNull, ne, sql } from "drizzle-orm";
import { cleanText } from "../clean-text.ts";
import type { Transaction } from "../db/connect.ts";
import { importFile, scanTarget, task } from "../db/schema.ts";
import { finishScan } from "../outcomes/finish-scan.ts";
import { skipMissing } from "../outcomes/skip-missing.ts";
import type { Services } from "../services.ts";
import { lockAttempt } from "./lock-attempt.ts";
import { findReader } from "./recall-import.ts";
import { endTask, requeueTask, type TaskError } from "./task-rows.ts";

/** Ends an attempt as its worker says. What has no outcome yet goes back to the queue, or is skipped with the reason. Throws 409 once the attempt is over. */
export async function endAttempt(services: Services, taskId: string, { attempt, error, import: counts }: AttemptEnd): Promise<void> {
  const requeued = await services.db.transaction(async (tx) => {
    const { scanId } = await lockAttempt(tx, taskId, attempt);
    if (counts) await keepCounts(tx, scanId, counts);
    return closeAttempt(tx, services.boss, { scanId, taskId, error });
  });
  if (requeued) services.bell.ring();
}

async function keepCounts(tx: Transaction, scanId: string, counts: ImportCounts): Promise<void> {
  await tx
    .update(importFile)
    .set({ counts: cleanText(counts) })
    .where(eq(importFile.scanId, scanId));
}

interface Ending {
  scanId: string;
  taskId: string;
  error: TaskError | undefined;
}

/** The same under a lock that the caller holds. True where the task was queued again. */
export async function closeAttempt(tx: Transaction, boss: Services["boss"], { scanId, taskId, error }: Ending): Promise<boolean> {
  const ending = await findCause(tx, taskId, error);
  if (ending?.retry && (await requeueTask(tx, taskId, ending))) return true;

  await endTask(tx, taskId, ending);
  if (ending) await skipMissing(tx, { scanId, taskId }, ending.message);
  const [open] = await tx
    .select({ tasks: count() })
    .from(task)
    .where(and(eq(task.scanId, scanId), ne(task.state, "ended")));
  if (open?.tasks === 0) await finishScan(tx, boss, scanId);
  return false;
}

/** Why something is left to do; undefined where nothing is. What a file still holds only its reader knows: its word is enough. */
async function findCause(tx: Transaction, taskId: string, error: TaskError | undefined): Promise<TaskError | undefined> {
  const [row] = await tx.select({ type: task.type }).from(task).where(eq(task.id, taskId));
  if (row?.type === "IMPORT") {
    if (!error) await markRead(tx, taskId);
    return error;
  }
  const [missing] = await tx
    .select({ targets: count() })
    .from(scanTarget)
    .where(and(eq(scanTarget.taskId, taskId), isNull(scanTarget.kind)));
  return (missing?.targets ?? 0) === 0 ? undefined : (error ?? silence);
}

/** What was read to its end by this version need not be read again. */
async function markRead(tx: Transaction, taskId: string): Promise<void> {
  const readBy = await findReader(tx, taskId);
  await tx.update(importFile).set({ readBy }).where(sql`${importFile.scanId} = (select scan_id from task where id = ${taskId})`);
}

/** An engine that ends well must have spoken of every target: silence is never taken for clean. */
const silence: TaskError = { code: "engine.silent", message: "The engine ended without a word on this target.", retry: true };
