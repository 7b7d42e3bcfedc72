import { eq, sql } from "drizzle-orm";
import type { Database, Transaction } from "../db/connect.ts";
import { schedule } from "../db/schema.ts";
import { ApiError } from "../errors/api-error.ts";
import { lockLimits } from "./workspace-limit.ts";

const megabyte = 1024 ** 2;

/** What the workspace's files take: results, reports, and the imports that are no result yet. Files from before sizes were kept count nothing. */
export async function measureStorage(db: Database | Transaction, workspaceId: string): Promise<number> {
  const { rows } = await db.execute<{ bytes: string }>(sql`
    select coalesce((select sum(size_bytes) from result where workspace_id = ${workspaceId}), 0)
      + coalesce((select sum(size_bytes) from report where workspace_id = ${workspaceId}), 0)
      + coalesce((select sum(import_file.size_bytes) from import_file join scan on scan.id = import_file.scan_id
        where scan.workspace_id = ${workspaceId}
          and not exists (select 1 from result where result.scan_id = scan.id and result.kind = 'native' and result.size_bytes is not null)), 0) as bytes`);
  return Number(rows[0]?.bytes);
}

/** Why so many bytes more are too many for the workspace, as a sentence; undefined where they are not, or it has no limit. Counted under the limit's lock. */
export async function explainStorage(tx: Transaction, workspaceId: string, freshBytes: number): Promise<string | undefined> {
  const { storageMegabytes = null } = (await lockLimits(tx, workspaceId)) ?? {};
  if (storageMegabytes === null) return undefined;
  const used = await measureStorage(tx, workspaceId);
  if (used + freshBytes <= storageMegabytes * megabyte) return undefined;
  const taken = (used / megabyte).toLocaleString("en", { maximumFractionDigits: 1 });
  const more = freshBytes > 1 ? `, and this needs ${(freshBytes / megabyte).toLocaleString("en", { maximumFractionDigits: 1 })} MB` : "";
  return `The files of this workspace take ${taken} of the ${storageMegabytes.toLocaleString("en")} MB that it may have${more}. Ask the operator for more.`;
}

/** Throws 403 where the workspace has no room for a file of so many bytes; 1 asks whether there is any. */
export async function checkStorage(tx: Transaction, workspaceId: string, freshBytes = 1): Promise<void> {
  const message = await explainStorage(tx, workspaceId, freshBytes);
  if (message !== undefined) throw new ApiError(403, "storage.over_limit", message);
}

/** After a schedule was added: throws 403 where the workspace has more of them than it may. */
export async function checkScheduleAllowance(tx: Transaction, workspaceId: string): Promise<void> {
  const { schedules = null } = (await lockLimits(tx, workspaceId)) ?? {};
  if (schedules === null || (await tx.$count(schedule, eq(schedule.workspaceId, workspaceId))) <= schedules) return;
  throw new ApiError(
    403,
    "schedule.over_limit",
    `The workspace may have ${schedules} schedules, paused ones among them. Delete one, or ask the operator for more.`,
  );
}

const hourSeconds = 3600;
/** Rounding to microseconds must not cost a mail. */
const toleranceSeconds = 0.001;

/**
 * Takes so many mails (each recipient has one) from the workspace's bucket of an hour, which refills evenly: for every server at once. Answers 0 where they may go out now, else the
 * seconds until there is room. One with more recipients than an hour may have goes out with a full bucket.
 */
export async function takeMails(db: Database, workspaceId: string, { mails, now }: { mails: number; now: Date }): Promise<number> {
  const instant = sql`${now.toISOString()}::timestamptz`;
  const full = sql`greatest(coalesce(mails_full_at, ${instant}), ${instant}) + make_interval(secs => least(${mails}::int, mails_per_hour) * ${hourSeconds}::float8 / mails_per_hour)`;
  const taken = await db.execute(sql`
    update workspace_limit set mails_full_at = ${full}
    where workspace_id = ${workspaceId} and mails_per_hour is not null and ${full} <= ${instant} + make_interval(secs => ${hourSeconds + toleranceSeconds}::float8)`);
  if (taken.rowCount === 1) return 0;
  const { rows } = await db.execute<{ seconds: string }>(sql`
    select extract(epoch from (${full} - ${instant})) - ${hourSeconds} as seconds from workspace_limit where workspace_id = ${workspaceId} and mails_per_hour is not null`);
  return rows[0] ? Math.max(1, Math.ceil(Number(rows[0].seconds))) : 0;
}
