import { type Acceptance, type ThreatLevel, threatLevels } from "@periscan/contract/risk.ts";
import type { ScanImport, ScanTarget } from "@periscan/contract/scan.ts";
import type { DocumentRisk, ScanDocument } from "@periscan/contract/scan-document.ts";
import type { Engine } from "@periscan/engines/kit/engine.ts";
import { findEngine } from "@periscan/engines/registry.ts";
import { eq, sql } from "drizzle-orm";
import type { Database } from "../db/connect.ts";
import { detection, risk, scan, scanRisk, workspace } from "../db/schema.ts";
import { findImportFile } from "../outcomes/import-file.ts";
import { presentImport } from "../present/describe-import.ts";
import { loadShownTargets, type ShownTargetRow } from "../present/load-shown.ts";
import { shownAcceptance } from "../present/present-risk.ts";
import { presentTarget } from "../present/present-scan.ts";
import { expireAcceptances } from "../risks/accept-risks.ts";

/** Everything that the results of an ended scan show, as this scan saw it. Throws where there is no such scan. */
export async function loadScanDocument(db: Database, scanId: string): Promise<ScanDocument> {
  const [found] = await db.select().from(scan).innerJoin(workspace, eq(workspace.id, scan.workspaceId)).where(eq(scan.id, scanId));
  if (!found) throw new Error(`scan ${scanId} is gone`);
  const engine = findEngine(found.scan.type);
  await expireAcceptances(db, found.scan.workspaceId);
  const counts = (await findImportFile(db, scanId))?.counts;
  const rows = await loadShownTargets(db, [scanId]);
  const targets = rows.map(presentTarget);
  const risks = await loadRisks(db, { scanId, engine, targets });
  return {
    format: "periscan.scan/1",
    generated_at: new Date().toISOString(),
    scan: presentHead(found.scan, engine, { targets: rows, ...(counts ? { import: presentImport(counts) } : {}) }),
    workspace: found.workspace.name,
    summary: summarise(risks, targets),
    risks,
    targets,
    not_covered: targets.flatMap(listGaps),
  };
}

interface ShownWith {
  targets: ShownTargetRow[];
  import?: ScanImport;
}

function presentHead(row: typeof scan.$inferSelect, engine: Engine, { targets, ...more }: ShownWith): ScanDocument["scan"] {
  return {
    id: row.id,
    type: engine.type,
    title: engine.title,
    state: row.state as ScanDocument["scan"]["state"],
    ...(row.errorCode === null ? {} : { error: { code: row.errorCode, message: row.errorMessage ?? "" } }),
    ...more,
    options: row.options as Record<string, unknown>,
    engine_versions: [...new Set(targets.flatMap(({ engine_version }) => engine_version ?? []))].sort(),
    content: [...new Map(targets.flatMap(({ content }) => content).map((each) => [JSON.stringify(each), each])).values()],
    created_at: row.createdAt.toISOString(),
    ...(row.startedAt ? { started_at: row.startedAt.toISOString() } : {}),
    ...(row.finishedAt ? { finished_at: row.finishedAt.toISOString() } : {}),
  };
}

interface RiskSource {
  scanId: string;
  engine: Engine;
  targets: ScanTarget[];
}

/** What this scan saw; of a closed risk what was seen last. One of the two alone comes over: both are twice the memory. */
const content = {
  title: sql<string>`coalesce(${detection.title}, ${risk.title})`,
  threatLevel: sql<ThreatLevel>`coalesce(${detection.threatLevel}, ${risk.threatLevel})`,
  description: sql<string>`coalesce(${detection.description}, ${risk.description})`,
  solution: sql<string>`coalesce(${detection.solution}, ${risk.solution})`,
  references: sql<string[]>`coalesce(${detection.references}, ${risk.references})`,
  additionalInfo: sql<Record<string, unknown>>`coalesce(${detection.additionalInfo}, ${risk.additionalInfo})`,
  detail: sql<unknown>`coalesce(${detection.detail}, ${risk.detail})`,
};
const life = {
  id: risk.id,
  targetId: risk.targetId,
  isAccepted: risk.isAccepted,
  firstDetectedAt: risk.firstDetectedAt,
  lastDetectedAt: risk.lastDetectedAt,
};
const byTitle = new Intl.Collator("en", { numeric: true });

async function loadRisks(db: Database, { scanId, engine, targets }: RiskSource): Promise<DocumentRisk[]> {
  const rows = await db
    .select({ change: scanRisk.change, life, content, acceptance: shownAcceptance })
    .from(scanRisk)
    .innerJoin(risk, eq(risk.id, scanRisk.riskId))
    .leftJoin(detection, eq(detection.id, scanRisk.detectionId))
    .where(eq(scanRisk.scanId, scanId));
  const order = new Map(targets.map(({ target_id }, index) => [target_id, index]));
  const rank = ({ threat_level, target_id }: DocumentRisk) => threatLevels.indexOf(threat_level) * targets.length + (order.get(target_id) ?? 0);
  const names = new Map(targets.map(({ target_id, target }) => [target_id, target]));
  return rows.map((row) => presentRisk(row, engine, names)).sort((a, b) => rank(a) - rank(b) || byTitle.compare(a.title, b.title));
}

interface RiskRow {
  change: string;
  life: Pick<typeof risk.$inferSelect, keyof typeof life>;
  content: { [K in keyof typeof content]: (typeof content)[K]["_"]["type"] };
  acceptance: Acceptance | null;
}

function presentRisk({ change, life: known, content: seen, acceptance: standing }: RiskRow, engine: Engine, names: Map<string, string>): DocumentRisk {
  return {
    risk_id: known.id,
    target_id: known.targetId,
    target: names.get(known.targetId) ?? "",
    change: change as DocumentRisk["change"],
    status: change === "closed" ? "CLOSED" : "OPEN",
    is_accepted: known.isAccepted,
    ...(standing === null ? {} : { acceptance: standing }),
    title: seen.title,
    threat_level: seen.threatLevel,
    description: seen.description,
    solution: seen.solution,
    references: seen.references,
    additional_info: seen.additionalInfo,
    evidence: engine.view(seen.detail),
    first_detected_at: known.firstDetectedAt.toISOString(),
    last_detected_at: known.lastDetectedAt.toISOString(),
  };
}

/** The counts of a document. */
export function summarise(risks: DocumentRisk[], targets: ScanTarget[]): ScanDocument["summary"] {
  const countRisks = (matches: (risk: DocumentRisk) => boolean) => risks.filter(matches).length;
  const countTargets = (outcome: ScanTarget["outcome"]) => targets.filter((target) => target.outcome === outcome).length;
  const byLevel = threatLevels.map((level) => [level, countRisks(({ threat_level, status }) => threat_level === level && status === "OPEN")]);
  return {
    risks: Object.fromEntries(byLevel) as Record<ThreatLevel, number>,
    changes: {
      new_open: countRisks(({ change }) => change === "new_open"),
      still_open: countRisks(({ change }) => change === "still_open"),
      closed: countRisks(({ change }) => change === "closed"),
    },
    targets: {
      complete: countTargets("complete"),
      partial: countTargets("partial"),
      unreachable: countTargets("unreachable"),
      skipped: countTargets("skipped"),
      pending: countTargets("pending"),
    },
  };
}

/** What a reader must not take for clean: why a target was not looked at to the end, and what limits a look that was. */
export function listGaps({ target, outcome, reason, notes }: ScanTarget): ScanDocument["not_covered"] {
  const gaps = outcome === "complete" ? notes : [reason ?? outcome, ...notes];
  return gaps.map((what) => ({ target, what }));
}
