import { and, eq, isNull, sql } from "drizzle-orm";
import type { Transaction } from "../db/connect.ts";
import { scanTarget } from "../db/schema.ts";
import { countTargets } from "../present/count-targets.ts";

/** Names the targets of a scan, or of one task of it, that have no outcome yet as skipped, with the reason why none comes any more. */
export async function skipMissing(tx: Transaction, { scanId, taskId }: { scanId: string; taskId?: string }, message: string): Promise<void> {
  const which = taskId === undefined ? eq(scanTarget.scanId, scanId) : eq(scanTarget.taskId, taskId);
  await tx
    .update(scanTarget)
    .set({ kind: "skipped", reason: `Not scanned to the end: ${message}`, observedAt: sql`now()` })
    .where(and(which, isNull(scanTarget.kind)));
  await countTargets(tx, scanId);
}
