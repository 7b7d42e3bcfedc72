import type { OutcomeKind } from "@periscan/contract/outcome.ts";
import type { ScanType } from "@periscan/contract/scan.ts";
import { findEngine } from "@periscan/engines/registry.ts";
import { type SQL, sql } from "drizzle-orm";
import type { Transaction } from "../db/connect.ts";
import { target } from "../db/schema.ts";

/** The last look at one target by one scan type. */
export interface Look {
  scanType: string;
  title: string;
  kind: OutcomeKind;
  at: string;
  /** What was looked at in words, or why it was not looked at to the end. */
  what: string;
  /** When it was last looked at to the end; absent where it never was. */
  completeAt?: string;
}

export interface CoveredTarget {
  id: string;
  target: string;
  label: string;
  /** Empty where the target was never scanned. */
  looks: Look[];
}

interface LookRow extends Record<string, unknown> {
  target_id: string;
  type: ScanType;
  kind: OutcomeKind;
  at: Date;
  reason: string | null;
  coverage: unknown;
  complete_at: Date | null;
}

/** Every target of the scope in the order of its text, with its last look by each scan type. */
export async function loadCoverage(tx: Transaction, scope: SQL | undefined, scanTypes: string[] | undefined): Promise<CoveredTarget[]> {
  const targets = await tx.select({ id: target.id, target: target.target, label: target.label }).from(target).where(scope);
  const chosen = tx.select({ id: target.id }).from(target).where(scope);
  const ofTypes = scanTypes === undefined ? sql`` : sql`and scan.type = any(${sql.param(scanTypes)}::text[])`;
  const { rows } = await tx.execute<LookRow>(sql`
    select distinct on (scan_target.target_id, scan.type) scan_target.target_id, scan.type, scan_target.kind, scan_target.observed_at as at, scan_target.reason,
      scan_target.coverage, max(scan_target.observed_at) filter (where scan_target.kind = 'complete') over (partition by scan_target.target_id, scan.type) as complete_at
    from scan_target join scan on scan.id = scan_target.scan_id
    where scan_target.target_id in (${chosen}) and scan_target.kind is not null ${ofTypes}
    order by scan_target.target_id, scan.type, scan_target.observed_at desc, scan.id desc`);
  const looks = Map.groupBy(rows, ({ target_id }) => target_id);
  const order = new Intl.Collator("en", { numeric: true });
  return targets.sort((a, b) => order.compare(a.target, b.target)).map((row) => ({ ...row, looks: (looks.get(row.id) ?? []).map(presentLook) }));
}

function presentLook(row: LookRow): Look {
  const engine = findEngine(row.type);
  const looked = row.kind === "complete" && row.coverage !== null ? engine.describeCoverage(row.coverage) : undefined;
  return {
    scanType: row.type,
    title: engine.title,
    kind: row.kind,
    at: toIso(row.at),
    what: looked ?? row.reason ?? "",
    ...(row.complete_at ? { completeAt: toIso(row.complete_at) } : {}),
  };
}

/** Through drizzle's raw queries a moment comes as PostgreSQL writes it. */
const toIso = (value: Date | string): string => new Date(value).toISOString();
