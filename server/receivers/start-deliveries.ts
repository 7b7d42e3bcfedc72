import { setTimeout as sleep } from "node:timers/promises";
import { sql } from "drizzle-orm";
import type { Database } from "../db/connect.ts";
import type { Services } from "../services.ts";
import { createDispatcher } from "./create-dispatcher.ts";
import { failForDisabled } from "./record-attempt.ts";

const lookMilliseconds = 500;
const purgeMilliseconds = 60_000;

/** How long events and the log of their deliveries are kept. */
const keepDays = 14;
const rowsPerPurge = 5000;

/** Looks twice a second for what is due, in any number of servers at once, and clears away old events. Answers what stops it. */
export function startDeliveries(services: Services): () => Promise<void> {
  const dispatcher = createDispatcher(services);
  const stopping = new AbortController();
  const run = async () => {
    for (let purgeAt = 0; !stopping.signal.aborted; ) {
      await dispatcher.takeDue().catch((error) => services.log.warn({ err: error }, "deliveries could not be looked for; the server looks again"));
      if (performance.now() >= purgeAt) {
        purgeAt = performance.now() + purgeMilliseconds;
        await tidy(services.db).catch((error) => services.log.warn({ err: error }, "old events could not be cleared away"));
      }
      await sleep(lookMilliseconds, undefined, { signal: stopping.signal }).catch(() => {});
    }
  };
  const running = run();
  return async () => {
    stopping.abort();
    await running;
    await dispatcher.stop();
  };
}

async function tidy(db: Database): Promise<void> {
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
