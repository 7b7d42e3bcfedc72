import { NewScan } from "@periscan/contract/scan.ts";
import type { NewSchedule, Schedule, ScheduleUpdate } from "@periscan/contract/schedule.ts";
import { findEngine } from "@periscan/engines/registry.ts";
import { and, eq, inArray, sql } from "drizzle-orm";
import { v7 as uuidv7 } from "uuid";
import type { Database, Transaction } from "../db/connect.ts";
import { schedule, scheduleRun, target } from "../db/schema.ts";
import { ApiError, notFound } from "../errors/api-error.ts";
import { checkScheduleAllowance } from "../limits/quotas.ts";
import { isId } from "../page.ts";
import { readOptions } from "../scans/create-scan.ts";
import { readTargets } from "../targets/read-targets.ts";
import { nextOccurrence, nextOccurrences, readRecurrence } from "./recurrence.ts";

export type ScheduleRow = typeof schedule.$inferSelect;

/** The database's time, which is the same for every server. */
export async function readClock(db: Database | Transaction): Promise<Date> {
  const { rows } = await db.execute<{ now: string }>(sql`select extract(epoch from now()) * 1000 as now`);
  return new Date(Number(rows[0]?.now));
}

/** Checks a schedule as if its scan were made now, but for what may have changed until then, and keeps it. Throws 400 or 404 with the field at fault, 403 where the workspace has as many as it may. */
export async function createSchedule(db: Database, workspaceId: string, input: NewSchedule): Promise<ScheduleRow> {
  return db.transaction(async (tx) => {
    const columns = await readColumns(tx, workspaceId, input);
    const enabled = input.enabled ?? true;
    const nextRunAt = enabled ? requireNext(columns, await readClock(tx)) : null;
    const [row] = await tx
      .insert(schedule)
      .values({ id: uuidv7(), workspaceId, ...columns, enabled, nextRunAt })
      .returning();
    await checkScheduleAllowance(tx, workspaceId);
    return row as ScheduleRow;
  });
}

/** Changes what is given. What is due stays due, unless the times themselves change or it is paused. */
export async function updateSchedule(db: Database, { id, workspaceId }: Named, change: ScheduleUpdate): Promise<ScheduleRow> {
  return db.transaction(async (tx) => {
    const before = await lockSchedule(tx, { id, workspaceId });
    const columns = await readColumns(tx, workspaceId, change, before);
    const enabled = change.enabled ?? before.enabled;
    const isSame = enabled === before.enabled && columns.cron === before.cron && columns.timeZone === before.timeZone;
    const nextRunAt = isSame ? before.nextRunAt : enabled ? requireNext(columns, await readClock(tx)) : null;
    if (!enabled) await dropWaiting(tx, id);
    const [row] = await tx
      .update(schedule)
      .set({ ...columns, enabled, nextRunAt })
      .where(eq(schedule.id, id))
      .returning();
    return row as ScheduleRow;
  });
}

interface Named {
  id: string;
  workspaceId: string;
}

async function lockSchedule(tx: Transaction, { id, workspaceId }: Named): Promise<ScheduleRow> {
  if (!isId(id)) throw notFound("schedule");
  const [row] = await tx
    .select()
    .from(schedule)
    .where(and(eq(schedule.id, id), eq(schedule.workspaceId, workspaceId)))
    .for("update");
  if (!row) throw notFound("schedule");
  return row;
}

async function dropWaiting(tx: Transaction, scheduleId: string): Promise<void> {
  await tx
    .update(scheduleRun)
    .set({ state: "skipped", reasonCode: "schedule.paused", reasonMessage: "The schedule was paused while this occurrence waited." })
    .where(and(eq(scheduleRun.scheduleId, scheduleId), eq(scheduleRun.state, "waiting")));
}

function requireNext(recurrence: { cron: string; timeZone: string }, now: Date): Date {
  const next = nextOccurrence(recurrence, now);
  if (next) return next;
  throw new ApiError(400, "schedule.invalid", `cron: ${recurrence.cron} does not occur any more.`, { field: "cron" });
}

async function readColumns(tx: Transaction, workspaceId: string, given: ScheduleUpdate, before?: ScheduleRow) {
  const { cron, timeZone } = readRecurrence(given, before);
  const type = given.type ?? (before?.type as Schedule["type"]);
  const columns = {
    name: given.name ?? before?.name ?? "",
    type,
    targets: given.targets ?? before?.targets ?? [],
    targetIds: given.target_ids ?? before?.targetIds ?? [],
    tags: given.tags ?? before?.tags ?? [],
    options: given.options ?? before?.options ?? {},
    useAuthentication: given.use_authentication ?? before?.useAuthentication ?? false,
    cron,
    timeZone,
    missed: given.missed ?? before?.missed ?? ("run_once" as const),
    overlap: given.overlap ?? before?.overlap ?? ("skip" as const),
  };
  readOptions(findEngine(type), columns.options);
  readTargets(columns.targets);
  if (columns.targets.length + columns.targetIds.length + columns.tags.length === 0)
    throw new ApiError(400, "request.invalid", "Give at least one of targets, target_ids and tags, and not an empty one.", { field: "targets" });
  if (given.target_ids) await requireTargets(tx, workspaceId, given.target_ids);
  return columns;
}

async function requireTargets(tx: Transaction, workspaceId: string, ids: string[]): Promise<void> {
  const known = new Set(await findTargetIds(tx, workspaceId, ids));
  for (const [index, id] of ids.entries()) if (!known.has(id)) throw notFound("target", `target_ids[${index}]`);
}

/** Those of the ids that are targets of the workspace. */
export async function findTargetIds(tx: Transaction, workspaceId: string, ids: string[]): Promise<string[]> {
  const rows = await tx
    .select({ id: target.id })
    .from(target)
    .where(and(eq(target.workspaceId, workspaceId), inArray(target.id, ids.filter(isId))));
  const known = new Set(rows.map(({ id }) => id));
  return ids.filter((id) => known.has(id));
}

/** The scan that a schedule asks for. */
export const toNewScan = (row: ScheduleRow): NewScan =>
  NewScan.parse({
    type: row.type,
    targets: row.targets,
    target_ids: row.targetIds,
    tags: row.tags,
    options: row.options,
    use_authentication: row.useAuthentication,
  });

export const presentSchedule = (row: ScheduleRow): Schedule => ({
  id: row.id,
  name: row.name,
  type: row.type,
  targets: row.targets,
  target_ids: row.targetIds,
  tags: row.tags,
  options: row.options,
  use_authentication: row.useAuthentication,
  cron: row.cron,
  time_zone: row.timeZone,
  missed: row.missed,
  overlap: row.overlap,
  enabled: row.enabled,
  next_runs: row.nextRunAt ? nextOccurrences(row, row.nextRunAt, 5).map((moment) => moment.toISOString()) : [],
  ...(row.lastScanId === null ? {} : { last_scan_id: row.lastScanId }),
  created_at: row.createdAt.toISOString(),
});
