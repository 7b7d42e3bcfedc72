import type { EventType } from "@periscan/contract/webhook.ts";
import { and, sql } from "drizzle-orm";
import type { Transaction } from "../db/connect.ts";
import { isOneOf } from "../db/is-one-of.ts";
import { risk } from "../db/schema.ts";
import { selectRisks } from "../present/present-risk.ts";
import { boundRisk } from "./bound-data.ts";
import { findSubscribers, insertEvents, type Subscribers } from "./record-events.ts";

/** What one risk's change is called: the documented name, and the older one for those who subscribe to it. */
interface RiskChange {
  riskId: string;
  types: EventType[];
}

const risksPerBatch = 1000;

/** Tells webhooks what a scan did to risks: opened, opened again, closed. In the transaction that ends the scan, once `scan_risk` says it. */
export async function recordRiskEventsOfScan(tx: Transaction, { workspaceId, scanId }: { workspaceId: string; scanId: string }): Promise<void> {
  const subscribers = await findSubscribers(tx, workspaceId);
  if (!riskTypes.some((type) => subscribers.has(type))) return;
  for (let after: string | undefined = ""; after !== undefined; ) {
    const { rows }: { rows: { risk_id: string; change: string; is_first: boolean }[] } = await tx.execute(sql`
      select risk_id, change, not exists (select 1 from scan_risk older where older.risk_id = scan_risk.risk_id and older.scan_id <> ${scanId}) as is_first
      from scan_risk where scan_id = ${scanId} and change in ('new_open', 'closed') ${after === "" ? sql`` : sql`and risk_id > ${after}`}
      order by risk_id limit ${risksPerBatch}`);
    await insertRiskEvents(tx, {
      workspaceId,
      subscribers,
      changes: rows.map(({ risk_id, change, is_first }) => ({ riskId: risk_id, types: typesOf(change, is_first) })),
    });
    after = rows.length < risksPerBatch ? undefined : rows.at(-1)?.risk_id;
  }
}

const riskTypes: EventType[] = ["risk.created", "risk.updated", "risk.opened", "risk.closed"];

function typesOf(change: string, isFirst: boolean): EventType[] {
  if (change === "closed") return ["risk.updated", "risk.closed"];
  return isFirst ? ["risk.created", "risk.opened"] : ["risk.updated", "risk.opened"];
}

/**
 * Tells webhooks that a person changed something about these risks (accepted, no longer accepted, false positive, …): `risk.updated`, with the
 * risk as it is now. Call it in the transaction of the change, after the change, with the rows of the risks locked.
 */
export async function recordRiskUpdates(tx: Transaction, { workspaceId, riskIds }: { workspaceId: string; riskIds: string[] }): Promise<void> {
  const subscribers = await findSubscribers(tx, workspaceId);
  if (!subscribers.has("risk.updated")) return;
  for (let start = 0; start < riskIds.length; start += risksPerBatch) {
    const changes = riskIds.slice(start, start + risksPerBatch).map((riskId) => ({ riskId, types: ["risk.updated"] as EventType[] }));
    await insertRiskEvents(tx, { workspaceId, subscribers, changes });
  }
}

async function insertRiskEvents(
  tx: Transaction,
  { workspaceId, subscribers, changes }: { workspaceId: string; subscribers: Subscribers; changes: RiskChange[] },
) {
  const wanted = changes.filter(({ types }) => types.some((type) => subscribers.has(type)));
  if (wanted.length === 0) return;
  const typesOfRisk = new Map(wanted.map(({ riskId, types }) => [riskId, types]));
  const ids = [...typesOfRisk.keys()];
  const rows = await selectRisks(tx, and(isOneOf(risk.id, ids), sql`${risk.workspaceId} = ${workspaceId}`));
  const events = rows.flatMap((row) => {
    const data = boundRisk(row.risk);
    return (typesOfRisk.get(row.id) ?? []).flatMap((type) => {
      const receiverIds = subscribers.get(type);
      return receiverIds ? [{ type, subjectId: row.id, data, receiverIds }] : [];
    });
  });
  await insertEvents(tx, workspaceId, events);
}
