import type { AcceptanceCount, AcceptanceEnd, Decision } from "@periscan/contract/acceptance.ts";
import { maxRisksAtOnce } from "@periscan/contract/acceptance.ts";
import type { RiskFilters } from "@periscan/contract/risk-filters.ts";
import { and, eq, inArray, sql } from "drizzle-orm";
import { v7 as uuidv7 } from "uuid";
import type { Database, Transaction } from "../db/connect.ts";
import { risk } from "../db/schema.ts";
import { ApiError, notFound } from "../errors/api-error.ts";
import { recordRiskUpdates } from "../events/record-risk-events.ts";
import { isId } from "../page.ts";
import { findRiskIds } from "./list/find-risk-ids.ts";

/** Whose decision it is, and on what. */
interface Request {
  workspaceId: string;
  keyName: string;
  risks: { ids: string[] } | { filters: RiskFilters };
}

/**
 * Accepts risks, all of them or none: each then has this decision, whatever it had before. What it has already is not changed, so a repeated
 * request changes nothing. 404 names an id that the workspace does not have.
 */
export async function acceptRisks(db: Database, { workspaceId, keyName, risks }: Request, decision: Decision): Promise<AcceptanceCount> {
  const expiresAt = readEnd(decision.expires_at);
  await expireAcceptances(db, workspaceId);
  return db.transaction(async (tx) => {
    const ids = await findAndLock(tx, workspaceId, risks);
    const wanted = { kind: decision.kind, reason: decision.reason ?? null, note: decision.note, author: decision.author ?? keyName, expiresAt };
    const { rows } = await tx.execute<{ id: string }>(sql`
      select risk.id from unnest(${sql.param(ids)}::uuid[]) as risk(id)
      left join acceptance on acceptance.risk_id = risk.id and acceptance.ended_at is null
      where acceptance.id is null or (acceptance.kind, acceptance.reason, acceptance.note, acceptance.author, acceptance.expires_at)
        is distinct from (${wanted.kind}, ${wanted.reason}::text, ${wanted.note}, ${wanted.author}, ${wanted.expiresAt}::timestamptz(3))`);
    const changed = rows.map(({ id }) => id);
    const pairs = changed.map((riskId) => ({ risk_id: riskId, id: uuidv7() }));
    const endedRows = await tx.execute<{ risk_id: string; created_at: string }>(sql`
      update acceptance set ended_at = now(), end_cause = 'changed' where risk_id = any(${sql.param(changed)}::uuid[]) and ended_at is null
      returning risk_id, created_at::text`);
    await tx.execute(sql`
      insert into acceptance (id, workspace_id, risk_id, kind, reason, note, author, key_name, created_at, updated_at, expires_at)
      select pair.id, ${workspaceId}::uuid, pair.risk_id, ${wanted.kind}, ${wanted.reason}::text, ${wanted.note}, ${wanted.author}, ${keyName},
        coalesce(earlier.created_at, now()), now(), ${wanted.expiresAt}::timestamptz
      from jsonb_to_recordset(${JSON.stringify(pairs)}::jsonb) as pair(id uuid, risk_id uuid)
      left join jsonb_to_recordset(${JSON.stringify(endedRows.rows)}::jsonb) as earlier(risk_id uuid, created_at timestamptz) on earlier.risk_id = pair.risk_id`);
    await markAccepted(tx, changed, true);
    return { matched: ids.length, changed: changed.length };
  });
}

/** Takes acceptances back, all of them or none. What is not accepted is not changed. */
export async function endAcceptances(db: Database, { workspaceId, keyName, risks }: Request, { author, note }: AcceptanceEnd): Promise<AcceptanceCount> {
  await expireAcceptances(db, workspaceId);
  return db.transaction(async (tx) => {
    const ids = await findAndLock(tx, workspaceId, risks);
    const { rows } = await tx.execute<{ risk_id: string }>(sql`
      update acceptance set ended_at = now(), end_cause = 'ended', end_author = ${author ?? keyName}, end_key_name = ${keyName}, end_note = ${note ?? null}
      where risk_id = any(${sql.param(ids)}::uuid[]) and ended_at is null returning risk_id`);
    const changed = rows.map(({ risk_id }) => risk_id);
    await markAccepted(tx, changed, false);
    return { matched: ids.length, changed: changed.length };
  });
}

const expiriesAtOnce = 1000;

/** Whether an acceptance is past its end date. */
export const isAcceptanceOver = sql`exists (select 1 from acceptance where ended_at is null and expires_at <= now())`;

