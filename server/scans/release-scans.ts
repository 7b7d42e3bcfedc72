import { and, eq, sql } from "drizzle-orm";
import type { Transaction } from "../db/connect.ts";
import { scan } from "../db/schema.ts";
import { countOpenScans, lockLimits } from "../limits/workspace-limit.ts";
import type { Services } from "../services.ts";
import { releaseTasks } from "../tasks/task-rows.ts";

/** Whether a scan waits for others of its workspace. */
export const isScanHeld = sql`exists (select 1 from scan where is_held and state = 'QUEUED')`;

/**
 * Lets the scans that wait begin, oldest first, as many as each workspace's limit has room for. Safe in any number of servers at once: the
 * workspace's limit is locked. Answers how many began.
 */
export async function releaseScans(services: Services): Promise<number> {
  const { rows } = await services.db.execute<{ workspace_id: string }>(sql`select distinct workspace_id from scan where is_held and state = 'QUEUED'`);
  let released = 0;
  for (const { workspace_id } of rows) {
    while (await services.db.transaction((tx) => releaseOne(tx, workspace_id))) released += 1;
  }
  if (released > 0) services.bell.ring();
  return released;
}

async function releaseOne(tx: Transaction, workspaceId: string): Promise<boolean> {
  const limits = await lockLimits(tx, workspaceId);
  const limit = limits?.concurrentScans ?? null;
  if (limit !== null && (await countOpenScans(tx, workspaceId)).active >= limit) return false;
  // One that is locked is being cancelled, which does not wait for us: the next of them has its turn.
  const [next] = await tx
    .select({ id: scan.id })
    .from(scan)
    .where(and(eq(scan.workspaceId, workspaceId), eq(scan.isHeld, true), sql`${scan.state} in ('QUEUED', 'RUNNING')`))
    .orderBy(scan.id)
    .limit(1)
    .for("update", { skipLocked: true });
  if (!next) return false;
  await tx.update(scan).set({ isHeld: false }).where(eq(scan.id, next.id));
  await releaseTasks(tx, next.id);
  return true;
}
