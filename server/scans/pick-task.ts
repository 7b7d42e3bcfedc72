import { sql } from "drizzle-orm";
import type { Database, Transaction } from "../db/connect.ts";
import type { TaskBell } from "./task-bell.ts";

export interface PickedTask {
  taskId: string;
  scanId: string;
}

export interface Wanted {
  /** The types that the worker has ready. */
  types: string[];
  /** Those of them that fit into its memory now. */
  fitting: string[];
}

/** Finds the task that is next, and sets it aside for a moment, so that no other worker is given it meanwhile. */
export interface TaskPicker {
  /** Undefined where there is none for this worker. Tasks that another server queued are seen within half a second. */
  pick(wanted: Wanted): Promise<PickedTask | undefined>;
}

/** The transaction that gives the task out takes milliseconds; where its server dies, the task is free again after this. */
const reservationSeconds = 10;

/** A task that does not fit may be passed over by other workspaces' tasks for so long; then the worker keeps its memory free for it. */
const patienceSeconds = 300;

/** A look that found nothing stands so long for every worker with the same engines. */
const emptyMilliseconds = 500;

/** A number of our own for the advisory lock under which a task is picked. */
const pickLock = 7402;

/**
 * One look at a time in each server, and then in all of them together: of many that look at once each sees what the others took, and a
 * thousand idle workers cost one look each half second. No lock of a scan is waited for here.
 */
export function createTaskPicker(db: Database, bell: TaskBell): TaskPicker {
  const empty = new Map<string, { rings: number; at: number }>();
  let last: Promise<unknown> = Promise.resolve();
  const look = async (wanted: Wanted): Promise<PickedTask | undefined> => {
    const key = JSON.stringify([wanted.types, wanted.fitting]);
    const known = empty.get(key);
    if (known && known.rings === bell.rings && performance.now() - known.at < emptyMilliseconds) return undefined;
    const { rings } = bell;
    const picked = await db.transaction((tx) => reserveNext(tx, wanted));
    if (picked) empty.delete(key);
    else empty.set(key, { rings, at: performance.now() });
    return picked;
  };
  return {
    pick: (wanted) => {
      const looking = last.then(() => look(wanted));
      last = looking.catch(() => {});
      return looking;
    },
  };
}

async function reserveNext(tx: Transaction, { types, fitting }: Wanted): Promise<PickedTask | undefined> {
  // The reservation need not outlive a crash, so its commit does not wait for the disk. The plan must be the index's however old the statistics are.
  await tx.execute(sql`
    select pg_advisory_xact_lock(${pickLock}), set_config('synchronous_commit', 'off', true), set_config('enable_seqscan', 'off', true)`);
  const { rows } = await tx.execute<{ id: string; scan_id: string }>(nextTask(types, fitting));
  return rows[0] && { taskId: rows[0].id, scanId: rows[0].scan_id };
}

const list = (values: string[]) =>
  sql`array[${sql.join(
    values.map((value) => sql`${value}`),
    sql`, `,
  )}]::text[]`;

/**
 * `heads`: the oldest task of each type and workspace that has one, found by stepping through the index from workspace to workspace.
 * `turns`: the workspaces in their order: fewest running tasks first, then the oldest task. Within a workspace the oldest task is never passed
 * over by one that fits better: it would wait for ever behind small ones. Other workspaces' tasks may pass it while it has not waited long;
 * else one large task would stop every worker that has no room for it.
 */
const nextTask = (types: string[], fitting: string[]) => sql`
  with recursive heads as (
    select wanted.type, head.workspace_id, head.id, head.available_at
    from unnest(${list(types)}) as wanted(type) cross join lateral (
      select workspace_id, id, available_at from task
      where state = 'queued' and type = wanted.type and available_at <= now() and (reserved_until is null or reserved_until < now())
      order by workspace_id, id limit 1) as head
    union all
    select heads.type, head.workspace_id, head.id, head.available_at
    from heads cross join lateral (
      select workspace_id, id, available_at from task
      where state = 'queued' and type = heads.type and workspace_id > heads.workspace_id
        and available_at <= now() and (reserved_until is null or reserved_until < now())
      order by workspace_id, id limit 1) as head
  ), turns as (
    select distinct on (heads.workspace_id) heads.*, coalesce(busy.tasks, 0) as busy, heads.type = any (${list(fitting)}) as fits
    from heads left join (
      select workspace_id, count(*) as tasks from task where state = 'running' or (state = 'queued' and reserved_until is not null) group by workspace_id
    ) as busy on busy.workspace_id = heads.workspace_id
    order by heads.workspace_id, heads.id
  ), turn as (
    select * from (
      select turns.*, bool_or(not fits and available_at < now() - make_interval(secs => ${patienceSeconds}))
        over (order by busy, id rows between unbounded preceding and current row) as is_stopped
      from turns) as ordered
    where fits and not is_stopped
    order by busy, id limit 1
  ), picked as (
    select oldest.id from turn cross join lateral (
      select id from task
      where state = 'queued' and type = turn.type and workspace_id = turn.workspace_id
        and available_at <= now() and (reserved_until is null or reserved_until < now())
      order by id limit 1 for update skip locked) as oldest
  )
  update task set reserved_until = now() + make_interval(secs => ${reservationSeconds})
  from picked where task.id = picked.id returning task.id, task.scan_id`;
