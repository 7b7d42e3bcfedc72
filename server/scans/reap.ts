import { sql } from "drizzle-orm";
import type { Transaction } from "../db/connect.ts";
import { importType } from "../imports/import-file.ts";
import type { Services } from "../services.ts";
import { workerAliveSeconds } from "./create-scan.ts";
import { type AttemptError, closeAttempt } from "./end-attempt.ts";
import { lockScan } from "./lock-attempt.ts";

interface Overdue {
  taskId: string;
  scanId: string;
  condition: ReturnType<typeof sql>;
  error: AttemptError;
}

/** Each state that is not final has a limit, and this is what moves on what passed it. Safe in any number of servers at once. Answers how many it moved. */
export async function reapTasks(services: Services, settings: { leasesCount: boolean }): Promise<number> {
  const overdue = [
    ...(settings.leasesCount ? await find(services, lostLease, lost) : []),
    ...(await find(services, passedDeadline, late)),
    ...(await find(services, neverTaken, untaken)),
    ...(await find(services, engineGone, engineMissing)),
  ];
  for (const task of overdue) {
    const requeued = await services.db.transaction((tx) => close(tx, services, task));
    services.log.warn({ taskId: task.taskId, scanId: task.scanId, code: task.error.code, requeued }, "task moved on");
    if (requeued) services.bell.ring();
  }
  return overdue.length;
}

const lostLease = sql`state = 'running' and lease_until < now()`;
const lost: AttemptError = { code: "worker.lost", message: "The worker that ran it stopped answering.", retry: true };

const passedDeadline = sql`state = 'running' and deadline_at < now()`;
const late: AttemptError = { code: "task.deadline", message: "The time limit passed.", retry: false };

const neverTaken = sql`state = 'queued' and queued_until < now()`;
const untaken: AttemptError = { code: "task.untaken", message: "No worker took it in time: check that a worker runs (`periscan doctor`).", retry: false };

/** Workers are alive, but none of them has had this engine for a minute. */
const engineGone = sql`state = 'queued' and type <> ${importType} and created_at < now() - interval '1 minute'
  and exists (select 1 from worker where seen_at > now() - make_interval(secs => ${workerAliveSeconds}))
  and not exists (select 1 from worker, jsonb_array_elements(worker.engines) as engine
    where seen_at > now() - make_interval(secs => ${workerAliveSeconds}) and engine ->> 'type' = task.type and ((engine ->> 'ready')::boolean or coalesce((engine ->> 'installing')::boolean, false)))`;
const engineMissing: AttemptError = {
  code: "engine.missing",
  message: "No worker has the engine of this scan type: `periscan doctor` says what is missing, `periscan engines install` mends it.",
  retry: false,
};

async function find(services: Services, condition: Overdue["condition"], error: AttemptError): Promise<Overdue[]> {
  const { rows } = await services.db.execute<{ id: string; scan_id: string }>(sql`select id, scan_id from task where ${condition} order by id limit 500`);
  return rows.map((row) => ({ taskId: row.id, scanId: row.scan_id, condition, error }));
}

async function close(tx: Transaction, services: Services, { taskId, scanId, condition, error }: Overdue): Promise<boolean> {
  await lockScan(tx, scanId);
  // Looked at again under the lock: a heartbeat may have come meanwhile.
  const still = await tx.execute(sql`select 1 from task where id = ${taskId} and ${condition}`);
  return still.rows.length > 0 && closeAttempt(tx, services.boss, { scanId, taskId, error });
}
