import { sql } from "drizzle-orm";
import type { Database } from "../db/connect.ts";
import { failForDisabled } from "./record-attempt.ts";

/** How long events and the log of their deliveries are kept. */
const keepDays = 14;
const rowsPerPurge = 5000;

/** Clears away what no receiver waits for any more. */
export async function tidyEvents(db: Database): Promise<void> {
  const now = new Date();
  await failForDisabled(db, now);
  await purgeEvents(db, now);
}

/** Deletes events that are older than 14 days and that no receiver waits for, with their deliveries; a bounded number at a time. */
export async function purgeEvents(db: Database, now: Date): Promise<number> {
  const limit = new Date(now.getTime() - keepDays * 86_400_000).toISOString();
  const { rowCount } = await db.execute(sql`
    delete from event where id in (
      select id from event where created_at < ${limit}::timestamptz
        and not exists (select 1 from delivery where delivery.event_id = event.id and state = 'WAITING')
      order by created_at limit ${rowsPerPurge} for update skip locked)`);
  return rowCount ?? 0;
}
