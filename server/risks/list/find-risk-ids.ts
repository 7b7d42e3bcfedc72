import { RiskStatus, threatLevels } from "@periscan/contract/risk.ts";
import type { RiskFilters } from "@periscan/contract/risk-filters.ts";
import { type SQL, sql } from "drizzle-orm";
import type { Transaction } from "../../db/connect.ts";
import { mergeStreams, type StreamColumn, streamsOf } from "../../db/merge-streams.ts";
import { selectTagSets, type TagSets } from "../../targets/find-tag-sets.ts";
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
  const found: string[] = [];
  let rest = wanted;
  for (const walkNext of [walkAll, walkScan]) {
    const { ids, end, isLast } = await walkNext(tx, rest, scope);
    found.push(...ids);
    if (found.length === wanted.limit || isLast) return found;
    rest = { ...rest, before: end, limit: wanted.limit - found.length };
  }
  return [...found, ...(await readIds(tx, await pickQuery(tx, rest, scope)))];
}

async function readIds(tx: Transaction, query: SQL): Promise<string[]> {
  const { rows } = await tx.execute<{ id: string }>(query);
  return rows.map(({ id }) => id);
}

/** What was found as far as the id `end`; the rest is for another way. */
interface Walked {
  ids: string[];
  end: string | undefined;
  /** Nothing follows. */
  isLast: boolean;
}

/** The workspace's next risks in order, in their index, which has beside the id what filters ask for. */
async function walkAll(tx: Transaction, wanted: RiskPage, scope: RiskScope): Promise<Walked> {
  const { limits = listLimits, workspaceId } = wanted;
  if (scope.targetIds || wanted.filters["risk_definition.title"]) return { ids: [], end: wanted.before, isLast: false };
  const matching = sql`from walked as risk where true ${conditions(wanted, scope, new Set())}`;
  return walk(tx, { wanted, tried: limits.tried, walked: limits.walked, matching }, (before, most) => {
    const isBefore = before === undefined ? sql`` : sql`and risk.id < ${before}::uuid`;
    return sql`
      select id, tag_set, scan_type, status, is_accepted, threat_level from risk
      where risk.workspace_id = ${workspaceId}::uuid ${isWithin(scope)} ${isBefore} order by risk.id desc limit ${most}`;
  });
}

/** The same with the next risks of one scan, where others stand between them. */
async function walkScan(tx: Transaction, wanted: RiskPage, { scanIds, between: _, ...scope }: RiskScope): Promise<Walked> {
  const { limits = listLimits, workspaceId } = wanted;
  if (scanIds?.length !== 1 || scope.targetIds) return { ids: [], end: wanted.before, isLast: false };
  // `offset 0` makes it a look at each; as a join PostgreSQL may walk the whole index of risks beside the scan's.
  const each = sql`(select * from risk where risk.id = walked.id offset 0)`;
  const matching = sql`
    from walked cross join lateral ${each} as risk where risk.workspace_id = ${workspaceId}::uuid ${conditions(wanted, scope, new Set())}`;
  return walk(tx, { wanted, tried: limits.scanTried, walked: limits.scanWalked, matching }, (before, most) => {
    const isBefore = before === undefined ? sql`` : sql`and risk_id < ${before}::uuid`;
    return sql`select risk_id as id ${ofScans(scanIds)} ${isBefore} order by risk_id desc limit ${most}`;
  });
}

interface Walk {
  wanted: RiskPage;
  /** So many are looked at first: they show how many match. */
  tried: number;
  /** Where it would take more of them to fill the page, it is left to another way. */
  walked: number;
  /** `from … where …` of the risks in `walked` that match. */
  matching: SQL;
}

interface Step extends Record<string, unknown> {
  ids: string[];
  looked: number;
  end: string | null;
}

