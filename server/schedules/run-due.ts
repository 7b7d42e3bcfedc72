import { and, eq, inArray, isNotNull, isNull, lte, sql } from "drizzle-orm";
import { v7 as uuidv7 } from "uuid";
import type { Transaction } from "../db/connect.ts";
import { scan, schedule, scheduleRun } from "../db/schema.ts";
import { ApiError } from "../errors/api-error.ts";
import { isPassing } from "../http/handle-error.ts";
import { createScanIn } from "../scans/create-scan.ts";
import type { Services } from "../services.ts";
import { lastOccurrence, nextOccurrence } from "./recurrence.ts";
import { findTargetIds, type ScheduleRow, toNewScan } from "./schedule-rows.ts";

/** An occurrence that is later than this was missed: no server ran when it was due. A restart takes less. */
const missedSeconds = 300;

const isOpen = inArray(scan.state, ["QUEUED", "RUNNING"]);

/** Whether an occurrence is due, or one that waited for the scan before it may start. */
export const isOccurrenceDue = sql`exists (select 1 from schedule where next_run_at <= now()) or exists (
  select 1 from schedule_run join schedule on schedule.id = schedule_run.schedule_id
  where schedule_run.state = 'waiting' and not exists (select 1 from scan where scan.id = schedule.last_scan_id and scan.state in ('QUEUED', 'RUNNING')))`;

type RunRow = typeof scheduleRun.$inferInsert;
type Ending = Pick<RunRow, "state" | "scanId" | "reasonCode" | "reasonMessage">;

/**
 * Makes the scans that are due at `now`. An occurrence's row, its scan and the schedule's next time are one transaction under the schedule's
 * lock, so each occurrence counts once, in any number of servers and whenever one dies. Answers how many occurrences it decided.
 */
export async function runDueSchedules(services: Services, now: Date): Promise<number> {
  const due = await services.db
    .select({ id: schedule.id })
    .from(schedule)
    .where(and(isNotNull(schedule.nextRunAt), lte(schedule.nextRunAt, now)))
    .orderBy(schedule.nextRunAt)
    .limit(500);
  // Only those whose scan before has ended, so that those that go on waiting keep no others from being looked at.
  const ready = await services.db
    .select({ id: scheduleRun.scheduleId })
    .from(scheduleRun)
    .innerJoin(schedule, eq(schedule.id, scheduleRun.scheduleId))
    .leftJoin(scan, and(eq(scan.id, schedule.lastScanId), isOpen))
    .where(and(eq(scheduleRun.state, "waiting"), isNull(scan.id)))
    .orderBy(scheduleRun.id)
    .limit(500);
  let decided = 0;
  for (const { id } of due) decided += await decide(services, id, (tx) => runOccurrence(tx, services, { id, now }));
  for (const { id } of ready) decided += await decide(services, id, (tx) => startWaiting(tx, services, id));
  if (decided > 0) services.bell.ring();
  return decided;
}

/** One schedule's failure is its own: it is logged, the others go on, and it is tried again at the next look. */
async function decide(services: Services, id: string, action: (tx: Transaction) => Promise<boolean>): Promise<number> {
  try {
    return (await services.db.transaction(action)) ? 1 : 0;
  } catch (error) {
    services.log.error({ err: error, scheduleId: id }, "schedule could not be run; it is tried again");
    return 0;
  }
}

/** Undefined where another server has it, or it was deleted. */
async function lockSchedule(tx: Transaction, id: string): Promise<ScheduleRow | undefined> {
  const [row] = await tx.select().from(schedule).where(eq(schedule.id, id)).for("update", { skipLocked: true });
  return row;
}

async function runOccurrence(tx: Transaction, services: Services, { id, now }: { id: string; now: Date }): Promise<boolean> {
  const row = await lockSchedule(tx, id);
  if (!row?.nextRunAt || row.nextRunAt > now) return false;
  const first = row.nextRunAt;
  const plannedAt = lastOccurrence(row, first, now);
  const isMissed = now.getTime() - plannedAt.getTime() > missedSeconds * 1000;
  const ending = isMissed && row.missed === "skip" ? missed : await begin(tx, services, row);
  const missedSince = plannedAt > first ? first : null;
  await tx.insert(scheduleRun).values({ id: uuidv7(), scheduleId: id, plannedAt, missedSince, ...ending });
  const lastScanId = ending.state === "started" ? ending.scanId : row.lastScanId;
  // From the planned time, so that neither a late server nor a clock that was set moves it.
  await tx
    .update(schedule)
    .set({ nextRunAt: nextOccurrence(row, plannedAt) ?? null, lastScanId })
    .where(eq(schedule.id, id));
  return true;
}

