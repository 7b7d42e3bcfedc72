import type { ScanType } from "@periscan/contract/scan.ts";
import { eq, sql } from "drizzle-orm";
import type { Transaction } from "../db/connect.ts";
import { scan } from "../db/schema.ts";
import { attemptOver } from "../errors/api-error.ts";
import { isId } from "../page.ts";

export type ScanRow = typeof scan.$inferSelect;

/** The scan's row is the lock of the scan's life: whatever changes its tasks, outcomes or state takes it first, so none can wait in a circle. */
export async function lockScan(tx: Transaction, scanId: string): Promise<ScanRow | undefined> {
  const [row] = await tx.select().from(scan).where(eq(scan.id, scanId)).for("update");
  return row;
}

/**
 * Locks the scan of a task and answers its id and type. Throws 409 unless `attempt` is the task's newest and still running. `share` lets others in that
 * share it: for what adds rows that do not depend on each other, and keeps out whatever would end the attempt.
 */
export async function lockAttempt(
  tx: Transaction,
  taskId: string,
  attempt: number,
  lock: "update" | "share" = "update",
): Promise<{ scanId: string; type: ScanType }> {
  if (!isId(taskId)) throw attemptOver();
  const found = await tx.execute<{ scan_id: string; type: ScanType }>(sql`
    select scan.id as scan_id, scan.type as type from scan join task on task.scan_id = scan.id where task.id = ${taskId} for ${sql.raw(lock)} of scan`);
  const [owner] = found.rows;
  // Read again under the lock: the row above may be older than the change that held it.
  const live = await tx.execute(sql`select 1 from task where id = ${taskId} and attempt = ${attempt} and state = 'running'`);
  if (!owner || live.rows.length === 0) throw attemptOver();
  return { scanId: owner.scan_id, type: owner.type };
}
