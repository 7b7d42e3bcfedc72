import type { RiskFilters } from "@periscan/contract/risk-filters.ts";
import { and, arrayOverlaps, eq, inArray, type SQL, sql } from "drizzle-orm";
import type { Transaction } from "../../db/connect.ts";
import { target } from "../../db/schema.ts";
import { isId } from "../../page.ts";
import { findTagSets, type TagSets } from "../../targets/find-tag-sets.ts";
import { canonicalTexts } from "../../targets/read-targets.ts";

/** What filters name in other tables, found there, so that the risks are read from one index. */
export interface RiskScope {
  /** Every type that a match can have. */
  scanTypes: string[];
  /** Where it is few targets: all that a match can be of. */
  targetIds?: string[];
  /** Where it is tags: all that a match can have; absent where they are more than it is quick to look at. */
  tagSets?: TagSets;
  scanIds?: string[];
  /** The first and the last risk of those scans: the risks of one time stand together. */
  between?: [string, string];
}

/** Where the ways to read a list part. */
export interface ListLimits {
  /** So many of a scan's risks are looked at in order first, to see how many match. */
  scanTried: number;
  /** Where the page would take more of them, another way is taken. */
  scanWalked: number;
  /** The same of a workspace's risks, which are looked at in their index alone. */
  tried: number;
  walked: number;
  /** Of fewer rows all are read and put in order. */
  rowsRead: number;
  /** Where a tag has fewer targets, the others are not walked past. */
  targetsWalked: number;
  /** Of more tag sets no stream is made of each: their risks are read and put in order. */
  streams: number;
  /** Of fewer targets with a tag all risks are read, where no index has what else is asked for. */
  targetsRead: number;
  /** Of more tag sets with a tag each would not be looked at by itself. */
  tagSets: number;
}
export const listLimits: ListLimits = {
  scanTried: 500,
  scanWalked: 3000,
  tried: 1000,
  walked: 10_000,
  rowsRead: 10_000,
  targetsWalked: 6000,
  streams: 50,
  targetsRead: 1000,
  tagSets: 4000,
};

interface Wanted {
  workspaceId: string;
  filters: RiskFilters;
  limits: ListLimits;
}

/** Undefined where nothing can match. */
export async function findScope(tx: Transaction, { workspaceId, filters, limits }: Wanted): Promise<RiskScope | undefined> {
  const scans = filters.scan_id && (await findScans(tx, workspaceId, filters.scan_id));
  const scanTypes = await findScanTypes(tx, workspaceId, filters, scans);
  if (scanTypes.length === 0) return undefined;
  const scope = { scanTypes, ...(scans ? { scanIds: scans.map(({ id }) => id), between: findSpan(scans) } : {}) };
  if (filters.target_id || filters["target.target"]) {
    const targetIds = await findTargets(tx, workspaceId, filters);
    return targetIds.length === 0 ? undefined : { ...scope, targetIds };
  }
  if (!filters.tags) return scope;
  const tagSets = await findTagSets(tx, { workspaceId, tags: filters.tags, most: limits.tagSets });
  if (tagSets) return tagSets.count === 0 ? undefined : { ...scope, tagSets };
  const targetIds = await findTargets(tx, workspaceId, filters, limits.targetsRead + 1);
  if (targetIds.length === 0) return undefined;
  return targetIds.length > limits.targetsRead ? scope : { ...scope, targetIds };
}

interface FoundScan {
  id: string;
  type: string;
  first: string;
  last: string;
}

/** Those of them that saw a risk. */
async function findScans(tx: Transaction, workspaceId: string, ids: string[]): Promise<FoundScan[]> {
  const end = (order: SQL) => sql`select risk_id from scan_risk where scan_risk.scan_id = scan.id order by risk_id ${order} limit 1`;
  const { rows } = await tx.execute<FoundScan & Record<string, unknown>>(sql`
    select scan.id, scan.type, first.risk_id as first, last.risk_id as last
    from scan cross join lateral (${end(sql`asc`)}) as first cross join lateral (${end(sql`desc`)}) as last
    where scan.workspace_id = ${workspaceId}::uuid and scan.id = any(${sql.param(ids.filter(isId))}::uuid[])`);
  return rows;
}

const findSpan = (scans: FoundScan[]): [string, string] => [
  scans.map(({ first }) => first).sort()[0] ?? "",
  scans
    .map(({ last }) => last)
    .sort()
    .at(-1) ?? "",
];

/** A scan's risks are of its type. Without filters of either, all types that the workspace has risks of, one look at the index for each. */
async function findScanTypes(tx: Transaction, workspaceId: string, filters: RiskFilters, scans: { type: string }[] | undefined): Promise<string[]> {
  const wanted = filters["risk_definition.scan_type"];
  if (scans) return [...new Set(scans.map(({ type }) => type))].filter((type) => !wanted || wanted.includes(type));
  if (wanted) return [...new Set(wanted)];
  const { rows } = await tx.execute<{ type: string }>(sql`
    with recursive known(type) as (
      (select scan_type from risk where workspace_id = ${workspaceId}::uuid order by scan_type limit 1)
      union all
      select next.scan_type from known cross join lateral (
        select scan_type from risk where workspace_id = ${workspaceId}::uuid and scan_type > known.type order by scan_type limit 1) as next)
    select type from known`);
  return rows.map(({ type }) => type);
}

/**
 * The targets of the scans that have one of the tag sets; undefined where they are more than `most`. A scan and a tag that share few targets, or none,
 * would be walked past each other to the end.
 */
export async function findScannedTargets(
  tx: Transaction,
  { tagSets, scanIds, most }: { tagSets: TagSets; scanIds: string[]; most: number },
): Promise<string[] | undefined> {
  // One row: to read a thousand takes the driver as long as PostgreSQL takes to find them.
  const { rows } = await tx.execute<{ ids: string[] }>(sql`
    select array(select target.id from scan_target join target on target.id = scan_target.target_id
      where scan_target.scan_id ${isOneOfScans(scanIds)} and (target.tag_set in (${tagSets.select})) is true limit ${most + 1}) as ids`);
  const ids = rows[0]?.ids ?? [];
  return ids.length > most ? undefined : [...new Set(ids)];
}

/** An index has the rows of one scan in order, and only where it is no array of one. */
export const isOneOfScans = (scanIds: string[]): SQL => (scanIds.length === 1 ? sql`= ${scanIds[0]}::uuid` : sql`= any(${sql.param(scanIds)}::uuid[])`);

/** At most `most` of them, where it is given. */
async function findTargets(tx: Transaction, workspaceId: string, filters: RiskFilters, most?: number): Promise<string[]> {
  const matching = tx
    .select({ id: target.id })
    .from(target)
    .where(
      and(
        eq(target.workspaceId, workspaceId),
        filters.target_id && inArray(target.id, filters.target_id.filter(isId)),
        filters["target.target"] && inArray(target.target, filters["target.target"].flatMap(canonicalTexts)),
        filters.tags && arrayOverlaps(target.tags, filters.tags),
      ),
    );
  const rows = await (most === undefined ? matching : matching.limit(most));
  return rows.map(({ id }) => id);
}
