import { setTimeout as sleep } from "node:timers/promises";
import { type SQL, sql } from "drizzle-orm";
import { PgDialect } from "drizzle-orm/pg-core";
import type { Pool } from "pg";
import type { Services } from "./services.ts";

/** Something that a server does by itself whenever it is due. Safe in any number of servers at once. */
export interface Chore {
  name: string;
  /** A condition in SQL that is true while there is something to do. It must be answered from an index. */
  due: SQL;
  run(stopping: AbortSignal): Promise<unknown>;
}

/** How often a server asks what is due. */
const everyMilliseconds = 1000;

/** A chore that failed rests for so long. */
const restMilliseconds = 1000;

/**
 * Asks once a second, in one statement, which chores are due, and starts those that are and do not run yet; so a server that waits costs next to nothing.
 * Each chore is for itself: one that takes long or fails keeps no other from its work. The answer stops it all, and resolves once the last chore has ended.
 */
export function startUpkeep({ pool, log }: { pool: Pool; log: Services["log"] }, chores: Chore[]): () => Promise<void> {
  const stopping = new AbortController();
  const { signal } = stopping;
  const running = new Map<Chore, Promise<void>>();
  const list = sql.join(
    chores.map(({ due }) => sql`(${due})`),
    sql`, `,
  );
  // By name, so that PostgreSQL reads and plans it once for each connection.
  const statement = { name: "upkeep", ...new PgDialect().sqlToQuery(sql`select array[${list}] as due`) };

  const start = (chore: Chore) => {
    const run = async () => {
      try {
        await chore.run(signal);
      } catch (error) {
        if (signal.aborted) return;
        log.warn({ err: error }, `${chore.name} failed; it runs again`);
        await pause(restMilliseconds, signal);
      }
    };
    running.set(
      chore,
      run().finally(() => running.delete(chore)),
    );
  };
  const ask = async () => {
    while (!signal.aborted) {
      try {
        const { rows } = await pool.query<{ due: boolean[] }>({ name: statement.name, text: statement.sql, values: statement.params });
        for (const [index, chore] of chores.entries()) if (rows[0]?.due[index] && !running.has(chore) && !signal.aborted) start(chore);
      } catch (error) {
        if (!signal.aborted) log.warn({ err: error }, "the database could not be asked for what is due; the server asks again");
      }
      await pause(everyMilliseconds, signal);
    }
  };
  const asking = ask();
  return async () => {
    stopping.abort();
    await asking;
    await Promise.all(running.values());
  };
}

/** Does something again and again, so many seconds apart, whatever it throws, until the answer is called, which resolves once the last has ended. */
export function repeat(
  { log }: Pick<Services, "log">,
  { name, seconds }: { name: string; seconds: number },
  action: () => Promise<unknown>,
): () => Promise<void> {
  const stopping = new AbortController();
  const run = async () => {
    while (!stopping.signal.aborted) {
      await action().catch((error) => {
        if (!stopping.signal.aborted) log.warn({ err: error }, `${name} failed; it runs again in ${seconds} s`);
      });
      await pause(seconds * 1000, stopping.signal);
    }
  };
  const running = run();
  return async () => {
    stopping.abort();
    await running;
  };
}

const pause = (milliseconds: number, signal: AbortSignal) => sleep(milliseconds, undefined, { signal }).catch(() => {});
