import type { Block } from "@periscan/contract/block.ts";
import { type Acceptance, type ThreatLevel, threatLevels } from "@periscan/contract/risk.ts";
import type { RiskFilters } from "@periscan/contract/risk-filters.ts";
import { findEngine } from "@periscan/engines/registry.ts";
import { and, asc, eq, gt, or, type SQL, sql } from "drizzle-orm";
import type { Database, Transaction } from "../db/connect.ts";
import { risk, target, workspace } from "../db/schema.ts";
import { shownAcceptance } from "../present/present-risk.ts";
import { mostDetailed } from "../render/group-risks.ts";
import { riskConditions } from "../risks/risk-conditions.ts";
import { type CoveredTarget, loadCoverage } from "./load-coverage.ts";
import { loadTrend, pickMoments, type TrendPoint } from "./load-trend.ts";
import { type ReportScope, targetConditions } from "./report-scope.ts";

export interface ReportRisk {
  target: string;
  title: string;
  threat_level: ThreatLevel;
  description: string;
  solution: string;
  references: string[];
  evidence: Block[];
  firstDetectedAt: string;
  lastDetectedAt: string;
  closedAt?: string;
  acceptance?: Acceptance;
}

export type LevelCounts = Record<ThreatLevel, number>;

/** Everything that a report says, at one moment. */
export interface ReportDocument {
  generatedAt: string;
  workspace: string;
  scope: ReportScope;
  /** Open and not accepted: what calls for action. Worst first, and at most `mostDetailed`; the counts are of all. */
  open: ReportRisk[];
  openCounts: LevelCounts;
  openByTarget: { target: string; label: string; counts: LevelCounts }[];
  /** Accepted or called a false positive, whether open or closed as far as the filter lets them. */
  accepted: ReportRisk[];
  acceptedCount: number;
  closed: ReportRisk[];
  closedCount: number;
  /** Risks that were first found or came back in the last `recentDays`, and that were closed in them. */
  recent: { opened: number; closed: number };
  /** Absent where the filter leaves out what is open, or nothing was ever looked at. */
  trend?: TrendPoint[];
  targets: CoveredTarget[];
}

export const mostListed = 2000;
export const recentDays = 30;

/** Reads all of it in one snapshot, so that the numbers agree with each other. */
export async function loadReportDocument(db: Database, scope: ReportScope): Promise<ReportDocument> {
  return db.transaction((tx) => load(tx, scope), { isolationLevel: "repeatable read", accessMode: "read only" });
}

async function load(tx: Transaction, scope: ReportScope): Promise<ReportDocument> {
  const { rows } = await tx.execute<{ now: string }>(sql`select now()::text as now`);
  const now = new Date(rows[0]?.now ?? "");
  const [owner] = await tx.select({ name: workspace.name }).from(workspace).where(eq(workspace.id, scope.workspaceId));
  const recently = sql`now() - make_interval(days => ${recentDays})`;
  const known = select(tx, scope, scope.risksFilter);
  const matches = scope.risksFilter.status ? known : and(known, or(eq(risk.status, "OPEN"), gt(risk.closedAt, recently)));
  const open = and(matches, eq(risk.status, "OPEN"), eq(risk.isAccepted, false));
  const accepted = and(matches, eq(risk.isAccepted, true));
  const closed = and(matches, eq(risk.status, "CLOSED"), eq(risk.isAccepted, false));
  const { status: _status, is_accepted: _accepted, ...always } = scope.risksFilter;
  const ever = select(tx, scope, always);
  const targets = await loadCoverage(tx, targetConditions(scope), scope.risksFilter["risk_definition.scan_type"]);
  const openByTarget = await countByTarget(tx, open);
  return {
    generatedAt: now.toISOString(),
    workspace: owner?.name ?? "",
    scope,
    open: await loadRisks(tx, open, mostDetailed),
    openCounts: addCounts(openByTarget.map(({ counts }) => counts)),
    openByTarget,
    accepted: await loadRisks(tx, accepted, mostListed),
    acceptedCount: await countRisks(tx, accepted),
    closed: await loadRisks(tx, closed, mostListed),
    closedCount: await countRisks(tx, closed),
    recent: {
      opened: await countRisks(tx, and(ever, openedSince(recently))),
      closed: await countRisks(tx, and(ever, eq(risk.status, "CLOSED"), gt(risk.closedAt, recently))),
    },
    ...(await loadTrendOf(tx, scope, ever, now)),
    targets,
  };
}

