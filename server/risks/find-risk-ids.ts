import { RiskStatus, threatLevels } from "@periscan/contract/risk.ts";
import type { RiskFilters } from "@periscan/contract/risk-filters.ts";
import { type SQL, sql } from "drizzle-orm";
import type { Transaction } from "../db/connect.ts";
import { mergeStreams, type StreamColumn, streamsOf } from "../db/merge-streams.ts";
import { selectTagSets, type TagSets } from "../targets/find-tag-sets.ts";
import { findScannedTargets, findScope, isOneOfScans, type ListLimits, listLimits, type RiskScope } from "./find-risk-scope.ts";

/** A page of the workspace's risks. */
export interface RiskPage {
  workspaceId: string;
  filters: RiskFilters;
  /** The id that the page before ended with. */
  before?: string | undefined;
  limit: number;
  limits?: ListLimits;
}

/**
 * The ids of the workspace's risks that match every filter, newest first, read from an index in that order. Which index it is follows from the filters
 * and not from statistics: PostgreSQL takes filters for independent, and where they never meet it would walk past every risk. Where `tx`
 * is one snapshot, so is the answer: what filters name in other tables is looked up first.
 */
export async function findRiskIds(tx: Transaction, wanted: RiskPage): Promise<string[]> {
  const scope = await findScope(tx, { ...wanted, limits: wanted.limits ?? listLimits });
  if (!scope) return [];
  return (await walkAll(tx, wanted, scope)) ?? (await walkScan(tx, wanted, scope)) ?? readIds(tx, await pickQuery(tx, wanted, scope));
}

async function readIds(tx: Transaction, query: SQL): Promise<string[]> {
  const { rows } = await tx.execute<{ id: string }>(query);
  return rows.map(({ id }) => id);
}

/** The workspace's next risks in order, in their index, which has beside the id what filters ask for. Undefined where it would take too many of them to fill the page. */
async function walkAll(tx: Transaction, wanted: RiskPage, scope: RiskScope): Promise<string[] | undefined> {
  if (scope.targetIds || wanted.filters["risk_definition.title"]) return undefined;
  const { workspaceId, before, limits = listLimits } = wanted;
  const rest = sql`from risk where risk.workspace_id = ${workspaceId}::uuid ${isWithin(scope)} ${before === undefined ? sql`` : sql`and risk.id < ${before}::uuid`}`;
  const matching = sql`true ${conditions(wanted, scope, new Set())}`;
  return walk(tx, { wanted, tried: limits.tried, walked: limits.walked, rest }, (most) => {
    const next = sql`(select id, tag_set, scan_type, status, is_accepted, threat_level ${rest} order by risk.id desc limit ${most})`;
    return sql`select risk.id from ${next} as risk where ${matching} order by risk.id desc limit ${wanted.limit}`;
  });
}

/** The same with the next risks of one scan, where others stand between them. */
async function walkScan(tx: Transaction, wanted: RiskPage, { scanIds, between: _, ...scope }: RiskScope): Promise<string[] | undefined> {
  if (scanIds?.length !== 1 || scope.targetIds) return undefined;
  const { workspaceId, before, limits = listLimits } = wanted;
  const rest = sql`${ofScans(scanIds)} ${before === undefined ? sql`` : sql`and risk_id < ${before}::uuid`}`;
  const matching = sql`risk.workspace_id = ${workspaceId}::uuid ${conditions(wanted, scope, new Set())}`;
  return walk(tx, { wanted, tried: limits.scanTried, walked: limits.scanWalked, rest }, (most) => {
    const next = sql`(select risk_id ${rest} order by risk_id desc limit ${most})`;
    // `offset 0` makes it a look at each; as a join PostgreSQL may walk the whole index of risks beside the scan's.
    const each = sql`(select * from risk where risk.id = walked.risk_id offset 0)`;
    return sql`select risk.id from ${next} as walked cross join lateral ${each} as risk where ${matching} order by walked.risk_id desc limit ${wanted.limit}`;
  });
}