/** Step by step, for what matches may stand together; `next` is the query of the next ids. */
async function walk(tx: Transaction, { wanted, tried, walked, matching }: Walk, next: (before: string | undefined, most: number) => SQL): Promise<Walked> {
  const ids: string[] = [];
  let end = wanted.before;
  let looked = 0;
  for (let most = tried; most > 0; ) {
    const missing = wanted.limit - ids.length;
    const { rows } = await tx.execute<Step>(sql`
      with walked as materialized (${next(end, most)})
      select array(select risk.id ${matching} order by risk.id desc limit ${missing}) as ids, (select count(*)::int from walked) as looked,
        (select id from walked order by id limit 1) as end`);
    const step = rows[0] as Step;
    ids.push(...step.ids);
    if (ids.length === wanted.limit || step.looked < most) return { ids, end, isLast: true };
    looked += step.looked;
    end = step.end ?? end;
    const needed = Math.ceil(((wanted.limit - ids.length) * looked) / ids.length);
    most = looked + needed > walked ? 0 : Math.min(needed, looked * 4) + tried;
  }
  return { ids, end, isLast: false };
}

async function pickQuery(tx: Transaction, wanted: RiskPage, scope: RiskScope): Promise<SQL> {
  const { filters, workspaceId, limits = listLimits } = wanted;
  const { targetIds, scanIds, tagSets } = scope;
  const title = filters["risk_definition.title"];
  if (targetIds) return ofTargets(wanted, scope, targetIds);
  if (scanIds && (await hasFewer(tx, limits.rowsRead, ofScans(scanIds))))
    return readWhole(wanted, scope, sql`risk.workspace_id = ${workspaceId}::uuid and risk.id in (select risk_id ${ofScans(scanIds)})`);
  if (title && tagSets && (await hasFewer(tx, limits.targetsRead, ofTagSets(workspaceId, tagSets)))) return readTagSets(wanted, scope, tagSets);
  if (title) return merge(wanted, scope, [streamsOf("title", "text", title)]);
  if (tagSets && (await hasFewer(tx, limits.targetsWalked, ofTagSets(workspaceId, tagSets))))
    return tagSets.count > limits.streams ? readTagSets(wanted, scope, tagSets) : mergeTagSets(wanted, scope, tagSets);
  if (tagSets && !scanIds && !isNarrow(filters)) return mergeTagSets(wanted, scope, tagSets);
  const shared = tagSets && scanIds && (await findScannedTargets(tx, { tagSets, scanIds, most: limits.targetsRead }));
  if (shared) return ofTargets(wanted, scope, shared);
  return scanIds || hasState(filters) ? merge(wanted, scope, stateColumns(filters, scope)) : merge(wanted, scope, []);
}

/** They are the workspace's own, and their index has no workspace. The type stands behind the target in it, whether it is asked for or not. */
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

const readTagSets = (wanted: RiskPage, scope: RiskScope, { select }: TagSets): SQL =>
  readWhole(wanted, scope, sql`risk.workspace_id = ${wanted.workspaceId}::uuid and risk.tag_set = any(array(${select}))`, ["tag_set"]);

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

/** `offset 0` keeps PostgreSQL from walking an index in the hope of meeting enough of them. They are looked for in the scans last, in order, as far as the page goes. `done` names the filters that `few` has already. */
const readWhole = (wanted: RiskPage, scope: RiskScope, few: SQL, done: string[] = []): SQL => {
  const { before, limit } = wanted;
  const isBefore = before === undefined ? sql`` : sql`and (risk.id < ${before}::uuid) is true`;
  return sql`
    select id from (
      select risk.id from risk where ${few} ${isBefore} ${conditions(wanted, scope, new Set([...done, "scan_id"]))}
      order by risk.id desc offset 0) as risk
    where true ${isOfScans(scope)} order by id desc limit ${limit}`;
};

/** A look at the index for each. `offset 0` keeps it from becoming a join with all of the scans' risks, once for each stream. */
const isOfScans = ({ scanIds }: RiskScope): SQL => (scanIds ? sql`and exists (select 1 ${ofScans(scanIds)} and scan_risk.risk_id = risk.id offset 0)` : sql``);

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
    done.has("scan_id") ? undefined : isOfScans(scope),
  ];
  return sql.join(
    all.filter((condition) => condition !== undefined),
    sql` `,
  );
}
