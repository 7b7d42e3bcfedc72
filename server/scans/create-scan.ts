import type { NewScan } from "@periscan/contract/scan.ts";
import { maxTargetsPerScan } from "@periscan/contract/scan.ts";
import type { EngineStatus } from "@periscan/contract/worker-protocol.ts";
import type { Engine } from "@periscan/engines/kit/engine.ts";
import { findEngine } from "@periscan/engines/registry.ts";
import { sql } from "drizzle-orm";
import { v7 as uuidv7 } from "uuid";
import type { z } from "zod";
import type { Transaction } from "../db/connect.ts";
import { scan } from "../db/schema.ts";
import { ApiError } from "../errors/api-error.ts";
import { recordScanEvent } from "../events/record-scan-event.ts";
import { explainStorage } from "../limits/quotas.ts";
import { type Admission, admitScan } from "../limits/workspace-limit.ts";
import { finishScan } from "../outcomes/finish-scan.ts";
import { findUnproven } from "../ownership/ownership-rows.ts";
import { countTargets } from "../present/count-targets.ts";
import type { Services } from "../services.ts";
import { targetPolicyOf } from "../settings/ownership-settings.ts";
import { checkTarget, readTargets } from "../targets/read-targets.ts";
import { findTargetsWithoutLogin } from "../targets/target-login.ts";
import { describeTooMany, ensureTargets, findRequestedTargets, type TargetRow } from "../targets/target-rows.ts";
import { workerAliveSeconds } from "../tasks/living-workers.ts";
import { addTasks } from "../tasks/task-rows.ts";

/**
 * Accepts a scan: targets, scan and tasks in one transaction. A target that the policy or the engine refuses is skipped with its reason;
 * where none is left the scan fails at once. Over the workspace's allowance it is kept as OVER_LIMIT, and does not run. Answers the scan's id.
 */
export async function createScan(services: Services, workspaceId: string, input: NewScan): Promise<string> {
  const scanId = await services.db.transaction((tx) => createScanIn(tx, services, { workspaceId, input }));
  services.bell.ring();
  return scanId;
}

/** The same in the caller's transaction; the caller rings the bell after it. */
export async function createScanIn(
  tx: Transaction,
  services: Services,
  { workspaceId, input, scheduledBy }: { workspaceId: string; input: NewScan; scheduledBy?: string },
): Promise<string> {
  const { engine, options, texts } = readNewScan(input);
  await requireReadyEngine(tx, engine);
  const targets = await collectTargets(tx, workspaceId, input, texts);
  return insertScan(tx, { services, workspaceId, engine, options, targets, useAuthentication: input.use_authentication === true, scheduledBy });
}

/** What can be said of a request without looking at the workspace: its engine, options with defaults, canonical targets. Throws 400 that names the field. */
export function readNewScan(input: NewScan): { engine: Engine; options: Record<string, unknown>; texts: string[] } {
  const engine = findEngine(input.type);
  const options = readOptions(engine, input.options ?? {});
  const texts = readTargets(input.targets ?? []);
  if (!input.targets?.length && !input.target_ids?.length && !input.tags?.length)
    throw new ApiError(400, "request.invalid", "Give at least one of targets, target_ids and tags, and not an empty one.", { field: "targets" });
  return { engine, options, texts };
}

const noEngine = "No worker has this engine ready: `periscan doctor` on the machine of a worker says what is missing there.";

async function requireReadyEngine(tx: Transaction, { type }: Engine): Promise<void> {
  const { rows } = await tx.execute<{ engines: EngineStatus[]; is_embedded: boolean }>(
    sql`select engines, is_embedded from worker where seen_at > now() - make_interval(secs => ${workerAliveSeconds})`,
  );
  const statuses = rows.flatMap(({ engines, is_embedded }) => engines.filter((status) => status.type === type).map((status) => ({ ...status, is_embedded })));
  // No worker at all is no refusal: one may be starting, and the scan waits for it.
  if (rows.length === 0 || statuses.some(({ ready, installing }) => ready || installing)) return;
  // The words of the platform's own worker alone: those of another could be anything, and would reach every workspace.
  const missing = statuses.find((status) => status.is_embedded && status.missing)?.missing ?? noEngine;
  throw new ApiError(400, "engine.missing", `type ${type} cannot be scanned now: ${missing}`, { field: "type" });
}

/** The engine's options with defaults filled in. Throws 400 that names the one at fault. */
export function readOptions(engine: Engine, given: Record<string, unknown>): Record<string, unknown> {
  const parsed = engine.options.safeParse(given);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0] as z.core.$ZodIssue;
  const path = issue.code === "unrecognized_keys" ? [issue.keys[0] ?? "", ...issue.path] : issue.path;
  const field = ["options", ...path].join(".");
  const message = issue.code === "unrecognized_keys" ? `${field} is not an option of ${engine.type}.` : `${field}: ${issue.message}.`;
  throw new ApiError(400, "request.invalid", message, { field });
}

