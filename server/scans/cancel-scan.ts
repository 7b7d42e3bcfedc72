import { isFinalState, type ScanState } from "@periscan/contract/scan.ts";
import { and, eq, isNull, ne, sql } from "drizzle-orm";
import { scan, scanTarget, task } from "../db/schema.ts";
import { ApiError, notFound } from "../errors/api-error.ts";
import { finishScan } from "../outcomes/finish-scan.ts";
import { isId } from "../page.ts";
import type { Services } from "../services.ts";

const message = "The scan was cancelled.";

/** Ends a scan at once, whatever its workers do: they learn it at their next heartbeat. What was found so far is kept. */
export async function cancelScan(services: Services, workspaceId: string, scanId: string): Promise<void> {
  if (!isId(scanId)) throw notFound("scan");
  await services.db.transaction(async (tx) => {
    const [row] = await tx
      .select({ state: scan.state })
      .from(scan)
      .where(and(eq(scan.id, scanId), eq(scan.workspaceId, workspaceId)))
      .for("update");
    if (!row) throw notFound("scan");
    if (isFinalState(row.state as ScanState)) throw new ApiError(409, "scan.ended", `The scan has ended already: it is ${row.state}.`);
    await tx
      .update(task)
      .set({ state: "ended", leaseUntil: null, errorCode: "scan.cancelled", errorMessage: message })
      .where(and(eq(task.scanId, scanId), ne(task.state, "ended")));
    await tx
      .update(scanTarget)
      .set({ kind: "skipped", reason: `Not scanned to the end: ${message}`, observedAt: sql`now()` })
      .where(and(eq(scanTarget.scanId, scanId), isNull(scanTarget.kind)));
    await finishScan(tx, services.boss, scanId, { code: "scan.cancelled", message });
  });
}