interface Walk {
  wanted: RiskPage;
  /** So many are looked at first: they show how many match. */
  tried: number;
  /** At most so many. */
  walked: number;
  /** What is walked, from the page's beginning on. */
  rest: SQL;
}

/** What matches among the next ones; undefined where they are not likely to fill the page, with half as many again for chance, or did not. */
async function walk(tx: Transaction, { wanted, tried, walked, rest }: Walk, read: (most: number) => SQL): Promise<string[] | undefined> {
  const ids = await readIds(tx, read(tried));
  if (ids.length === wanted.limit || (await hasFewer(tx, tried, rest))) return ids;
  if (ids.length * walked < 1.5 * wanted.limit * tried) return undefined;
  const more = await readIds(tx, read(walked));
  return more.length === wanted.limit ? more : undefined;
}

async function pickQuery(tx: Transaction, wanted: RiskPage, scope: RiskScope): Promise<SQL> {
  const { filters, workspaceId, limits = listLimits } = wanted;
  const { targetIds, scanIds, tagSets } = scope;
  const title = filters["risk_definition.title"];
  if (targetIds) return ofTargets(wanted, scope, targetIds);
  if (scanIds && (await hasFewer(tx, limits.rowsRead, ofScans(scanIds)))) return readWhole(wanted, scope, sql`risk.id in (select risk_id ${ofScans(scanIds)})`);
  if (title && tagSets && (await hasFewer(tx, limits.targetsRead, ofTagSets(workspaceId, tagSets)))) return readWhole(wanted, scope, hasTagSet(tagSets));
  if (title) return merge(wanted, scope, [streamsOf("title", "text", title)]);
  if (tagSets && (await hasFewer(tx, limits.targetsWalked, ofTagSets(workspaceId, tagSets))))
    return tagSets.count > limits.streams ? readWhole(wanted, scope, hasTagSet(tagSets)) : mergeTagSets(wanted, scope, tagSets);
  if (tagSets && !scanIds && !isNarrow(filters)) return mergeTagSets(wanted, scope, tagSets);
  const shared = tagSets && scanIds && (await findScannedTargets(tx, { tagSets, scanIds, most: limits.targetsRead }));
  if (shared) return ofTargets(wanted, scope, shared);
  return scanIds || hasState(filters) ? merge(wanted, scope, stateColumns(filters, scope)) : merge(wanted, scope, []);
}

/** The type stands behind the target in the index, whether it is asked for or not. */
const ofTargets = (wanted: RiskPage, scope: RiskScope, targetIds: string[]): SQL =>
  readWhole(wanted, scope, sql`risk.target_id = any(${sql.param(targetIds)}::uuid[]) and risk.scan_type = any(${sql.param(scope.scanTypes)}::text[])`);

const hasState = (filters: RiskFilters): boolean =>
  Boolean(filters.status || filters.is_accepted || filters["risk_definition.scan_type"] || filters["risk_definition.threat_level"]);

/** Whether the state that is asked for leaves out most risks: they are open, and not accepted. */
const isNarrow = (filters: RiskFilters): boolean =>
  Boolean(
    filters["risk_definition.scan_type"] ||
      filters["risk_definition.threat_level"] ||
      filters.status?.every((status) => status !== "OPEN") ||
      filters.is_accepted?.every((value) => value === "true"),
  );

const ofScans = (scanIds: string[]): SQL => sql`from scan_risk where scan_id ${isOneOfScans(scanIds)}`;

const ofTagSets = (workspaceId: string, tagSets: TagSets): SQL =>
  sql`from target where target.workspace_id = ${workspaceId}::uuid and target.tag_set = any(array(${tagSets.select}))`;

/** As a key of an index. */
const hasTagSet = (tagSets: TagSets): SQL => sql`risk.tag_set = any(array(${tagSets.select}))`;

const mergeTagSets = (wanted: RiskPage, scope: RiskScope, { select, count }: TagSets): SQL =>
  merge(wanted, scope, [{ name: "tag_set", values: select, count }]);

