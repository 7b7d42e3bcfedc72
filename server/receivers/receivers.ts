import { maxReceivers } from "@periscan/contract/webhook.ts";
import { and, count, eq, gt, inArray, type SQL, sql } from "drizzle-orm";
import type { Database, Transaction } from "../db/connect.ts";
import { receiver, workspace } from "../db/schema.ts";
import { ApiError, notFound } from "../errors/api-error.ts";
import { OutgoingError, readOutgoingUrl, resolveOutgoing } from "../outgoing/outgoing-policy.ts";
import { isId } from "../page.ts";
import type { Services } from "../services.ts";
import { disableReceiver, lockReceiver } from "./record-attempt.ts";
import type { ReceiverRow } from "./try-delivery.ts";

/** The API has two nouns for receivers. */
export type ReceiverNoun = "webhook" | "notification";

const kindsOf: Record<ReceiverNoun, ReceiverRow["kind"][]> = { webhook: ["webhook"], notification: ["email", "slack", "teams"] };

const mine = (noun: ReceiverNoun, workspaceId: string, id?: string): SQL | undefined =>
  and(eq(receiver.workspaceId, workspaceId), inArray(receiver.kind, kindsOf[noun]), id === undefined ? undefined : eq(receiver.id, id));

export interface Owned {
  noun: ReceiverNoun;
  workspaceId: string;
  id: string;
}

/** Throws 404 where the workspace has no such receiver. */
export async function findReceiver(db: Database | Transaction, { noun, workspaceId, id }: Owned): Promise<ReceiverRow> {
  const [row] = isId(id)
    ? await db
        .select()
        .from(receiver)
        .where(mine(noun, workspaceId, id))
    : [];
  if (!row) throw notFound(noun);
  return row;
}

interface ListPage {
  noun: ReceiverNoun;
  workspaceId: string;
  after: string | undefined;
  limit: number;
}

export const listReceivers = (db: Database, { noun, workspaceId, after, limit }: ListPage): Promise<ReceiverRow[]> =>
  db
    .select()
    .from(receiver)
    .where(and(mine(noun, workspaceId), after === undefined ? undefined : gt(receiver.id, after)))
    .orderBy(receiver.id)
    .limit(limit);

/** Throws 409 where the workspace has as many as it may. */
export async function insertReceiver(db: Database, noun: ReceiverNoun, values: typeof receiver.$inferInsert): Promise<ReceiverRow> {
  return db.transaction(async (tx) => {
    // Two requests at once count one after the other.
    await tx.select({ id: workspace.id }).from(workspace).where(eq(workspace.id, values.workspaceId)).for("no key update");
    const [known] = await tx.select({ receivers: count() }).from(receiver).where(mine(noun, values.workspaceId));
    if ((known?.receivers ?? 0) >= maxReceivers)
      throw new ApiError(409, `${noun}.too_many`, `A workspace has at most ${maxReceivers} ${noun}s; delete one first.`);
    const [row] = await tx.insert(receiver).values(values).returning();
    if (!row) throw new Error("the receiver was not inserted");
    return row;
  });
}

/**
 * Changes a receiver. What is disabled fails what waits for it; what is enabled, or moved to another address, begins with a clean slate. Throws
 * 404.
 */
export async function updateReceiver(db: Database, owned: Owned, change: Partial<typeof receiver.$inferInsert>): Promise<ReceiverRow> {
  return db.transaction(async (tx) => {
    await findReceiver(tx, owned);
    await lockReceiver(tx, owned.id);
    if (change.enabled === false) await disableReceiver(tx, owned.id, { now: new Date() });
    const fresh = change.enabled || change.destination ? { failures: 0, failingSince: null, pausedUntil: null } : {};
    const [row] = await tx
      .update(receiver)
      .set({ ...change, ...(change.enabled ? { disabledReason: null } : {}), ...fresh, updatedAt: sql`now()` })
      .where(eq(receiver.id, owned.id))
      .returning();
    if (!row) throw notFound(owned.noun);
    return row;
  });
}

/** With its deliveries and their log. Throws 404. */
export async function deleteReceiver(db: Database, owned: Owned): Promise<void> {
  const row = await findReceiver(db, owned);
  await db.delete(receiver).where(eq(receiver.id, row.id));
}

/** Says early what each delivery checks again. Throws 400 with the reason. */
export async function checkUrl({ outgoing }: Services, url: string): Promise<void> {
  try {
    await resolveOutgoing(readOutgoingUrl(url, outgoing), outgoing);
  } catch (cause) {
    if (!(cause instanceof OutgoingError)) throw cause;
    throw new ApiError(400, "url.refused", `url: ${cause.message}`, { field: "url", cause });
  }
}

/** How a receiver fares, as the API shows it. */
export const presentState = (row: ReceiverRow) => ({
  description: row.description,
  enabled: row.enabled,
  ...(row.disabledReason === null ? {} : { disabled_reason: row.disabledReason }),
  ...(row.failingSince ? { failing_since: row.failingSince.toISOString() } : {}),
  ...(row.pausedUntil && row.pausedUntil > new Date() ? { paused_until: row.pausedUntil.toISOString() } : {}),
  created_at: row.createdAt.toISOString(),
  updated_at: row.updatedAt.toISOString(),
});
