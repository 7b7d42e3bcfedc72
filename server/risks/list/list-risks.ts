import type { Risk } from "@periscan/contract/risk.ts";
import type { Database } from "../../db/connect.ts";
import { isOneOf } from "../../db/is-one-of.ts";
import { risk } from "../../db/schema.ts";
import { fillPageById, type Page } from "../../page.ts";
import { type RiskRow, selectRisks } from "../../present/present-risk.ts";
import { findRiskIds, type RiskPage } from "./find-risk-ids.ts";

const oneMoment = { isolationLevel: "repeatable read", accessMode: "read only" } as const;

/** The workspace's risks that match every filter, newest first, as they are at one moment. */
export async function listRisks(db: Database, wanted: RiskPage): Promise<RiskRow[]> {
  return db.transaction(async (tx) => {
    const ids = await findRiskIds(tx, wanted);
    return ids.length === 0 ? [] : selectRisks(tx, isOneOf(risk.id, ids));
  }, oneMoment);
}

/** A page of the same as the API shows it. */
export async function showRisks(db: Database, wanted: Omit<RiskPage, "limit">, pageSize: number): Promise<Page<Risk>> {
  return db.transaction(async (tx) => {
    const ids = await findRiskIds(tx, { ...wanted, limit: pageSize + 1 });
    const rows = ids.map((id) => ({ id }));
    return fillPageById(rows, pageSize, async (some) => {
      const found = await selectRisks(
        tx,
        isOneOf(
          risk.id,
          some.map(({ id }) => id),
        ),
      );
      return found.map((row) => row.risk);
    });
  }, oneMoment);
}
