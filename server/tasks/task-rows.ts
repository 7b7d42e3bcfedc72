import { and, eq, inArray, type SQL, sql } from "drizzle-orm";
import { v7 as uuidv7 } from "uuid";
import type { Transaction } from "../db/connect.ts";
import { type TaskState, type TaskType, task } from "../db/schema.ts";

/**
 * The rows of `task`, which are the queue. This file alone writes them. Every verb below takes a task from one of the states that it names to another,
 * and leaves a task in any other state as it is. The caller holds the scan's lock, but for `reserveTask`.
 *
 * | state     | release  | reserve  | start     | renew     | requeue  | end     |
 * |-----------|----------|----------|-----------|-----------|----------|---------|
 * | `held`    | `queued` | -        | -         | -         | -        | `ended` |
 * | `queued`  | -        | `queued` | `running` | -         | -        | `ended` |
 * | `running` | -        | -        | -         | `running` | `queued` | `ended` |
 * | `ended`   | -        | -        | -         | -         | -        | -       |
 *
 * `held` waits for another scan of its workspace, `queued` for a worker, `running` is with a worker and has a lease and a deadline, `ended` is final.
 */
export type TaskRow = typeof task.$inferSelect;

/** Why an attempt, or the waiting for one, came to its end. */
export interface TaskError {
  code: string;
  message: string;
  /** Whether another attempt may do better. */
  retry: boolean;
}

/** A task that no worker takes for so long ends with that reason. */
const queuedHours = 24;
const queuedUntil = sql`now() + make_interval(hours => ${queuedHours})`;

/** A worker that is silent for longer has lost its task. */
export const leaseSeconds = 10;

/** A server that picked a task gives it out within milliseconds. Where the server dies, the task is free again after this. */
const reservationSeconds = 10;

/** After so many attempts in a row without one new outcome a task is not queued again. */
export const maxFailures = 4;

interface NewTasks {
  scanId: string;
  workspaceId: string;
  type: TaskType;
  state: "held" | "queued";
  count: number;
}

/** Adds the tasks of a new scan. Answers their ids, in the order in which they are given out. */
export async function addTasks(tx: Transaction, { count, ...columns }: NewTasks): Promise<string[]> {
  const ids = Array.from({ length: count }, () => uuidv7());
  if (count > 0) await tx.insert(task).values(ids.map((id) => ({ id, ...columns, queuedUntil })));
  return ids;
}

/** Lets the held tasks of a scan queue. */
export async function releaseTasks(tx: Transaction, scanId: string): Promise<void> {
  await tx
    .update(task)
    .set({ state: "queued", queuedUntil, availableAt: sql`now()` })
    .where(and(eq(task.scanId, scanId), eq(task.state, "held")));
}

/**
 * The statement that sets a queued task aside for the worker that a server is about to give it to, as the end of a query with a row `picked (id)` at
 * most. It needs no lock of the scan: a reservation is a hint that nobody else picks the task meanwhile.
 */
export const reserveTask: SQL = sql`
  update task set reserved_until = now() + make_interval(secs => ${reservationSeconds})
  from picked where task.id = picked.id and task.state = 'queued' returning task.id, task.scan_id`;

/** Begins a new attempt of a queued task for a worker. `deadlineSeconds` is the most that it may take. Undefined where the task is not queued any more. */
export async function startAttempt(
  tx: Transaction,
  taskId: string,
  { workerName, deadlineSeconds }: { workerName: string; deadlineSeconds: number },
): Promise<TaskRow | undefined> {
  const [started] = await tx
    .update(task)
    .set({
      state: "running",
      attempt: sql`attempt + 1`,
      progress: 0,
      workerName,
      reservedUntil: null,
      leaseUntil: sql`now() + make_interval(secs => ${leaseSeconds})`,
      deadlineAt: sql`now() + make_interval(secs => ${deadlineSeconds})`,
    })
    .where(and(eq(task.id, taskId), eq(task.state, "queued")))
    .returning();
  return started;
}

/**
 * Renews the lease of a running task. `progress`, from 0 to 1, never runs backwards. `learned` says that something new came, which makes up for earlier
 * failures. The lease counts from now and not from the begin of the transaction, which may have waited long for the scan's lock.
 */
export async function renewLease(tx: Transaction, taskId: string, { progress, learned = false }: { progress?: number; learned?: boolean } = {}): Promise<void> {
  await tx
    .update(task)
    .set({
      leaseUntil: sql`clock_timestamp() + make_interval(secs => ${leaseSeconds})`,
      ...(progress === undefined ? {} : { progress: sql`greatest(progress, ${progress})` }),
      ...(learned ? { failures: 0 } : {}),
    })
    .where(and(eq(task.id, taskId), eq(task.state, "running")));
}

/** Queues a task again whose attempt failed, after a pause that grows with each failure. False where the task is not running or failed too often. */
export async function requeueTask(tx: Transaction, taskId: string, { code, message }: TaskError): Promise<boolean> {
  const rows = await tx
    .update(task)
    .set({
      state: "queued",
      leaseUntil: null,
      failures: sql`failures + 1`,
      // It waits anew: a scan may have run for longer than a task may wait.
      queuedUntil,
      availableAt: sql`now() + make_interval(secs => failures)`,
      errorCode: code,
      errorMessage: message,
    })
    .where(and(eq(task.id, taskId), eq(task.state, "running"), sql`failures + 1 < ${maxFailures}`))
    .returning({ id: task.id });
  return rows.length > 0;
}

const unended: TaskState[] = ["held", "queued", "running"];

/** Ends a task. Its error is that of the end, and none where it ended well. */
export async function endTask(tx: Transaction, taskId: string, error?: Pick<TaskError, "code" | "message">): Promise<void> {
  await end(tx, eq(task.id, taskId), error);
}

/** Ends all tasks of a scan. */
export async function endTasksOfScan(tx: Transaction, scanId: string, error: Pick<TaskError, "code" | "message">): Promise<void> {
  await end(tx, eq(task.scanId, scanId), error);
}

async function end(tx: Transaction, which: SQL, error: Pick<TaskError, "code" | "message"> | undefined): Promise<void> {
  await tx
    .update(task)
    .set({ state: "ended", leaseUntil: null, errorCode: error?.code ?? null, errorMessage: error?.message ?? null })
    .where(and(which, inArray(task.state, unended)));
}
