import type { Risk, ThreatLevel } from "@periscan/contract/risk.ts";
import { desc, eq, getTableColumns, type SQL, sql } from "drizzle-orm";
import type { Database, Transaction } from "../db/connect.ts";
import { risk, target } from "../db/schema.ts";

/** The evidence is large, and only results show it. */
const { detail: _detail, ...shown } = getTableColumns(risk);

/** Risks with what their targets give to them, newest first. */
export const selectRisks = (db: Database | Transaction, matches: SQL | undefined) =>
  db
    .select({ id: risk.id, risk: shown, target: { target: target.target, label: target.label, tags: target.tags } })
    .from(risk)
    .innerJoin(target, eq(target.id, risk.targetId))
    .where(matches ?? sql`true`)
    .orderBy(desc(risk.id));

type RiskRow = Awaited<ReturnType<typeof selectRisks>>[number];

/** A risk as the API shows it, and as events carry it. */
export function presentRisk({ risk: row, target: owner }: RiskRow): Risk {
  const dates = { first_detected_at: row.firstDetectedAt.toISOString(), last_detected_at: row.lastDetectedAt.toISOString() };
  return {
    id: row.id,
    target_id: row.targetId,
    target: owner.target,
    target_label: owner.label,
    tags: owner.tags,
    status: row.status as Risk["status"],
    is_accepted: row.isAccepted,
    accepted_by: [],
    risk_definition: {
      scan_type: row.scanType,
      title: row.title,
      threat_level: row.threatLevel as ThreatLevel,
      description: row.description,
      solution: row.solution,
      references: row.references,
      additional_info: row.additionalInfo,
      ...dates,
    },
    ...dates,
  };
}