async function hasFewer(tx: Transaction, most: number, from: SQL): Promise<boolean> {
  const { rows } = await tx.execute<{ count: number }>(sql`select count(*)::int as count from (select 1 ${from} limit ${most}) as counted`);
  return (rows[0]?.count ?? 0) < most;
}

/** The columns that stand in front of the id in the index `risk_state`. */
const stateColumns = (filters: RiskFilters, scope: RiskScope): StreamColumn[] => [
  streamsOf("scan_type", "text", scope.scanTypes),
  streamsOf("status", "text", filters.status ?? RiskStatus.options),
  streamsOf("is_accepted", "boolean", filters.is_accepted ?? ["true", "false"]),
  streamsOf("threat_level", "text", filters["risk_definition.threat_level"] ?? threatLevels),
];

const merge = (wanted: RiskPage, scope: RiskScope, columns: StreamColumn[]): SQL => {
  const ofStream = columns.map(({ name }) => sql`and risk.${sql.identifier(name)} = stream.${sql.identifier(name)}`);
  const others = conditions(wanted, scope, new Set(columns.map(({ name }) => name)));
  const from = sql`from risk where risk.workspace_id = ${wanted.workspaceId}::uuid ${sql.join(ofStream, sql` `)} ${isWithin(scope)} ${others}`;
  return mergeStreams({ columns, from, id: sql`risk.id`, newestFirst: true, beyond: wanted.before, limit: wanted.limit });
};

/** `offset 0` keeps PostgreSQL from walking an index in the hope of meeting enough of them. */
const readWhole = (wanted: RiskPage, scope: RiskScope, few: SQL): SQL => {
  const { workspaceId, before, limit } = wanted;
  const isBefore = before === undefined ? sql`` : sql`and (risk.id < ${before}::uuid) is true`;
  return sql`
    select id from (
      select risk.id from risk where risk.workspace_id = ${workspaceId}::uuid and ${few} ${isBefore} ${conditions(wanted, scope, new Set())} offset 0) as found
    order by id desc limit ${limit}`;
};

/** A look at the index for each. `offset 0` keeps it from becoming a join with all of the scans' risks, once for each stream. */
const isOfScans = (scanIds: string[]): SQL => sql`and exists (select 1 ${ofScans(scanIds)} and scan_risk.risk_id = risk.id offset 0)`;

/** The risks of scans stand between two ids; a bound for an index that has the ids in order, and for no other. */
const isWithin = ({ between }: RiskScope): SQL => (between ? sql`and risk.id >= ${between[0]}::uuid and risk.id <= ${between[1]}::uuid` : sql``);

/** What a match must have, less what its stream has already. `is true` keeps PostgreSQL from taking another index for it. */
function conditions({ workspaceId, filters }: RiskPage, scope: RiskScope, done: Set<string>): SQL {
  const isOneOf = (name: string, type: string, values: readonly string[] | undefined): SQL | undefined =>
    values && !done.has(name) ? sql`and (risk.${sql.identifier(name)} = any(${sql.param([...values])}::${sql.raw(type)}[])) is true` : undefined;
  const hasTag =
    filters.tags && !done.has("tag_set") && !scope.targetIds ? sql`and (risk.tag_set in (${selectTagSets(workspaceId, filters.tags)})) is true` : undefined;
  const all = [
    isOneOf("title", "text", filters["risk_definition.title"]),
    isOneOf("scan_type", "text", scope.scanIds ? scope.scanTypes : filters["risk_definition.scan_type"]),
    isOneOf("status", "text", filters.status),
    isOneOf("is_accepted", "boolean", filters.is_accepted),
    isOneOf("threat_level", "text", filters["risk_definition.threat_level"]),
    hasTag,
    scope.scanIds && isOfScans(scope.scanIds),
  ];
  return sql.join(
    all.filter((condition) => condition !== undefined),
    sql` `,
  );
}
