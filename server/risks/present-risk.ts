import type { Block } from "@periscan/contract/block.ts";
import type { Acceptance, Risk, ThreatLevel } from "@periscan/contract/risk.ts";
import { findEngine } from "@periscan/engines/registry.ts";
import { and, desc, eq, getTableColumns, isNull, type SQL, sql } from "drizzle-orm";
import { notFound } from "../api-error.ts";
import type { Database, Transaction } from "../db/connect.ts";
import { acceptance, risk, target } from "../db/schema.ts";
import { isId } from "../page.ts";

/** The evidence is large, and only a single risk and the results show it. */
const { detail: _detail, ...shown } = getTableColumns(risk);

/** Risks with their targets and the acceptances that stand, newest first. */
export const selectRisks = (db: Database | Transaction, matches: SQL | undefined) =>
  db
    .select({ id: risk.id, risk: shown, target: { target: target.target, label: target.label, tags: target.tags }, acceptance })
    .from(risk)
    .innerJoin(target, eq(target.id, risk.targetId))
    .leftJoin(acceptance, and(eq(acceptance.riskId, risk.id), isNull(acceptance.endedAt)))
    .where(matches ?? sql`true`)
    .orderBy(desc(risk.id));

/** What the last scan that saw it saw, as blocks to draw. */
export async function loadEvidence(db: Database, riskId: string): Promise<Block[]> {
  const [row] = await db.select({ scanType: risk.scanType, detail: risk.detail }).from(risk).where(eq(risk.id, riskId));
  return row ? findEngine(row.scanType).view(row.detail) : [];
}

export type RiskRow = Awaited<ReturnType<typeof selectRisks>>[number];

/** One risk of the workspace; 404 where it has none of that id. */
export async function getRisk(db: Database, workspaceId: string, id: string): Promise<RiskRow> {
  const [row] = isId(id) ? await selectRisks(db, and(eq(risk.id, id), eq(risk.workspaceId, workspaceId))) : [];
  if (!row) throw notFound("risk");
  return row;
}

/** A risk as the API shows it, and as events carry it. */
export function presentRisk({ risk: row, target: owner, acceptance: standing }: RiskRow): Risk {
  const dates = { first_detected_at: row.firstDetectedAt.toISOString(), last_detected_at: row.lastDetectedAt.toISOString() };
  return {
    id: row.id,
    target_id: row.targetId,
    target: owner.target,
    target_label: owner.label,
    tags: owner.tags,
    status: row.status as Risk["status"],
    is_accepted: row.isAccepted,
    accepted_by: standing === null ? [] : [presentAcceptance(standing)],
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

export const presentAcceptance = (row: typeof acceptance.$inferSelect): Acceptance => ({
  kind: row.kind,
  ...(row.reason === null ? {} : { reason: row.reason }),
  note: row.note,
  author: row.author,
  created_at: row.createdAt.toISOString(),
  last_updated_at: row.updatedAt.toISOString(),
  ...(row.expiresAt ? { expires_at: row.expiresAt.toISOString() } : {}),
});