async function collectTargets(tx: Transaction, workspaceId: string, input: NewScan, texts: string[]): Promise<TargetRow[]> {
  const known = await findRequestedTargets(tx, workspaceId, { ids: input.target_ids ?? [], tags: input.tags ?? [] });
  const named = await ensureTargets(tx, workspaceId, texts);
  const targets = [...new Map([...named, ...known].map((row) => [row.id, row])).values()];
  if (targets.length === 0) throw new ApiError(400, "request.invalid", "No target has one of these tags.", { field: "tags" });
  if (targets.length > maxTargetsPerScan) throw describeTooMany(targets.length);
  return targets;
}

interface ScanParts {
  services: Services;
  workspaceId: string;
  engine: Engine;
  options: Record<string, unknown>;
  targets: TargetRow[];
  useAuthentication: boolean;
  scheduledBy: string | undefined;
}

async function insertScan(tx: Transaction, parts: ScanParts): Promise<string> {
  const { services, workspaceId, engine, options, targets, useAuthentication, scheduledBy = null } = parts;
  const scanId = uuidv7();
  const { isHeld, overLimit } = await admit(tx, workspaceId);
  const head = { id: scanId, workspaceId, type: engine.type, options, useAuthentication, scheduledBy };
  if (overLimit) {
    await keepOverLimit(tx, { head, targets, reason: overLimit });
    await recordScanEvent(tx, scanId, "scan.created");
    return scanId;
  }
  const withoutLogin = useAuthentication
    ? await findTargetsWithoutLogin(
        tx,
        { engine, secrets: services.secrets },
        targets.map(({ id }) => id),
      )
    : new Map<string, string>();
  const unproven = await findUnproven(tx, services.ownership, workspaceId, targets);
  const policy = targetPolicyOf(services);
  const checked = targets.map((row) => ({ row, refusal: checkTarget(row.target, engine, policy) ?? unproven.get(row.id) ?? withoutLogin.get(row.id) }));
  const wanted = checked.filter(({ refusal }) => refusal === undefined);
  await tx.insert(scan).values({ ...head, state: "QUEUED", isHeld });

  const size = Math.max(1, engine.targetsPerTask(wanted.length, options));
  const state = isHeld ? "held" : "queued";
  const taskIds = await addTasks(tx, { scanId, workspaceId, type: engine.type, state, count: Math.ceil(wanted.length / size) });

  const taskOf = new Map(wanted.map(({ row }, index) => [row.id, taskIds[Math.floor(index / size)]]));
  await insertTargets(
    tx,
    scanId,
    checked.map(({ row, refusal }) => ({ row, taskId: taskOf.get(row.id), reason: refusal })),
  );
  await recordScanEvent(tx, scanId, "scan.created");
  if (taskIds.length === 0) await finishScan(tx, services.boss, scanId);
  return scanId;
}

/** Its files need room, too: a scan that has none is kept as one over the allowance is. */
async function admit(tx: Transaction, workspaceId: string): Promise<Admission> {
  const full = await explainStorage(tx, workspaceId, 1);
  if (full === undefined) return admitScan(tx, workspaceId);
  return { isHeld: false, overLimit: { code: "storage.over_limit", message: `${full} This scan is kept and does not run.` } };
}

interface OverLimit {
  head: Omit<typeof scan.$inferInsert, "state">;
  targets: TargetRow[];
  reason: NonNullable<Admission["overLimit"]>;
}

/** Final from the start: no tasks and no files, and a new month does not start it. */
async function keepOverLimit(tx: Transaction, { head, targets, reason: { code, message } }: OverLimit): Promise<void> {
  await tx.insert(scan).values({ ...head, state: "OVER_LIMIT", errorCode: code, errorMessage: message, finishedAt: sql`now()` });
  await insertTargets(
    tx,
    head.id,
    targets.map((row) => ({ row, reason: message })),
  );
}

interface NewTargetRow {
  row: TargetRow;
  taskId?: string | undefined;
  /** Why it is skipped; absent where it is to be scanned. */
  reason?: string | undefined;
}

/** One parameter for all of them: drizzle takes seconds for those of 4,096 rows, in which nobody else is answered. */
async function insertTargets(tx: Transaction, scanId: string, targets: NewTargetRow[]): Promise<void> {
  const rows = targets.map(({ row, taskId, reason }, ordinal) => ({ target_id: row.id, target: row.target, ordinal, task_id: taskId, reason }));
  await tx.execute(sql`
    insert into scan_target (scan_id, target_id, target, ordinal, task_id, reason, kind, observed_at)
    select ${scanId}, target_id, target, ordinal, task_id, reason, case when reason is not null then 'skipped' end, case when reason is not null then now() end
    from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) as row(target_id uuid, target text, ordinal int, task_id uuid, reason text)`);
  await countTargets(tx, scanId);
}
