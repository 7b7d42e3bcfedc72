import { Readable } from "node:stream";
import type { RiskFilters } from "@periscan/contract/risk-filters.ts";
import { and, inArray } from "drizzle-orm";
import type { Database } from "../db/connect.ts";
import { risk } from "../db/schema.ts";
import { type RiskRow, selectRisks } from "../present/present-risk.ts";
import { listRisks } from "./list/list-risks.ts";
import { riskConditions } from "./risk-conditions.ts";
import { writeCsv } from "./write-csv.ts";
import { writeSarif } from "./write-sarif.ts";

export const exportFormats = {
  csv: { contentType: "text/csv; charset=utf-8; header=present", extension: "csv" },
  json: { contentType: "application/json; charset=utf-8", extension: "json" },
  sarif: { contentType: "application/sarif+json; charset=utf-8", extension: "sarif" },
};

interface Wanted {
  workspaceId: string;
  format: keyof typeof exportFormats;
  filters: RiskFilters;
}

const rowsPerPage = 500;

/**
 * All risks that match, as a file that is read from the database no faster than it is taken: memory does not grow with it. Each risk is in it
 * once; one that changes meanwhile is there as before or as after. Where it fails half-way the stream breaks off, and never ends as if whole.
 */
export function exportRisks(db: Database, { workspaceId, format, filters }: Wanted): Readable {
  if (format === "csv") return asBytes(writeCsv(readPages(db, workspaceId, filters)));
  if (format === "json") return asBytes(writeJson(readPages(db, workspaceId, filters)));
  // Whoever takes it in would raise an alert for what is closed.
  const open: RiskFilters = { status: ["OPEN"], ...filters };
  const load = (riskIds: string[]) => selectRisks(db, and(riskConditions(db, workspaceId, {}), inArray(risk.id, riskIds)));
  return asBytes(writeSarif(readPages(db, workspaceId, open), load));
}

const asBytes = (texts: AsyncIterable<string>): Readable => Readable.from(texts, { objectMode: false });

async function* readPages(db: Database, workspaceId: string, filters: RiskFilters): AsyncIterable<RiskRow[]> {
  for (let before: string | undefined; ; ) {
    const rows = await listRisks(db, { workspaceId, filters, before, limit: rowsPerPage });
    if (rows.length > 0) yield rows;
    if (rows.length < rowsPerPage) return;
    before = rows.at(-1)?.id;
  }
}

/** As the list answers it, in one page. */
async function* writeJson(pages: AsyncIterable<RiskRow[]>): AsyncIterable<string> {
  let first = true;
  yield '{"data":[';
  for await (const rows of pages) {
    yield `${first ? "" : ","}\n${rows.map((row) => JSON.stringify(row.risk)).join(",\n")}`;
    first = false;
  }
  yield "\n]}\n";
}
