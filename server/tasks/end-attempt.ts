import type { ImportCounts } from "@periscan/contract/import-counts.ts";
import type { AttemptEnd } from "@periscan/contract/worker-protocol.ts";
import { and, count, eq, isNull, ne, sql } from "drizzle-orm";
import { cleanText } from "../clean-text.ts";
import type { Transaction } from "../db/connect.ts";
import { importFile, scanTarget, task } from "../db/schema.ts";
import { finishScan } from "../outcomes/finish-scan.ts";
import { importType } from "../outcomes/import-file.ts";
import { countTargets } from "../present/count-targets.ts";
import { queuedHours } from "../scans/create-scan.ts";
import type { Services } from "../services.ts";
import { lockAttempt } from "./lock-attempt.ts";
import { findReader } from "./recall-import.ts";

/** So many attempts in a row may end without one new outcome. */
const maxFailures = 4;

export type AttemptError = NonNullable<AttemptEnd["error"]>;

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
  error: AttemptError | undefined;
}

/** The same under a lock that the caller holds. True where the task was queued again. */
export async function closeAttempt(tx: Transaction, boss: Services["boss"], { scanId, taskId, error }: Ending): Promise<boolean> {
  const ending = await findCause(tx, taskId, error);
  if (ending?.retry && (await requeue(tx, taskId, ending))) return true;

  await tx
    .update(task)
    .set({ state: "ended", leaseUntil: null, errorCode: ending?.code ?? null, errorMessage: ending?.message ?? null })
    .where(eq(task.id, taskId));
  if (ending) await skipMissing(tx, { scanId, taskId, message: ending.message });
  const [open] = await tx
    .select({ tasks: count() })
    .from(task)
    .where(and(eq(task.scanId, scanId), ne(task.state, "ended")));
  if (open?.tasks === 0) await finishScan(tx, boss, scanId);
  return false;
}

/** Why something is left to do; undefined where nothing is. What a file still holds only its reader knows: its word is enough. */
async function findCause(tx: Transaction, taskId: string, error: AttemptError | undefined): Promise<AttemptError | undefined> {
  const [row] = await tx.select({ type: task.type }).from(task).where(eq(task.id, taskId));
  if (row?.type === importType) {
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
const silence: AttemptError = { code: "engine.silent", message: "The engine ended without a word on this target.", retry: true };

/** False where the task failed too often. The pause grows with each failure. */
async function requeue(tx: Transaction, taskId: string, error: AttemptError): Promise<boolean> {
  const rows = await tx
    .update(task)
    .set({
      state: "queued",
      leaseUntil: null,
      failures: sql`failures + 1`,
      // It waits anew: a scan may have run for longer than a task may wait.
      queuedUntil: sql`now() + make_interval(hours => ${queuedHours})`,
      availableAt: sql`now() + make_interval(secs => failures)`,
      errorCode: error.code,
      errorMessage: error.message,
    })
    .where(and(eq(task.id, taskId), sql`failures + 1 < ${maxFailures}`))
    .returning({ id: task.id });
  return rows.length > 0;
}

async function skipMissing(tx: Transaction, { scanId, taskId, message }: { scanId: string; taskId: string; message: string }): Promise<void> {
  await tx
    .update(scanTarget)
    .set({ kind: "skipped", reason: `Not scanned to the end: ${message}`, observedAt: sql`now()` })
    .where(and(eq(scanTarget.taskId, taskId), isNull(scanTarget.kind)));
  await countTargets(tx, scanId);
}