const select = (tx: Transaction, scope: ReportScope, filters: RiskFilters): SQL | undefined =>
  and(riskConditions(tx, scope.workspaceId, filters), targetConditions(scope));

const openedSince = (moment: SQL): SQL => sql`exists (select 1 from scan_risk
  join scan_target on scan_target.scan_id = scan_risk.scan_id and scan_target.target_id = ${risk.targetId}
  where scan_risk.risk_id = ${risk.id} and scan_risk.change = 'new_open' and scan_target.observed_at > ${moment})`;

async function loadTrendOf(tx: Transaction, scope: ReportScope, matches: SQL | undefined, now: Date): Promise<{ trend?: TrendPoint[] }> {
  const { status, is_accepted } = scope.risksFilter;
  if ((status && !status.includes("OPEN")) || (is_accepted && !is_accepted.includes("false"))) return {};
  const chosen = tx.select({ id: target.id }).from(target).where(targetConditions(scope));
  const { rows } = await tx.execute<{ first: string | null }>(sql`
    select min(observed_at)::text as first from scan_target where kind in ('complete', 'partial') and target_id in (${chosen})`);
  const first = rows[0]?.first;
  return first ? { trend: await loadTrend(tx, matches, pickMoments(new Date(first), now)) } : {};
}

async function countRisks(tx: Transaction, matches: SQL | undefined): Promise<number> {
  const [row] = await tx.select({ count: sql<number>`count(*)::int` }).from(risk).innerJoin(target, eq(target.id, risk.targetId)).where(matches);
  return row?.count ?? 0;
}

/** Worst first: by the counts of the worst level, then of the next. */
async function countByTarget(tx: Transaction, matches: SQL | undefined): Promise<ReportDocument["openByTarget"]> {
  const rows = await tx
    .select({ id: target.id, target: target.target, label: target.label, level: risk.threatLevel, count: sql<number>`count(*)::int` })
    .from(risk)
    .innerJoin(target, eq(target.id, risk.targetId))
    .where(matches)
    .groupBy(target.id, risk.threatLevel);
  return [...Map.groupBy(rows, ({ id }) => id).values()]
    .map((levels) => ({
      target: levels[0]?.target ?? "",
      label: levels[0]?.label ?? "",
      counts: addCounts(levels.map(({ level, count }) => ({ [level]: count }))),
    }))
    .sort((a, b) => threatLevels.map((level) => b.counts[level] - a.counts[level]).find((difference) => difference !== 0) ?? (a.target < b.target ? -1 : 1));
}

const addCounts = (all: Partial<LevelCounts>[]): LevelCounts =>
  Object.fromEntries(threatLevels.map((level) => [level, all.reduce((sum, counts) => sum + (counts[level] ?? 0), 0)])) as LevelCounts;

async function loadRisks(tx: Transaction, matches: SQL | undefined, limit: number): Promise<ReportRisk[]> {
  const rows = await tx
    .select({ risk, target: target.target, acceptance: shownAcceptance })
    .from(risk)
    .innerJoin(target, eq(target.id, risk.targetId))
    .where(matches)
    .orderBy(sql`array_position(${sql.param([...threatLevels])}::text[], ${risk.threatLevel})`, asc(risk.title), asc(target.target))
    .limit(limit);
  return rows.map(({ risk: row, target: name, acceptance: standing }) => ({
    target: name,
    title: row.title,
    threat_level: row.threatLevel as ThreatLevel,
    description: row.description,
    solution: row.solution,
    references: row.references,
    evidence: findEngine(row.scanType).view(row.detail),
    firstDetectedAt: row.firstDetectedAt.toISOString(),
    lastDetectedAt: row.lastDetectedAt.toISOString(),
    ...(row.closedAt ? { closedAt: row.closedAt.toISOString() } : {}),
    ...(standing ? { acceptance: standing } : {}),
  }));
}