/**
 * Ends the acceptances whose end date has passed, of one workspace or of all, as of that date. The reaper does it each second; whoever reads
 * `is_accepted` does it first, so that lists are exact to the moment and need no more than an index.
 */
export async function expireAcceptances(db: Database, workspaceId?: string): Promise<number> {
  const mine = workspaceId === undefined ? sql`` : sql`and workspace_id = ${workspaceId}`;
  for (let total = 0; ; ) {
    const { rows } = await db.execute<{ risk_id: string }>(sql`
      select risk_id from acceptance where ended_at is null and expires_at <= now() ${mine} order by expires_at limit ${expiriesAtOnce}`);
    if (rows.length === 0) return total;
    const ids = rows.map(({ risk_id }) => risk_id);
    total += await db.transaction(async (tx) => {
      await lockTargetsOf(tx, ids);
      return expire(tx, ids);
    });
  }
}

async function expire(tx: Transaction, riskIds: string[]): Promise<number> {
  const { rows } = await tx.execute<{ risk_id: string }>(sql`
    update acceptance set ended_at = expires_at, end_cause = 'expired'
    where risk_id = any(${sql.param(riskIds)}::uuid[]) and ended_at is null and expires_at <= now() returning risk_id`);
  await markAccepted(
    tx,
    rows.map(({ risk_id }) => risk_id),
    false,
  );
  return rows.length;
}

/** The one place that sets `is_accepted`, together with the acceptance's row, and tells webhooks of it. */
async function markAccepted(tx: Transaction, riskIds: string[], isAccepted: boolean): Promise<void> {
  if (riskIds.length === 0) return;
  await tx.execute(sql`update risk set is_accepted = ${isAccepted} where id = any(${sql.param(riskIds)}::uuid[]) and is_accepted <> ${isAccepted}`);
  const { rows } = await tx.execute<{ workspace_id: string; ids: string[] }>(sql`
    select workspace_id, array_agg(id::text order by id) as ids from risk where id = any(${sql.param(riskIds)}::uuid[]) group by workspace_id`);
  for (const { workspace_id, ids } of rows) await recordRiskUpdates(tx, { workspaceId: workspace_id, riskIds: ids });
}

function readEnd(text: string | undefined): Date | null {
  if (text === undefined) return null;
  const end = new Date(text);
  if (end.getTime() <= Date.now()) throw new ApiError(400, "request.invalid", "expires_at: is in the past.", { field: "expires_at" });
  return end;
}

/** The meant risks, with their targets locked as a scan's end locks them: else the two could wait for each other over the rows of risks. */
async function findAndLock(tx: Transaction, workspaceId: string, risks: Request["risks"]): Promise<string[]> {
  const find = () => ("ids" in risks ? findByIds(tx, workspaceId, [...new Set(risks.ids)]) : findByFilters(tx, workspaceId, risks.filters));
  const found = await find();
  await lockTargetsOf(tx, found);
  // Looked at again under the lock: a target may have been deleted meanwhile, and what came since is not locked.
  const locked = new Set(found);
  const ids = (await find()).filter((id) => locked.has(id));
  // An end date that passed a moment ago ends that acceptance first: it was not this request that ended it.
  await expire(tx, ids);
  return ids;
}

async function findByIds(tx: Transaction, workspaceId: string, given: string[]): Promise<string[]> {
  const ids = given.filter(isId);
  const rows = await tx
    .select({ id: risk.id })
    .from(risk)
    .where(and(eq(risk.workspaceId, workspaceId), inArray(risk.id, ids)));
  const known = new Set(rows.map(({ id }) => id));
  const missing = given.findIndex((id) => !known.has(id));
  if (missing >= 0) throw notFound("risk", `risk_ids[${missing}]`);
  return ids;
}

async function findByFilters(tx: Transaction, workspaceId: string, filters: RiskFilters): Promise<string[]> {
  const ids = await findRiskIds(tx, { workspaceId, filters, limit: maxRisksAtOnce + 1 });
  if (ids.length > maxRisksAtOnce)
    throw new ApiError(400, "request.invalid", `filters: more than ${maxRisksAtOnce} risks match, which is the most at once. Narrow the filters.`, {
      field: "filters",
    });
  return ids;
}

async function lockTargetsOf(tx: Transaction, riskIds: string[]): Promise<void> {
  await tx.execute(sql`
    select 1 from target where id in (select target_id from risk where id = any(${sql.param(riskIds)}::uuid[])) order by id for no key update`);
}
