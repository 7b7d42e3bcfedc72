import type { Detection } from "@periscan/contract/outcome.ts";
import type { ScanType } from "@periscan/contract/scan.ts";
import { findEngine } from "@periscan/engines/registry.ts";
import { sql } from "drizzle-orm";
import { toStorableJson } from "../clean-text.ts";
import type { Transaction } from "../db/connect.ts";
import { ApiError } from "../errors/api-error.ts";

const rowsPerInsert = 5000;

/** Keeps what a scan saw of targets that the caller has locked; what is there already stays as it is. */
export async function insertDetections(tx: Transaction, scanId: string, seen: { targetId: string; detection: Detection }[]): Promise<void> {
  for (let start = 0; start < seen.length; start += rowsPerInsert) {
    const rows = seen.slice(start, start + rowsPerInsert).map(({ targetId, detection }) => ({ target_id: targetId, ...detection }));
    // One parameter for all of them: twelve for each row would take as long as the insert itself.
    await tx.execute(sql`
      insert into detection (scan_id, target_id, key, scope, title, threat_level, description, solution, "references", additional_info, detail)
      select ${scanId}, target_id, key, scope, title, threat_level, description, solution, "references", additional_info, detail
      from jsonb_to_recordset(${toStorableJson(rows)}::jsonb) as row(target_id uuid, key text, scope text, title text, threat_level text, description text,
        solution text, "references" jsonb, additional_info jsonb, detail jsonb)
      on conflict do nothing`);
  }
}

/** Evidence that cannot be drawn would cost the scan all of its files: it is refused here. `field` is where the request has the detections. */
export function checkEvidence(type: ScanType, detections: Detection[], field: string): void {
  const engine = findEngine(type);
  for (const [index, { detail }] of detections.entries()) {
    try {
      engine.view(detail);
    } catch (cause) {
      const at = `${field}[${index}].detail`;
      throw new ApiError(400, "request.invalid", `${at}: ${(cause as Error).message}`, { field: at, cause });
    }
  }
}
