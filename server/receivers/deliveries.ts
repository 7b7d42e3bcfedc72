import type { Delivery, DeliveryState } from "@periscan/contract/webhook.ts";
import { and, desc, eq, gte, inArray, lt, sql } from "drizzle-orm";
import type { Database, Transaction } from "../db/connect.ts";
import { delivery, deliveryAttempt, event } from "../db/schema.ts";
import { ApiError, notFound } from "../errors/api-error.ts";
import { insertEvents } from "../events/record-events.ts";
import { isId } from "../page.ts";
import { findReceiver, type Owned } from "./receivers.ts";
import { lockReceiver } from "./record-attempt.ts";

interface DeliveryPage {
  receiverId: string;
  states: DeliveryState[] | undefined;
  before: string | undefined;
  limit: number;
}

const columns = { id: delivery.id, delivery, eventType: event.type };
type DeliveryRow = { id: string; delivery: typeof delivery.$inferSelect; eventType: string };

/** Newest first. */
export const listDeliveries = (db: Database, { receiverId, states, before, limit }: DeliveryPage): Promise<DeliveryRow[]> =>
  db
    .select(columns)
    .from(delivery)
    .innerJoin(event, eq(event.id, delivery.eventId))
    .where(and(eq(delivery.receiverId, receiverId), states && inArray(delivery.state, states), before === undefined ? undefined : lt(delivery.id, before)))
    .orderBy(desc(delivery.id))
    .limit(limit);

/** One delivery and the event as it is sent. Throws 404. */
export async function findDelivery(db: Database, receiverId: string, id: string): Promise<DeliveryRow & { body: string }> {
  const [row] = isId(id)
    ? await db
        .select({ ...columns, body: event.body })
        .from(delivery)
        .innerJoin(event, eq(event.id, delivery.eventId))
        .where(and(eq(delivery.receiverId, receiverId), eq(delivery.id, id)))
    : [];
  if (!row) throw notFound("delivery");
  return row;
}

const shownAttempts = 20;

/** Deliveries as the API shows them, in the order given, each with its newest attempts. */
export async function presentDeliveries(db: Database, rows: DeliveryRow[]): Promise<Delivery[]> {
  const ids = rows.map(({ id }) => id);
  const ranked = db
    .select({
      attempt: deliveryAttempt.id,
      rank: sql<number>`row_number() over (partition by ${deliveryAttempt.deliveryId} order by ${deliveryAttempt.id} desc)`.as("rank"),
    })
    .from(deliveryAttempt)
    .where(inArray(deliveryAttempt.deliveryId, ids))
    .as("ranked");
  const attempts =
    ids.length === 0
      ? []
      : await db
          .select({ row: deliveryAttempt })
          .from(deliveryAttempt)
          .innerJoin(ranked, and(eq(ranked.attempt, deliveryAttempt.id), sql`${ranked.rank} <= ${shownAttempts}`))
          .orderBy(deliveryAttempt.id);
  const attemptsOf = Map.groupBy(attempts, ({ row }) => row.deliveryId);
  return rows.map(({ id, delivery: each, eventType }) => ({
    id,
    event_id: each.eventId,
    event_type: eventType,
    state: each.state,
    ...(each.reason === null ? {} : { reason: each.reason }),
    created_at: each.createdAt.toISOString(),
    ...(each.state === "WAITING" ? { next_attempt_at: each.nextAt.toISOString() } : {}),
    ...(each.endedAt ? { ended_at: each.endedAt.toISOString() } : {}),
    attempts: (attemptsOf.get(id) ?? []).map(({ row }) => presentAttempt(row)),
  }));
}

const presentAttempt = (row: typeof deliveryAttempt.$inferSelect): Delivery["attempts"][number] => ({
  at: row.at.toISOString(),
  duration_milliseconds: row.durationMilliseconds,
  ...(row.status === null ? {} : { status: row.status }),
  ...(row.error === null ? {} : { error: row.error }),
  ...(row.answer === null ? {} : { answer: row.answer }),
});

const again = () => ({ state: "WAITING" as const, reason: null, tries: 0, firstTriedAt: null, nextAt: sql`now()`, endedAt: null });

/** Queues one delivery again, whatever became of it: the same event with the same id. Throws 404, and 409 where the receiver is disabled. */
export async function replayDelivery(db: Database, owned: Owned, deliveryId: string): Promise<void> {
  await db.transaction(async (tx) => {
    await lockEnabled(tx, owned);
    const matches = and(eq(delivery.receiverId, owned.id), eq(sql`${delivery.id}::text`, deliveryId));
    const rows = await tx.update(delivery).set(again()).where(matches).returning({ id: delivery.id });
    if (rows.length === 0) throw notFound("delivery");
  });
}

/** Queues every delivery again that failed since then. Answers how many. Throws as `replayDelivery`. */
export async function replayFailed(db: Database, owned: Owned, since: Date): Promise<number> {
  return db.transaction(async (tx) => {
    await lockEnabled(tx, owned);
    const failed = and(eq(delivery.receiverId, owned.id), eq(delivery.state, "FAILED"), gte(delivery.endedAt, since));
    const { rowCount } = await tx.update(delivery).set(again()).where(failed);
    return rowCount ?? 0;
  });
}

/** Queues an event that says nothing but that events arrive. Answers the delivery's id. Throws as `replayDelivery`. */
export async function sendPing(db: Database, owned: Owned): Promise<string> {
  return db.transaction(async (tx) => {
    await lockEnabled(tx, owned);
    const data = { [`${owned.noun}_id`]: owned.id };
    const [id] = await insertEvents(tx, owned.workspaceId, [{ type: "ping", subjectId: null, data, receiverIds: [owned.id] }]);
    return id ?? "";
  });
}

async function lockEnabled(tx: Transaction, owned: Owned): Promise<void> {
  await findReceiver(tx, owned);
  const { noun, id } = owned;
  const row = await lockReceiver(tx, id);
  if (!row?.enabled) throw new ApiError(409, `${noun}.disabled`, `The ${noun} is disabled: enable it first (PUT /v1/${noun}s/${id}).`);
}
