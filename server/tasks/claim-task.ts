import type { RecordedLogin, TargetLogin } from "@periscan/contract/target.ts";
import type { TargetPolicy } from "@periscan/contract/target-policy.ts";
import type { ClaimRequest, Task } from "@periscan/contract/worker-protocol.ts";
import { findEngine } from "@periscan/engines/registry.ts";
import { and, eq, isNull, sql } from "drizzle-orm";
import { cleanText } from "../clean-text.ts";
import type { Database, Transaction } from "../db/connect.ts";
import { scan, scanTarget, task, worker } from "../db/schema.ts";
import { recordScanEvent } from "../events/record-scan-event.ts";
import type { WorkerIdentity } from "../http/authenticate.ts";
import { loadKnown } from "../outcomes/apply-observations.ts";
import { findImportFile, type ImportFile, importDeadlineSeconds } from "../outcomes/import-file.ts";
import type { PickedTask, Wanted } from "../queue/task-picker.ts";
import type { Services } from "../services.ts";
import { targetPolicyOf } from "../settings/ownership-settings.ts";
import { loadLogins } from "../targets/target-login.ts";
import { closeAttempt } from "./end-attempt.ts";
import { lockScan, type ScanRow } from "./lock-attempt.ts";
import { findEarlier } from "./recall-import.ts";
import { skipUnfit } from "./skip-unfit.ts";
import { startAttempt, type TaskRow } from "./task-rows.ts";

const heartbeatSeconds = 1.5;

/** Past the deadline the worker has this long to end the attempt itself and say what it has, before the server does. */
const deadlineGraceSeconds = 30;

/** What a worker asks for, with its name as its token has it. */
type Claim = Omit<ClaimRequest, "worker"> & { worker: WorkerIdentity & { version: string } };

/** Waits up to `wait_seconds` for a task of a type that the worker has ready, or for an import. Null where none came, or `signal` was aborted. */
export async function claimTask(services: Services, request: Claim, signal: AbortSignal): Promise<Task | null> {
  await noteWorker(services.db, request);
  const types: string[] = request.engines.filter(({ ready }) => ready).map(({ type }) => type);
  const fitting: string[] = [...request.fitting];
  // A file is read without its engine.
  if (request.imports !== undefined) types.push("IMPORT");
  if (request.imports) fitting.push("IMPORT");
  const until = AbortSignal.any([signal, AbortSignal.timeout(request.wait_seconds * 1000)]);
  for (;;) {
    const rung = services.bell.wait(until);
    const claimed = types.length === 0 ? undefined : await tryClaim(services, { worker: request.worker, types, fitting, signal });
    if (claimed) return claimed;
    if (until.aborted) return null;
    await rung;
  }
}

async function noteWorker(db: Database, { worker: { name, version, isEmbedded }, engines }: Claim): Promise<void> {
  const seen = { version, engines: cleanText(engines), isEmbedded, seenAt: sql`now()` };
  await db
    .insert(worker)
    .values({ name, ...seen })
    .onConflictDoUpdate({ target: worker.name, set: seen });
}

interface Claiming extends Wanted {
  worker: WorkerIdentity;
  signal: AbortSignal;
}

async function tryClaim(services: Services, { worker, signal, ...wanted }: Claiming): Promise<Task | undefined> {
  while (!signal.aborted) {
    const picked = await services.picker.pick(wanted);
    if (!picked) return undefined;
    const claimed = await services.db.transaction((tx) => take(tx, { services, worker, ...picked }));
    // Its scan was cancelled meanwhile: look again.
    if (claimed) return claimed;
  }
  return undefined;
}

interface Candidate extends PickedTask {
  services: Services;
  worker: WorkerIdentity;
}

async function take(tx: Transaction, { services, worker: by, taskId, scanId }: Candidate): Promise<Task | undefined> {
  const owner = await lockScan(tx, scanId);
  if (!owner || !(await isQueued(tx, taskId))) return undefined;
  const engine = findEngine(owner.type);
  const missing = await findMissing(tx, taskId);
  const left = await skipUnfit(tx, services, { owner, engine, taskId, targets: missing });
  if (missing.length > 0 && left.length === 0) {
    await closeAttempt(tx, services.boss, { scanId, taskId, error: undefined });
    return undefined;
  }
  const targets = await describeTargets(tx, services, { missing: left, owner });
  const file = await findImportFile(tx, scanId);
  const isKnown = file !== undefined && (await findEarlier(tx, scanId)) !== undefined;
  const deadline = file ? importDeadlineSeconds : engine.deadlineSeconds(targets.length, owner.options as Record<string, unknown>);
  const claimed = await startAttempt(tx, taskId, { workerName: by.name, deadlineSeconds: deadline + deadlineGraceSeconds });
  if (!claimed) return undefined;
  if (owner.state === "QUEUED") {
    await tx.update(scan).set({ state: "RUNNING", startedAt: sql`now()` }).where(eq(scan.id, scanId));
    await recordScanEvent(tx, scanId, "scan.updated");
  }
  return present(claimed, owner, { targets, file: file && { ...file, isKnown }, deadline, policy: policyOf(services, by) });
}

/** Loopback is that of the worker's machine: only the platform's own worker, on the machine of its operator, may be let there. */
const policyOf = (services: Services, { isEmbedded }: WorkerIdentity): TargetPolicy =>
  targetPolicyOf({ ...services, allowLoopback: services.allowLoopback && isEmbedded });

async function isQueued(tx: Transaction, taskId: string): Promise<boolean> {
  const [row] = await tx.select({ state: task.state }).from(task).where(eq(task.id, taskId));
  return row?.state === "queued";
}

const findMissing = (tx: Transaction, taskId: string) =>
  tx
    .select({ target_id: scanTarget.targetId, target: scanTarget.target })
    .from(scanTarget)
    .where(and(eq(scanTarget.taskId, taskId), isNull(scanTarget.kind)))
    .orderBy(scanTarget.ordinal);

interface Missing {
  missing: { target_id: string; target: string }[];
  owner: ScanRow;
}

/** The targets with what is known of them, and with their logins where the scan uses them. */
async function describeTargets(tx: Transaction, { secrets }: Services, { missing, owner }: Missing): Promise<Task["targets"]> {
  const ids = missing.map(({ target_id }) => target_id);
  const known = await loadKnown(tx, ids);
  const logins = owner.useAuthentication ? await loadLogins(tx, secrets, ids) : new Map<string, TargetLogin | RecordedLogin>();
  return missing.map((each) => {
    const login = logins.get(each.target_id);
    return { ...each, known: known.get(each.target_id) ?? [], ...(login ? { login } : {}) };
  });
}

interface Rest {
  targets: Task["targets"];
  file: (ImportFile & { isKnown: boolean }) | undefined;
  deadline: number;
  policy: TargetPolicy;
}

function present(claimed: TaskRow, owner: ScanRow, rest: Rest): Task {
  return {
    task_id: claimed.id,
    attempt: claimed.attempt,
    scan_id: owner.id,
    type: owner.type,
    options: owner.options as Record<string, unknown>,
    targets: rest.targets,
    ...(rest.file ? { import: describeFile(rest.file) } : {}),
    policy: { allow_loopback: rest.policy.allowLoopback, allow_private: rest.policy.allowPrivate !== false },
    deadline_seconds: rest.deadline,
    heartbeat_seconds: heartbeatSeconds,
  };
}

const describeFile = ({ sizeBytes, target, isKnown }: ImportFile & { isKnown: boolean }): NonNullable<Task["import"]> => ({
  size_bytes: sizeBytes,
  ...(target === null ? {} : { target }),
  known: isKnown,
});
