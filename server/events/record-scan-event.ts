import type { EventType } from "@periscan/contract/webhook.ts";
import { eq } from "drizzle-orm";
import type { Transaction } from "../db/connect.ts";
import { scan } from "../db/schema.ts";
import { presentScans, shownInLists } from "../present/present-scan.ts";
import { boundScan } from "./bound-data.ts";
import { findSubscribers, insertEvents } from "./record-events.ts";

/**
 * Tells webhooks of a scan that was made, or whose state changed, in the transaction that did it. A scan that succeeded is `scan.succeeded` too,
 * for those who subscribe to that older name.
 */
export async function recordScanEvent(tx: Transaction, scanId: string, type: "scan.created" | "scan.updated"): Promise<void> {
  const [row] = await tx.select().from(scan).where(eq(scan.id, scanId));
  if (!row) return;
  const subscribers = await findSubscribers(tx, row.workspaceId);
  const types: EventType[] = type === "scan.updated" && row.state === "SUCCEEDED" ? [type, "scan.succeeded"] : [type];
  const wanted = types.flatMap((each) => {
    const receiverIds = subscribers.get(each);
    return receiverIds ? [{ type: each, receiverIds }] : [];
  });
  if (wanted.length === 0) return;
  const [presented] = await presentScans(tx, [scanId], shownInLists);
  if (!presented) return;
  const data = boundScan(presented);
  await insertEvents(
    tx,
    row.workspaceId,
    wanted.map((each) => ({ ...each, subjectId: scanId, data })),
  );
}
