import { and, eq, ne } from "drizzle-orm";
import type { Transaction } from "../db/connect.ts";
import { receiver, scan } from "../db/schema.ts";
import { insertEvents, type NewEvent } from "./record-events.ts";
import { summariseScan } from "./summarise-scan.ts";

/** Writes one message for each notification whose filter has something to tell of an ended scan, in the transaction that ends it. */
export async function recordScanNotifications(tx: Transaction, scanId: string): Promise<void> {
  const [row] = await tx.select().from(scan).where(eq(scan.id, scanId));
  if (!row) return;
  const receivers = await tx
    .select({ id: receiver.id, filter: receiver.filter })
    .from(receiver)
    .where(and(eq(receiver.workspaceId, row.workspaceId), ne(receiver.kind, "webhook"), receiver.enabled))
    .for("key share");
  const events: NewEvent[] = [];
  for (const { id, filter } of receivers) {
    const summary = filter && (await summariseScan(tx, row, filter));
    if (summary) events.push({ type: "notification", subjectId: scanId, data: { ...summary }, receiverIds: [id] });
  }
  await insertEvents(tx, row.workspaceId, events);
}
