import type { RiskFilters } from "@periscan/contract/risk-filters.ts";
import { sql } from "drizzle-orm";
import type { Database, Transaction } from "../db/connect.ts";
import { risk } from "../db/schema.ts";
import { findRiskIds } from "./find-risk-ids.ts";
import type { ListLimits } from "./find-risk-scope.ts";
import { type RiskRow, selectRisks } from "./present-risk.ts";

interface Wanted {
  workspaceId: string;
  filters: RiskFilters;
  before?: string | undefined;
  limit: number;
  limits?: ListLimits;
}

/** The workspace's risks that match every filter, newest first, as they are at one moment. */
export async function listRisks(db: Database, wanted: Wanted): Promise<RiskRow[]> {
  return db.transaction((tx) => loadPage(tx, wanted), { isolationLevel: "repeatable read", accessMode: "read only" });
}

async function loadPage(tx: Transaction, wanted: Wanted): Promise<RiskRow[]> {
  const ids = await findRiskIds(tx, wanted);
  return ids.length === 0 ? [] : selectRisks(tx, sql`${risk.id} = any(${sql.param(ids)}::uuid[])`);
}
