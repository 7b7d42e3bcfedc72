import { Readable } from "node:stream";
import type { NewReport, Report, ReportFormat } from "@periscan/contract/report.ts";
import { type ThreatLevel, threatLevels } from "@periscan/contract/risk.ts";
import { findEngine } from "@periscan/engines/registry.ts";
import { notFound } from "../errors/api-error.ts";
import type { FixedFile } from "../http/send-file.ts";
import { renderHtml } from "../render/render-html.ts";
import { renderPdf } from "../render/render-pdf.ts";
import { showText } from "../render/show-text.ts";
import { describeReport } from "../reports/describe-report.ts";
import type { LevelCounts, ReportDocument, ReportRisk } from "../reports/load-report-document.ts";
import { makeOnce } from "./make-once.ts";
import { sampleId, sampleTime } from "./sample-facts.ts";
import { sampleRisks } from "./sample-risks.ts";
import { finishedSamples } from "./sample-scans.ts";
import { sampleTargets } from "./sample-targets.ts";

const madeAt = sampleTime(1440);

/** One of each format, over all of the sample data. Newest first. */
export const sampleReports: Report[] = (["PDF", "HTML"] as const).map((report_format, index) => ({
  id: sampleId("report", 2 - index),
  report_format,
  state: "SUCCEEDED",
  targets_filter: {},
  risks_filter: {},
  created_at: madeAt,
  finished_at: madeAt,
}));

/** The report that stands for the one that was asked for: it has the format, and is about all of the sample's targets. */
export function askForSampleReport({ report_format, targets_filter }: NewReport): { data: { id: string } } {
  const [field, ids] = targets_filter?.target_ids ? ["target_ids", targets_filter.target_ids] : ["id", targets_filter?.id ?? []];
  const known = new Set(sampleTargets.map(({ id }) => id));
  const missing = ids.findIndex((id) => !known.has(id));
  if (missing >= 0) throw notFound("target", `targets_filter.${field}[${missing}]`);
  return { data: { id: sampleReports.find((report) => report.report_format === report_format)?.id ?? "" } };
}

/** The file of a sample report, set as the real ones are; undefined where there is none of that id. */
export async function findSampleReport(id: string): Promise<FixedFile | undefined> {
  const report = sampleReports.find((each) => each.id === id);
  if (!report) return undefined;
  const content = await makeOnce(id, () => setReport(report.report_format));
  return {
    identity: `sample ${id}`,
    bytes: content.length,
    contentType: report.report_format === "PDF" ? "application/pdf" : "text/html",
    fileName: `sample-report.${report.report_format.toLowerCase()}`,
    read: ({ start, end }) => Readable.from([content.subarray(start, end + 1)]),
  };
}

async function setReport(format: ReportFormat): Promise<Buffer> {
  const shown = showText(describeReport(makeDocument()));
  return Buffer.from(format === "HTML" ? renderHtml(shown) : await renderPdf(shown));
}

function makeDocument(): ReportDocument {
  const worstFirst = [...sampleRisks].sort((a, b) => rank(a.risk.risk_definition.threat_level) - rank(b.risk.risk_definition.threat_level));
  const open = worstFirst.filter(({ risk }) => risk.status === "OPEN" && !risk.is_accepted);
  const accepted = worstFirst.filter(({ risk }) => risk.is_accepted);
  const closed = worstFirst.filter(({ risk }) => risk.status === "CLOSED" && !risk.is_accepted);
  return {
    generatedAt: madeAt,
    workspace: "Sample data",
    scope: { workspaceId: "", targetsFilter: {}, risksFilter: {} },
    open: open.map(toReportRisk),
    openCounts: countLevels(open),
    openByTarget: [...Map.groupBy(open, ({ risk }) => risk.target_id).values()].map((risks) => ({
      target: risks[0]?.risk.target ?? "",
      label: risks[0]?.risk.target_label ?? "",
      counts: countLevels(risks),
    })),
    accepted: accepted.map(toReportRisk),
    acceptedCount: accepted.length,
    closed: closed.map(toReportRisk),
    closedCount: closed.length,
    recent: { opened: sampleRisks.filter(({ change }) => change === "new_open").length, closed: closed.length },
    targets: sampleTargets.map(({ id, target, label }) => ({ id, target, label, looks: listLooks(id) })),
  };
}

const rank = (level: ThreatLevel): number => threatLevels.indexOf(level);

const countLevels = (risks: typeof sampleRisks): LevelCounts =>
  Object.fromEntries(threatLevels.map((level) => [level, risks.filter(({ risk }) => risk.risk_definition.threat_level === level).length])) as LevelCounts;

function toReportRisk({ risk, evidence }: (typeof sampleRisks)[number]): ReportRisk {
  const { title, threat_level, description, solution, references, first_detected_at, last_detected_at } = risk.risk_definition;
  const [acceptance] = risk.accepted_by;
  return {
    ...{ target: risk.target, title, threat_level, description, solution, references, evidence },
    firstDetectedAt: first_detected_at,
    lastDetectedAt: last_detected_at,
    ...(risk.status === "CLOSED" ? { closedAt: sampleTime(10) } : {}),
    ...(acceptance ? { acceptance } : {}),
  };
}

function listLooks(targetId: string): ReportDocument["targets"][number]["looks"] {
  return finishedSamples.flatMap(({ scan }) =>
    scan.targets.flatMap(({ target_id, outcome, coverage, reason, observed_at = madeAt }) =>
      target_id !== targetId || outcome === "pending"
        ? []
        : [
            {
              scanType: scan.type,
              title: findEngine(scan.type).title,
              kind: outcome,
              at: observed_at,
              what: outcome === "complete" ? (coverage ?? "") : (reason ?? outcome),
              ...(outcome === "complete" ? { completeAt: observed_at } : {}),
            },
          ],
    ),
  );
}
