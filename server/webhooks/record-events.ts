import type { EventType, WebhookEvent } from "@periscan/contract/webhook.ts";
import { and, eq } from "drizzle-orm";
import { v7 as uuidv7 } from "uuid";
import type { Database, Transaction } from "../db/connect.ts";
import { delivery, event, receiver } from "../db/schema.ts";

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
export async function insertEvents(tx: Transaction | Database, workspaceId: string, events: NewEvent[]): Promise<string[]> {
  if (events.length === 0) return [];
  const createdAt = new Date();
  const rows = events.map(({ type, subjectId, data }) => {
    const id = uuidv7();
    const body = JSON.stringify({ id, created_at: createdAt.toISOString(), type, data } satisfies { [key in keyof WebhookEvent]: unknown });
    return { id, workspaceId, type, subjectId, body, createdAt };
  });
  const deliveries = events.flatMap(({ receiverIds }, index) =>
    receiverIds.map((receiverId) => ({ id: uuidv7(), receiverId, eventId: rows[index]?.id ?? "" })),
  );
  await tx.insert(event).values(rows);
  for (let start = 0; start < deliveries.length; start += rowsPerInsert) await tx.insert(delivery).values(deliveries.slice(start, start + rowsPerInsert));
  return deliveries.map(({ id }) => id);
}

/** PostgreSQL takes 65,535 parameters of one statement. */
const rowsPerInsert = 5000;
