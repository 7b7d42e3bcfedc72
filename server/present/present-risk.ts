import type { Block } from "@periscan/contract/block.ts";
import type { Acceptance, Risk } from "@periscan/contract/risk.ts";
import { findEngine } from "@periscan/engines/registry.ts";
import { and, eq, type SQL, sql } from "drizzle-orm";
import type { Database, Transaction } from "../db/connect.ts";
import { isoTime } from "../db/iso-time.ts";
import { acceptance, risk, target } from "../db/schema.ts";
import { notFound } from "../errors/api-error.ts";
import { isId } from "../page.ts";

/**
 * The acceptance of a row of `risk` that stands, as the API shows it; null where none does. Few risks have one, so it is looked up and not joined: a join
 * reads all acceptances of the table for a page.
 */
export const shownAcceptance = sql<Acceptance | null>`case when ${risk.isAccepted} then (
  select json_strip_nulls(json_build_object('kind', ${acceptance.kind}, 'reason', ${acceptance.reason}, 'note', ${acceptance.note}, 'author', ${acceptance.author},
    'created_at', ${isoTime(acceptance.createdAt)}, 'last_updated_at', ${isoTime(acceptance.updatedAt)}, 'expires_at', ${isoTime(acceptance.expiresAt)}))
  from ${acceptance} where ${acceptance.riskId} = ${risk.id} and ${acceptance.endedAt} is null) end`;

/** A risk as the API shows it and as events carry it, without the evidence, which is large; and the key that it has in its target. */
export interface RiskRow {
  id: string;
  key: string;
  risk: Risk;
}

type Definition = Risk["risk_definition"];
interface Columns extends Omit<Risk, "accepted_by" | "risk_definition" | "evidence">, Definition, Record<string, unknown> {
  key: string;
  acceptance: Acceptance | null;
}

/**
 * Risks, newest first; `matches` may ask of their `target` as well. Read as the database driver gives them: to map each column of a page of 500 takes
 * drizzle as long as all the rest.
 */
export async function selectRisks(db: Database | Transaction, matches: SQL | undefined): Promise<RiskRow[]> {
  const { rows } = await db.execute<Columns>(sql`
    select ${risk.id}, ${risk.key}, ${risk.targetId}, ${target.target}, ${target.label} as target_label, ${target.tags}, ${risk.status}, ${risk.isAccepted}, ${shownAcceptance} as acceptance,
      ${risk.scanType}, ${risk.title}, ${risk.threatLevel}, ${risk.description}, ${risk.solution}, ${risk.references}, ${risk.additionalInfo},
      ${isoTime(risk.firstDetectedAt)} as first_detected_at, ${isoTime(risk.lastDetectedAt)} as last_detected_at
    from ${risk} join ${target} on ${target.id} = ${risk.targetId} where ${matches ?? sql`true`} order by ${risk.id} desc`);
  return rows.map((row) => ({ id: row.id, key: row.key, risk: presentRisk(row) }));
}

function presentRisk(row: Columns): Risk {
  const { first_detected_at, last_detected_at } = row;
  return {
    id: row.id,
    target_id: row.target_id,
    target: row.target,
    target_label: row.target_label,
    tags: row.tags,
    status: row.status,
    is_accepted: row.is_accepted,
    accepted_by: row.acceptance === null ? [] : [row.acceptance],
    risk_definition: {
      scan_type: row.scan_type,
      title: row.title,
      threat_level: row.threat_level,
      description: row.description,
      solution: row.solution,
      references: row.references,
      additional_info: row.additional_info,
      first_detected_at,
      last_detected_at,
    },
    first_detected_at,
    last_detected_at,
  };
}

/** What the last scan that saw it saw, as blocks to draw. */
export async function loadEvidence(db: Database, riskId: string): Promise<Block[]> {
  const [row] = await db.select({ scanType: risk.scanType, detail: risk.detail }).from(risk).where(eq(risk.id, riskId));
  return row ? findEngine(row.scanType).view(row.detail) : [];
}

/** One risk of the workspace; 404 where it has none of that id. */
export async function getRisk(db: Database, workspaceId: string, id: string): Promise<Risk> {
  const [row] = isId(id) ? await selectRisks(db, and(eq(risk.id, id), eq(risk.workspaceId, workspaceId))) : [];
  if (!row) throw notFound("risk");
  return row.risk;
}
