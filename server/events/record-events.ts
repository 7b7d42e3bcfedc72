import type { EventType, WebhookEvent } from "@periscan/contract/webhook.ts";
import { and, eq, sql } from "drizzle-orm";
import { v7 as uuidv7 } from "uuid";
import type { Transaction } from "../db/connect.ts";
import { receiver } from "../db/schema.ts";

/** Which webhooks of a workspace want which types of events. */
export type Subscribers = Map<EventType, string[]>;

/** The webhooks that are enabled now, kept from being deleted until the transaction ends. Without any, nothing needs to be looked up or written. */
export async function findSubscribers(tx: Transaction, workspaceId: string): Promise<Subscribers> {
  const rows = await tx
    .select({ id: receiver.id, eventTypes: receiver.eventTypes })
    .from(receiver)
    .where(and(eq(receiver.workspaceId, workspaceId), eq(receiver.kind, "webhook"), receiver.enabled))
    .for("key share");
  const pairs = rows.flatMap(({ id, eventTypes }) => eventTypes.map((type) => ({ id, type: type as EventType })));
  return new Map([...Map.groupBy(pairs, ({ type }) => type)].map(([type, group]) => [type, group.map(({ id }) => id)]));
}

export interface NewEvent {
  type: WebhookEvent["type"] | "notification";
  /** The scan or risk that it tells of; absent for what tells of none. */
  subjectId: string | null;
  data: Record<string, unknown>;
  receiverIds: string[];
}

/**
 * Writes events with their deliveries, in the transaction of the change that they tell of. The body is made here once, so that every try and
 * every receiver gets the same bytes. Answers the deliveries' ids in the order of events and receivers.
 */
export async function insertEvents(tx: Transaction, workspaceId: string, events: NewEvent[]): Promise<string[]> {
  if (events.length === 0) return [];
  const createdAt = new Date().toISOString();
  const rows = events.map(({ type, subjectId, data, receiverIds }) => {
    const id = uuidv7();
    const body = JSON.stringify({ id, created_at: createdAt, type, data } satisfies { [key in keyof WebhookEvent]: unknown });
    return { id, type, subjectId, body, deliveries: receiverIds.map((receiverId) => ({ id: uuidv7(), receiverId, eventId: id })) };
  });
  const deliveries = rows.flatMap((row) => row.deliveries);
  // Columns as arrays: a scan may make 65,000 events, and so many parameters are neither quick nor possible.
  await tx.execute(sql`
    insert into event (id, workspace_id, type, subject_id, body, created_at)
    select id, ${workspaceId}, type, subject_id, body, ${createdAt}
    from unnest(${columnOf(rows, "id")}::uuid[], ${columnOf(rows, "type")}::text[], ${columnOf(rows, "subjectId")}::uuid[], ${columnOf(rows, "body")}::text[])
      as given(id, type, subject_id, body)`);
  await tx.execute(sql`
    insert into delivery (id, receiver_id, event_id)
    select id, receiver_id, event_id
    from unnest(${columnOf(deliveries, "id")}::uuid[], ${columnOf(deliveries, "receiverId")}::uuid[], ${columnOf(deliveries, "eventId")}::uuid[])
      with ordinality as given(id, receiver_id, event_id, place) order by place`);
  return deliveries.map(({ id }) => id);
}

const columnOf = <R, K extends keyof R>(rows: R[], name: K) => sql.param(rows.map((row) => row[name]));
