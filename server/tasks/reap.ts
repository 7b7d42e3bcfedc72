import { sql } from "drizzle-orm";
import type { Transaction } from "../db/connect.ts";
import type { Services } from "../services.ts";
import { closeAttempt } from "./end-attempt.ts";
import { lockScan } from "./lock-attempt.ts";
import type { TaskError } from "./task-rows.ts";

export interface Overdue {
  taskId: string;
  scanId: string;
  condition: ReturnType<typeof sql>;
  error: TaskError;
}

/** Each state that is not final has a limit, and this is what moves on what passed it. Safe in any number of servers at once. Answers how many it moved. */
export async function reapTasks(services: Services, settings: { leasesCount: boolean }): Promise<number> {
  const overdue = [
    ...(settings.leasesCount ? await findOverdue(services, lostLease, lost) : []),
    ...(await findOverdue(services, passedDeadline, late)),
    ...(await findOverdue(services, neverTaken, untaken)),
  ];
  return moveOn(services, overdue);
}

/** Ends the attempts, or the waiting, of these tasks. Answers how many it moved: one that cannot be moved keeps no other waiting, and is tried again. */
export async function moveOn(services: Services, overdue: Overdue[]): Promise<number> {
  let moved = 0;
  for (const task of overdue) {
    const facts = { taskId: task.taskId, scanId: task.scanId, code: task.error.code };
    try {
      const requeued = await services.db.transaction((tx) => close(tx, services, task));
      services.log.warn({ ...facts, requeued }, "task moved on");
      if (requeued) services.bell.ring();
      moved += 1;
    } catch (error) {
      services.log.error({ ...facts, err: error }, "a task could not be moved on");
    }
  }
  return moved;
}

const lostLease = sql`state = 'running' and lease_until < now()`;
const lost: TaskError = { code: "worker.lost", message: "The worker that ran it stopped answering.", retry: true };

const passedDeadline = sql`state = 'running' and deadline_at < now()`;
const late: TaskError = { code: "task.deadline", message: "The time limit passed.", retry: false };

const neverTaken = sql`state = 'queued' and queued_until < now()`;
const untaken: TaskError = { code: "task.untaken", message: "No worker took it in time: check that a worker runs (`periscan doctor`).", retry: false };

const one = (condition: ReturnType<typeof sql>) => sql`exists (select 1 from task where ${condition})`;

/** Whether `reapTasks` has something to do. */
export const isTaskOverdue = sql`${one(lostLease)} or ${one(passedDeadline)} or ${one(neverTaken)}`;

/** Some of the tasks that meet the condition, with what is to be said of them. */
export async function findOverdue(services: Services, condition: Overdue["condition"], error: TaskError): Promise<Overdue[]> {
  const { rows } = await services.db.execute<{ id: string; scan_id: string }>(sql`select id, scan_id from task where ${condition} limit 500`);
  return rows.map((row) => ({ taskId: row.id, scanId: row.scan_id, condition, error }));
}

async function close(tx: Transaction, services: Services, { taskId, scanId, condition, error }: Overdue): Promise<boolean> {
  await lockScan(tx, scanId);
  // Looked at again under the lock: a heartbeat may have come meanwhile.
  const still = await tx.execute(sql`select 1 from task where id = ${taskId} and ${condition}`);
  return still.rows.length > 0 && closeAttempt(tx, services.boss, { scanId, taskId, error });
}
