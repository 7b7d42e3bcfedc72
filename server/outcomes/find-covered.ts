import { setImmediate } from "node:timers/promises";
import type { Engine } from "@periscan/engines/kit/engine.ts";
import { sql } from "drizzle-orm";
import type { Transaction } from "../db/connect.ts";

/** One outcome: of this scan, of this target. */
interface Look {
  scan_id: string;
  target_id: string;
}

interface Place {
  target_id: string;
  scope: string;
}

interface Question<P extends Place> {
  engine: Engine;
  places: P[];
  looks: Look[];
}

/** A coverage may have 70 kB and more. */
const looksAtOnce = 50;

/** The places that one of these looks at their target covers, in their order. Each look is read once, and a few of them are in memory at a time. */
export async function findCovered<P extends Place>(tx: Transaction, { engine, places, looks }: Question<P>): Promise<P[]> {
  const byTarget = Map.groupBy(places, ({ target_id }) => target_id);
  const covered = new Set<P>();
  for (let start = 0; start < looks.length; start += looksAtOnce) {
    const few = looks.slice(start, start + looksAtOnce);
    const { rows } = await tx.execute<{ target_id: string; coverage: unknown }>(sql`
      select target_id, coverage from unnest(${sql.param(few.map(({ scan_id }) => scan_id))}::uuid[], ${sql.param(few.map(({ target_id }) => target_id))}::uuid[])
        as look(scan_id, target_id) join scan_target using (scan_id, target_id)`);
    for (const { target_id, coverage } of rows) {
      const covers = engine.readCoverage(coverage);
      for (const place of byTarget.get(target_id) ?? []) if (covers(place.scope)) covered.add(place);
      // The leases of other tasks are renewed meanwhile.
      await setImmediate();
    }
  }
  return places.filter((place) => covered.has(place));
}

/** The looks of one scan at the targets of these places. */
export const looksOf = (scanId: string, places: Place[]): Look[] =>
  [...new Set(places.map(({ target_id }) => target_id))].map((target_id) => ({ scan_id: scanId, target_id }));