const missed: Ending = {
  state: "skipped",
  reasonCode: "schedule.missed",
  reasonMessage: "No server ran when it was due, and the schedule's policy is to skip what was missed.",
};

async function begin(tx: Transaction, services: Services, row: ScheduleRow): Promise<Ending> {
  if (!(await isLastOpen(tx, row))) return makeScan(tx, services, row);
  const [waiting] = await tx
    .select({ id: scheduleRun.id })
    .from(scheduleRun)
    .where(and(eq(scheduleRun.scheduleId, row.id), eq(scheduleRun.state, "waiting")));
  if (row.overlap === "queue" && !waiting)
    return { state: "waiting", reasonCode: "schedule.overlap", reasonMessage: `It waits for the end of the scan before, ${row.lastScanId}.` };
  const more = waiting ? ", and another occurrence waits for its end" : "";
  return { state: "skipped", reasonCode: "schedule.overlap", reasonMessage: `The scan before, ${row.lastScanId}, still ran${more}.` };
}

async function isLastOpen(tx: Transaction, { lastScanId }: ScheduleRow): Promise<boolean> {
  if (lastScanId === null) return false;
  const rows = await tx
    .select({ id: scan.id })
    .from(scan)
    .where(and(eq(scan.id, lastScanId), isOpen));
  return rows.length > 0;
}

/** What the scan is refused for is the occurrence's end; nothing of the scan stays then. What passes (a lost connection) is thrown on, and tried again. */
async function makeScan(tx: Transaction, services: Services, row: ScheduleRow): Promise<Ending> {
  try {
    return await tx.transaction((inner) => insertScan(inner, services, row));
  } catch (error) {
    if (error instanceof ApiError) return { state: "refused", reasonCode: error.code, reasonMessage: error.message };
    if (isPassing(error)) throw error;
    services.log.error({ err: error, scheduleId: row.id }, "scheduled scan could not be made");
    return { state: "refused", reasonCode: "server.error", reasonMessage: "Something failed in the server; its log has the cause." };
  }
}

async function insertScan(tx: Transaction, services: Services, row: ScheduleRow): Promise<Ending> {
  const target_ids = await findTargetIds(tx, row.workspaceId, row.targetIds);
  const gone = row.targetIds.length - target_ids.length;
  if (target_ids.length + row.targets.length + row.tags.length === 0) throw new ApiError(400, "schedule.no_targets", "Each of its targets was deleted.");
  const input = { ...toNewScan(row), target_ids };
  const scanId = await createScanIn(tx, services, { workspaceId: row.workspaceId, input, scheduledBy: row.id });
  const [made] = await tx.select({ state: scan.state, code: scan.errorCode, message: scan.errorMessage }).from(scan).where(eq(scan.id, scanId));
  if (made?.state === "OVER_LIMIT") return { state: "refused", scanId, reasonCode: made.code, reasonMessage: made.message };
  if (gone === 0) return { state: "started", scanId };
  return {
    state: "started",
    scanId,
    reasonCode: "schedule.targets_deleted",
    reasonMessage: `${gone} of its target_ids were deleted, and are not in this scan.`,
  };
}

/** Makes the scan of an occurrence that waited for the end of the one before. */
async function startWaiting(tx: Transaction, services: Services, id: string): Promise<boolean> {
  const row = await lockSchedule(tx, id);
  if (!row || (await isLastOpen(tx, row))) return false;
  const [waiting] = await tx
    .select({ id: scheduleRun.id })
    .from(scheduleRun)
    .where(and(eq(scheduleRun.scheduleId, id), eq(scheduleRun.state, "waiting")));
  if (!waiting) return false;
  const ending = { reasonCode: null, reasonMessage: null, ...(await makeScan(tx, services, row)) };
  await tx.update(scheduleRun).set(ending).where(eq(scheduleRun.id, waiting.id));
  if (ending.state === "started")
    await tx
      .update(schedule)
      .set({ lastScanId: ending.scanId ?? sql`null` })
      .where(eq(schedule.id, id));
  return true;
}
