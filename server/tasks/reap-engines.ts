import { ScanType } from "@periscan/contract/scan.ts";
import { sql } from "drizzle-orm";
import type { Services } from "../services.ts";
import { workerAliveSeconds } from "./living-workers.ts";
import { findOverdue, moveOn } from "./reap.ts";
import type { TaskError } from "./task-rows.ts";

/** An engine may be away for so long, as while its scanner restarts, before the scans that wait for it end. */
const awaySeconds = 60;

const engineMissing: TaskError = {
  code: "engine.missing",
  message: "No worker has the engine of this scan type: `periscan doctor` says what is missing, `periscan engines install` mends it.",
  retry: false,
};

/**
 * Ends the queued tasks of a type that no worker has had for a minute, while workers are alive; where none is, one may be starting. The answer is to
 * be called again and again, and says how many tasks it ended.
 */
export function createEngineReaper(services: Services, now: () => number = () => performance.now()): () => Promise<number> {
  const awaySince = new Map<ScanType, number>();
  return async () => {
    const away = await findAway(services);
    for (const type of ScanType.options) if (!away.has(type)) awaySince.delete(type);
    for (const type of away) if (!awaySince.has(type)) awaySince.set(type, now());
    const gone = [...awaySince].flatMap(([type, since]) => (now() - since >= awaySeconds * 1000 ? [type] : []));
    const found = await Promise.all(gone.map((type) => findOverdue(services, sql`type = ${type} and ${waitsInVain}`, engineMissing)));
    return moveOn(services, found.flat());
  };
}

/** Whether a task waits, and so perhaps for an engine that nobody has. */
export const isTaskWaiting = sql`exists (select 1 from task where state = 'queued')`;

const isAlive = sql`seen_at > now() - make_interval(secs => ${workerAliveSeconds})`;
const isOffered = sql`((engine ->> 'ready')::boolean or coalesce((engine ->> 'installing')::boolean, false))`;

/** Looked at again under the scan's lock. */
const waitsInVain = sql`state = 'queued' and created_at < now() - make_interval(secs => ${awaySeconds})
  and exists (select 1 from worker where ${isAlive})
  and not exists (select 1 from worker, jsonb_array_elements(worker.engines) as engine where ${isAlive} and engine ->> 'type' = task.type and ${isOffered})`;

/** The types that no living worker offers; none where no worker is alive. To look at every queued task each second would cost seconds with a million of them. */
async function findAway(services: Services): Promise<Set<ScanType>> {
  const { rows } = await services.db.execute<{ type: string | null }>(sql`
    select distinct case when ${isOffered} then engine ->> 'type' end as type from worker, jsonb_array_elements(worker.engines) as engine where ${isAlive}`);
  if (rows.length === 0) return new Set();
  const offered = new Set(rows.map(({ type }) => type));
  return new Set(ScanType.options.filter((type) => !offered.has(type)));
}
