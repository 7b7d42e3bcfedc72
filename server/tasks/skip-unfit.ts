import type { Engine } from "@periscan/engines/kit/engine.ts";
import { and, eq, isNull, sql } from "drizzle-orm";
import type { Transaction } from "../db/connect.ts";
import { isOneOf } from "../db/is-one-of.ts";
import { scanTarget, target } from "../db/schema.ts";
import { findUnproven } from "../ownership/ownership-rows.ts";
import { countTargets } from "../present/count-targets.ts";
import type { Services } from "../services.ts";
import { findTargetsWithoutLogin } from "../targets/target-login.ts";
import type { ScanRow } from "./lock-attempt.ts";

interface Claimed {
  owner: ScanRow;
  engine: Engine;
  taskId: string;
  targets: { target_id: string; target: string }[];
}

/**
 * Skips, with the reason, the targets of a task that may not be scanned any more: since the scan was asked for, a target was deleted, lost the login that the
 * scan was to use, or is no longer proven to be the workspace's own. Answers the others. The caller holds the scan's lock.
 */
export async function skipUnfit(
  tx: Transaction,
  services: Pick<Services, "ownership" | "secrets">,
  { owner, engine, taskId, targets }: Claimed,
): Promise<Claimed["targets"]> {
  const reasons = await findReasons(tx, services, { owner, engine, targets });
  for (const [targetId, reason] of reasons) {
    await tx
      .update(scanTarget)
      .set({ kind: "skipped", reason, observedAt: sql`now()` })
      .where(and(eq(scanTarget.taskId, taskId), eq(scanTarget.targetId, targetId), isNull(scanTarget.kind)));
  }
  if (reasons.size > 0) await countTargets(tx, owner.id);
  return targets.filter(({ target_id }) => !reasons.has(target_id));
}

async function findReasons(
  tx: Transaction,
  { ownership, secrets }: Pick<Services, "ownership" | "secrets">,
  { owner, engine, targets }: Omit<Claimed, "taskId">,
): Promise<Map<string, string>> {
  const ids = targets.map(({ target_id }) => target_id);
  if (ids.length === 0) return new Map();
  const rows = await tx.select({ id: target.id, target: target.target }).from(target).where(isOneOf(target.id, ids));
  const alive = rows.map(({ id }) => id);
  const deleted = ids.filter((id) => !alive.includes(id));
  const withoutLogin = owner.useAuthentication ? await findTargetsWithoutLogin(tx, { engine, secrets }, alive) : new Map<string, string>();
  const unproven = await findUnproven(tx, ownership, owner.workspaceId, rows);
  return new Map([...withoutLogin, ...unproven, ...deleted.map((id): [string, string] => [id, "The target was deleted before its turn came."])]);
}
