import type { Database, Transaction } from "../db/connect.ts";
import { isOneOf } from "../db/is-one-of.ts";
import { risk } from "../db/schema.ts";
import { findRiskIds, type RiskPage } from "./find-risk-ids.ts";
import { type RiskRow, selectRisks } from "./present-risk.ts";

/** The workspace's risks that match every filter, newest first, as they are at one moment. */
export async function listRisks(db: Database, wanted: RiskPage): Promise<RiskRow[]> {
  return db.transaction((tx) => loadPage(tx, wanted), { isolationLevel: "repeatable read", accessMode: "read only" });
}

async function loadPage(tx: Transaction, wanted: RiskPage): Promise<RiskRow[]> {
  const ids = await findRiskIds(tx, wanted);
  return ids.length === 0 ? [] : selectRisks(tx, isOneOf(risk.id, ids));
}
