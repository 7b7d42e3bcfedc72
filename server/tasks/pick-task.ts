import { sql } from "drizzle-orm";
import type { Database, Transaction } from "../db/connect.ts";
import type { TaskBell } from "../queue/task-bell.ts";
import type { PickedTask, TaskPicker, Wanted } from "../queue/task-picker.ts";
import { reserveTask } from "./task-rows.ts";

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
 * `waiting`: the workspaces with queued tasks, found by stepping through the index from one to the next. `ordered`: their order, which is
 * fewest running tasks first, then whoever was served longest ago; so one with ten thousand tasks and one with a single task take turns, on
 * one slot as on a thousand. `turn`: the first of them whose oldest task this worker can take.
 * Within a workspace the oldest task is never passed over by one that fits better: it would wait for ever behind small ones. Other
 * workspaces' tasks may pass it while it has not waited long; else one large task would stop every worker that has no room for it.
 */
const nextTask = (types: string[], fitting: string[]) => sql`
  with recursive waiting as (
    (select workspace_id from task where state = 'queued' order by workspace_id limit 1)
    union all
    select next.workspace_id from waiting cross join lateral (
      select workspace_id from task where state = 'queued' and workspace_id > waiting.workspace_id order by workspace_id limit 1) as next
  ), busy as (
    select workspace_id, count(*) as tasks from task
    where state = 'running' or (state = 'queued' and reserved_until is not null) group by workspace_id
  ), ordered as materialized (
    select waiting.workspace_id from waiting
    left join busy on busy.workspace_id = waiting.workspace_id
    left join workspace_turn on workspace_turn.workspace_id = waiting.workspace_id
    order by coalesce(busy.tasks, 0), workspace_turn.served_at nulls first, waiting.workspace_id
  ), turn as (
    select ordered.workspace_id, head.type, head.type = any (${list(fitting)}) as fits from ordered cross join lateral (
      select wanted.type, oldest.id, oldest.available_at from unnest(${list(types)}) as wanted(type) cross join lateral (
        select id, available_at from task where workspace_id = ordered.workspace_id and type = wanted.type and ${isFree} order by id limit 1) as oldest
      order by oldest.id limit 1) as head
    where head.type = any (${list(fitting)}) or head.available_at < now() - make_interval(secs => ${patienceSeconds}) limit 1
  ), picked as (
    select oldest.id, turn.workspace_id from turn cross join lateral (
      select id from task where workspace_id = turn.workspace_id and type = turn.type and ${isFree} order by id limit 1 for update skip locked) as oldest
    where turn.fits
  ), served as (
    insert into workspace_turn (workspace_id, served_at) select workspace_id, clock_timestamp() from picked
    on conflict (workspace_id) do update set served_at = excluded.served_at
  )
  ${reserveTask}`;

const isFree = sql`state = 'queued' and available_at <= now() and (reserved_until is null or reserved_until < now())`;

/** Whether a task may be taken now. Another server may have queued it, or a pause or reservation of it may be over. */
export const isTaskFree = sql`exists (select 1 from task where ${isFree})`;
