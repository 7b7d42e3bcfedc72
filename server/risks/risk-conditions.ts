import type { RiskFilters } from "@periscan/contract/risk-filters.ts";
import { isScanType } from "@periscan/contract/scan.ts";
import { and, arrayOverlaps, eq, inArray, type SQL } from "drizzle-orm";
import type { Database, Transaction } from "../db/connect.ts";
import { risk, scanRisk, target } from "../db/schema.ts";
import { isId } from "../page.ts";
import { canonicalTexts } from "../targets/read-targets.ts";

/** The workspace's risks that match every filter, as a condition over `risk` joined with its `target`. */
export function riskConditions(db: Database | Transaction, workspaceId: string, filters: RiskFilters): SQL | undefined {
  const acceptance = filters.is_accepted?.map((value) => value === "true");
  return and(
    eq(risk.workspaceId, workspaceId),
    filters.target_id && inArray(risk.targetId, filters.target_id.filter(isId)),
    filters["target.target"] && inArray(target.target, filters["target.target"].flatMap(canonicalTexts)),
    filters.status && inArray(risk.status, filters.status),
    filters.tags && arrayOverlaps(target.tags, filters.tags),
    filters["risk_definition.scan_type"] && inArray(risk.scanType, filters["risk_definition.scan_type"].filter(isScanType)),
    filters["risk_definition.threat_level"] && inArray(risk.threatLevel, filters["risk_definition.threat_level"]),
    filters["risk_definition.title"] && inArray(risk.title, filters["risk_definition.title"]),
    acceptance && inArray(risk.isAccepted, acceptance),
    filters.scan_id &&
      inArray(
        risk.id,
        db
          .select({ id: scanRisk.riskId })
          .from(scanRisk)
          .where(inArray(scanRisk.scanId, filters.scan_id.filter(isId))),
      ),
  );
}
