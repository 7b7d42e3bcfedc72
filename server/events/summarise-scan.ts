import type { NotificationFilter } from "@periscan/contract/notification.ts";
import { type ThreatLevel, threatLevels } from "@periscan/contract/risk.ts";
import { and, count, eq, inArray, type SQL, sql } from "drizzle-orm";
import type { Transaction } from "../db/connect.ts";
import { risk, type scan, scanRisk, scanTarget, target } from "../db/schema.ts";

export type Counts = Partial<Record<ThreatLevel, number>>;

/** What a message about a scan's end says, whatever its form. */
export interface ScanSummary {
  scan: { id: string; type: string; state: string; error?: string; targets: number; complete_targets: number };
  new_open: Counts;
  still_open: Counts;
  closed: Counts;
  /** The worst ten of the new ones. */
  worst: { id: string; title: string; threat_level: ThreatLevel; target: string }[];
}

type ScanRow = typeof scan.$inferSelect;

const worstRisks = 10;
const maxTitleCharacters = 200;

/** Sums up what a scan found, as one notification's filter sees it. Undefined where the filter has nothing to tell. */
export async function summariseScan(tx: Transaction, row: ScanRow, filter: NotificationFilter): Promise<ScanSummary | undefined> {
  if (filter.scan_types && !filter.scan_types.some((type) => type === row.type)) return undefined;
  const targets = await countTargets(tx, row, filter);
  // Without tags there is no target where an import could not be read, which is told too.
  if (filter.tags && targets.targets === 0) return undefined;
  const counts = await countRisks(tx, row.id, filter);
  const failed = row.state === "FAILED" && row.errorCode !== "scan.cancelled";
  const isNews = Object.keys(counts.new_open).length > 0 || (failed && filter.failed_scans);
  if (filter.only_new && !isNews) return undefined;
  const error = row.errorMessage === null ? {} : { error: row.errorMessage };
  return { scan: { id: row.id, type: row.type, state: row.state, ...error, ...targets }, ...counts, worst: await findWorst(tx, row.id, filter) };
}

async function countTargets(tx: Transaction, { id }: ScanRow, { tags }: NotificationFilter): Promise<{ targets: number; complete_targets: number }> {
  const [row] = await tx
    .select({ targets: count(), complete: sql<number>`count(*) filter (where ${scanTarget.kind} = 'complete')`.mapWith(Number) })
    .from(scanTarget)
    .leftJoin(target, eq(target.id, scanTarget.targetId))
    .where(and(eq(scanTarget.scanId, id), tags && hasTag(tags)));
  return { targets: row?.targets ?? 0, complete_targets: row?.complete ?? 0 };
}

const hasTag = (tags: string[]): SQL =>
  sql`${target.tags} && array[${sql.join(
    tags.map((tag) => sql`${tag}`),
    sql`, `,
  )}]::text[]`;

const matching = (scanId: string, { tags, threat_levels }: NotificationFilter): SQL | undefined =>
  and(eq(scanRisk.scanId, scanId), threat_levels && inArray(risk.threatLevel, threat_levels), tags && hasTag(tags));

async function countRisks(tx: Transaction, scanId: string, filter: NotificationFilter): Promise<Pick<ScanSummary, "new_open" | "still_open" | "closed">> {
  const rows = await tx
    .select({ change: scanRisk.change, level: risk.threatLevel, count: count() })
    .from(scanRisk)
    .innerJoin(risk, eq(risk.id, scanRisk.riskId))
    .innerJoin(target, eq(target.id, risk.targetId))
    .where(matching(scanId, filter))
    .groupBy(scanRisk.change, risk.threatLevel);
  const of = (change: string): Counts => Object.fromEntries(rows.filter((row) => row.change === change).map((row) => [row.level, row.count]));
  return { new_open: of("new_open"), still_open: of("still_open"), closed: of("closed") };
}

async function findWorst(tx: Transaction, scanId: string, filter: NotificationFilter): Promise<ScanSummary["worst"]> {
  const rank = sql`array_position(array[${sql.join(
    threatLevels.map((level) => sql`${level}`),
    sql`, `,
  )}]::text[], ${risk.threatLevel})`;
  const rows = await tx
    .select({ id: risk.id, title: risk.title, threat_level: risk.threatLevel, target: target.target })
    .from(scanRisk)
    .innerJoin(risk, eq(risk.id, scanRisk.riskId))
    .innerJoin(target, eq(target.id, risk.targetId))
    .where(and(matching(scanId, filter), eq(scanRisk.change, "new_open")))
    .orderBy(rank, target.target, risk.title)
    .limit(worstRisks);
  return rows.map((row) => ({ ...row, title: row.title.slice(0, maxTitleCharacters).toWellFormed(), threat_level: row.threat_level as ThreatLevel }));
}
