import { isFinalState } from "@periscan/contract/scan.ts";
import { and, eq } from "drizzle-orm";
import { scan } from "../db/schema.ts";
import { ApiError, notFound } from "../errors/api-error.ts";
import { finishScan } from "../outcomes/finish-scan.ts";
import { skipMissing } from "../outcomes/skip-missing.ts";
import { isId } from "../page.ts";
import type { Services } from "../services.ts";
import { endTasksOfScan } from "../tasks/task-rows.ts";

const cancelled = { code: "scan.cancelled", message: "The scan was cancelled." };

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
    if (isFinalState(row.state)) throw new ApiError(409, "scan.ended", `The scan has ended already: it is ${row.state}.`);
    await endTasksOfScan(tx, scanId, cancelled);
    await skipMissing(tx, { scanId }, cancelled.message);
    await finishScan(tx, services.boss, scanId, cancelled);
  });
}
