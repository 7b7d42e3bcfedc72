import type { Observation } from "@periscan/contract/outcome.ts";
import type { Engine } from "@periscan/engines/kit/engine.ts";
import { sql } from "drizzle-orm";
import type { Transaction } from "../db/connect.ts";
import { findCovered, looksOf } from "./find-covered.ts";

/**
 * Keeps what a finished scan saw of its targets: first sight, last sight, and gone where a complete look at the same scope did not see it
 * again. The caller holds the locks of the targets.
 */
export async function applyObservations(tx: Transaction, { scanId, engine }: { scanId: string; engine: Engine }): Promise<void> {
  await saveSeen(tx, engine, scanId);
  await markGone(tx, engine, scanId);
}

/** A target that was deleted meanwhile has nothing to keep. Older evidence than what is known changes nothing, and neither does the same. */
async function saveSeen(tx: Transaction, engine: Engine, scanId: string): Promise<void> {
  await tx.execute(sql`
    insert into observation (id, target_id, scan_type, kind, key, scope, seen, first_seen_at, last_seen_at)
    select uuidv7(), target_id, ${engine.type}, kind, key, seen ->> 'scope', seen, at, at
    from (
      select distinct on (scan_target.target_id, seen ->> 'kind', seen ->> 'key')
        scan_target.target_id, seen ->> 'kind' as kind, seen ->> 'key' as key, seen, scan_target.observed_at as at, scan_target.ordinal, place
      from scan_target join target on target.id = scan_target.target_id,
        jsonb_array_elements(scan_target.observations) with ordinality as part(seen, place)
      where scan_target.scan_id = ${scanId} and scan_target.observed_at is not null
      order by scan_target.target_id, seen ->> 'kind', seen ->> 'key', place desc) as once
    order by ordinal, place
    on conflict (target_id, scan_type, kind, key) do update
      set seen = excluded.seen, scope = excluded.scope, last_seen_at = excluded.last_seen_at, gone_at = null
      where greatest(observation.last_seen_at, observation.gone_at) <= excluded.last_seen_at
        and (observation.last_seen_at < excluded.last_seen_at or observation.gone_at is not null
          or (observation.scope, observation.seen) is distinct from (excluded.scope, excluded.seen))`);
}

async function markGone(tx: Transaction, engine: Engine, scanId: string): Promise<void> {
  const older = await tx.execute<{ id: string; scope: string; target_id: string }>(sql`
    select observation.id, observation.scope, observation.target_id
    from scan_target join observation on observation.target_id = scan_target.target_id and observation.scan_type = ${engine.type}
      and observation.gone_at is null and observation.last_seen_at < scan_target.observed_at
    where scan_target.scan_id = ${scanId} and scan_target.kind = 'complete'`);
  const gone = await findCovered(tx, { engine, places: older.rows, looks: looksOf(scanId, older.rows) });
  if (gone.length === 0) return;
  await tx.execute(sql`
    update observation set gone_at = scan_target.observed_at from scan_target
    where observation.id = any(${sql.param(gone.map(({ id }) => id))}::uuid[]) and scan_target.scan_id = ${scanId} and scan_target.target_id = observation.target_id`);
}

/** So much of one target goes with a task: services first, then certificates, technologies and URLs. */
const mostKnown = 2000;

/** What is known of these targets and not known to be gone, by the target's id. */
export async function loadKnown(tx: Transaction, targetIds: string[]): Promise<Map<string, Observation[]>> {
  const known = new Map<string, Observation[]>();
  if (targetIds.length === 0) return known;
  const ids = sql.join(
    targetIds.map((id) => sql`${id}::uuid`),
    sql`, `,
  );
  const { rows } = await tx.execute<{ target_id: string; seen: Observation }>(sql`
    select one.id as target_id, part.seen from unnest(array[${ids}]) as one(id) cross join lateral (
      select seen from observation where target_id = one.id and gone_at is null
      order by array_position(array['service', 'certificate', 'technology', 'url'], kind), id limit ${mostKnown}) as part`);
  for (const { target_id, seen } of rows) known.set(target_id, [...(known.get(target_id) ?? []), seen]);
  return known;
}
