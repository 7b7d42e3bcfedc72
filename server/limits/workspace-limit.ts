import { and, eq, sql } from "drizzle-orm";
import type { Database, Transaction } from "../db/connect.ts";
import { scan, target, workspaceLimit } from "../db/schema.ts";
import { ApiError } from "../errors/api-error.ts";

type LimitRow = typeof workspaceLimit.$inferSelect;

/**
 * The workspace's limits, or undefined where it has none. The lock lasts to the end of the transaction: what is counted under it is true
 * until then. It is taken after targets and before scans; nobody who holds it waits for a target.
 */
export async function lockLimits(tx: Transaction, workspaceId: string): Promise<LimitRow | undefined> {
  const [row] = await tx.select().from(workspaceLimit).where(eq(workspaceLimit.workspaceId, workspaceId)).for("update");
  return row;
}

/** After targets were added: throws 400 where the workspace has more of them than it may. */
export async function checkTargetAllowance(tx: Transaction, workspaceId: string): Promise<void> {
  const limits = await lockLimits(tx, workspaceId);
  if (!limits || limits.targets === null) return;
  const count = await tx.$count(target, eq(target.workspaceId, workspaceId));
  if (count <= limits.targets) return;
  const message = `The workspace may have ${limits.targets} targets; with these it would have ${count}. Delete some, or ask the operator for more.`;
  throw new ApiError(400, "target.over_limit", message, { field: "targets" });
}

export interface Admission {
  /** The scan waits until fewer scans of the workspace are open. */
  isHeld: boolean;
  /** The scan is kept and does not run, for this reason. */
  overLimit?: { code: string; message: string };
}

/** Whether the workspace may have one more scan. A month is that of the calendar, in UTC; scans over the allowance do not count. */
export async function admitScan(tx: Transaction, workspaceId: string): Promise<Admission> {
  const limits = await lockLimits(tx, workspaceId);
  if (!limits) return { isHeld: false };
  if (limits.scansPerMonth !== null) {
    const count = await countScansThisMonth(tx, workspaceId);
    if (count >= limits.scansPerMonth) return { isHeld: false, overLimit: await describeOverLimit(tx, limits.scansPerMonth) };
  }
  const open = await countOpenScans(tx, workspaceId);
  // Behind those that wait already, even where there is room for one: they were first.
  return { isHeld: limits.concurrentScans !== null && (open.held > 0 || open.active >= limits.concurrentScans) };
}

async function describeOverLimit(tx: Transaction, scansPerMonth: number): Promise<NonNullable<Admission["overLimit"]>> {
  const { rows } = await tx.execute<{ day: string }>(
    sql`select to_char(date_trunc('month', now() at time zone 'UTC') + interval '1 month', 'YYYY-MM-DD') as day`,
  );
  const message = `The workspace's allowance of ${scansPerMonth} ${scansPerMonth === 1 ? "scan" : "scans"} a month is used up. This scan is kept and does not run; start it again from ${rows[0]?.day} (UTC) on.`;
  return { code: "scan.over_limit", message };
}

/** An import looks at nothing: it neither counts against the allowance of scans nor keeps others waiting. */
const isNoImport = sql`not exists (select 1 from import_file where import_file.scan_id = ${scan.id})`;

/** The scans of this calendar month (UTC); those over the allowance do not count, and neither do imports. */
export async function countScansThisMonth(db: Database | Transaction, workspaceId: string): Promise<number> {
  const thisMonth = sql`${scan.createdAt} >= date_trunc('month', now(), 'UTC')`;
  return db.$count(scan, and(eq(scan.workspaceId, workspaceId), sql`${scan.state} <> 'OVER_LIMIT'`, thisMonth, isNoImport));
}

/** Scans that have not ended, without imports: those that wait, and the others. */
export async function countOpenScans(db: Database | Transaction, workspaceId: string): Promise<{ active: number; held: number }> {
  const count = (isHeld: boolean) =>
    db.$count(scan, and(eq(scan.workspaceId, workspaceId), eq(scan.isHeld, isHeld), sql`${scan.state} in ('QUEUED', 'RUNNING')`, isNoImport));
  return { active: await count(false), held: await count(true) };
}
