import type { Observation } from "@periscan/contract/outcome.ts";
import type { Engine } from "@periscan/engines/kit/engine.ts";
import { and, eq, inArray, isNull, sql } from "drizzle-orm";
import { v7 as uuidv7 } from "uuid";
import type { Transaction } from "../db/connect.ts";
import { observation, scanTarget, target } from "../db/schema.ts";

type SeenTarget = Pick<typeof scanTarget.$inferSelect, "targetId" | "kind" | "coverage" | "observations" | "observedAt">;

const rowsPerInsert = 1000;

/**
 * Keeps what a finished scan saw of its targets: first sight, last sight, and gone where a complete look at the same scope did not see it
 * again. The caller holds the locks of the targets.
 */
export async function applyObservations(tx: Transaction, { scanId, engine }: { scanId: string; engine: Engine }): Promise<void> {
  const outcomes = await tx
    .select({
      targetId: scanTarget.targetId,
      kind: scanTarget.kind,
      coverage: scanTarget.coverage,
      observations: scanTarget.observations,
      observedAt: scanTarget.observedAt,
    })
    .from(scanTarget)
    // A target that was deleted meanwhile has nothing to keep.
    .innerJoin(target, eq(target.id, scanTarget.targetId))
    .where(eq(scanTarget.scanId, scanId));
  for (const outcome of outcomes) {
    await saveSeen(tx, engine, outcome);
    if (outcome.kind === "complete") await markGone(tx, engine, outcome);
  }
}

async function saveSeen(tx: Transaction, engine: Engine, { targetId, observations, observedAt }: SeenTarget): Promise<void> {
  const at = observedAt ?? new Date();
  const once = new Map(observations.map((seen) => [`${seen.kind} ${seen.key}`, seen]));
  const rows = [...once.values()].map((seen) => ({
    id: uuidv7(),
    targetId,
    scanType: engine.type,
    kind: seen.kind,
    key: seen.key,
    scope: seen.scope,
    seen,
    firstSeenAt: at,
    lastSeenAt: at,
  }));
  for (let start = 0; start < rows.length; start += rowsPerInsert) {
    await tx
      .insert(observation)
      .values(rows.slice(start, start + rowsPerInsert))
      .onConflictDoUpdate({
        target: [observation.targetId, observation.scanType, observation.kind, observation.key],
        set: { seen: sql`excluded.seen`, scope: sql`excluded.scope`, lastSeenAt: sql`excluded.last_seen_at`, goneAt: null },
        // Older evidence than what is known changes nothing.
        setWhere: sql`greatest(${observation.lastSeenAt}, ${observation.goneAt}) <= excluded.last_seen_at`,
      });
  }
}

async function markGone(tx: Transaction, engine: Engine, { targetId, coverage, observedAt }: SeenTarget): Promise<void> {
  const at = observedAt ?? new Date();
  const older = await tx
    .select({ id: observation.id, scope: observation.scope })
    .from(observation)
    .where(
      and(
        eq(observation.targetId, targetId),
        eq(observation.scanType, engine.type),
        isNull(observation.goneAt),
        sql`${observation.lastSeenAt} < ${at.toISOString()}`,
      ),
    );
  const gone = older.filter(({ scope }) => engine.covers(coverage, scope)).map(({ id }) => id);
  for (let start = 0; start < gone.length; start += rowsPerInsert) {
    await tx
      .update(observation)
      .set({ goneAt: at })
      .where(inArray(observation.id, gone.slice(start, start + rowsPerInsert)));
  }
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
