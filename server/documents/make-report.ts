import { and, eq, inArray, sql } from "drizzle-orm";
import type { Database } from "../db/connect.ts";
import { report } from "../db/schema.ts";
import { boundReport } from "../render/bound-report.ts";
import { renderHtml } from "../render/render-html.ts";
import { renderPdf } from "../render/render-pdf.ts";
import { showText } from "../render/show-text.ts";
import { describeReport } from "../reports/describe-report.ts";
import { loadReportDocument } from "../reports/load-report-document.ts";
import { scopeOf } from "../reports/report-scope.ts";
import { expireAcceptances } from "../risks/accept-risks.ts";
import type { Services } from "../services.ts";

type ReportRow = typeof report.$inferSelect;

/** Where the file of a report lies in the store. */
export const reportFile = ({ workspaceId, id }: Pick<ReportRow, "workspaceId" | "id">): string => `reports/${workspaceId}/${id}`;

const wholeReport = {
  risks: "The same report as HTML has more, and an export of the risks as CSV or JSON all of them.",
  rows: "The same report as HTML has all of them.",
};

const unfinished = inArray(report.state, ["QUEUED", "RUNNING"]);

/** Makes a report's file; nothing happens where it is made already. Throws where it fails, to be tried again. */
export async function makeReport({ db, files }: Pick<Services, "db" | "files">, reportId: string): Promise<void> {
  const [row] = await db
    .update(report)
    .set({ state: "RUNNING" })
    .where(and(eq(report.id, reportId), unfinished))
    .returning();
  if (!row) return;
  await expireAcceptances(db, row.workspaceId);
  const shown = showText(describeReport(await loadReportDocument(db, scopeOf(row))));
  const content = row.format === "HTML" ? renderHtml(shown) : await renderPdf(boundReport(shown, wholeReport));
  await files.write(reportFile(row), toAsync([content]));
  await db
    .update(report)
    .set({ state: "SUCCEEDED", error: null, sizeBytes: (await files.size(reportFile(row))) ?? 0, finishedAt: sql`now()` })
    .where(and(eq(report.id, reportId), unfinished));
}

/** After the last try: whoever waits is told, and the log has the cause. */
export async function failReport(db: Database, reportId: string): Promise<void> {
  await db
    .update(report)
    .set({ state: "FAILED", error: "The report could not be made; the server's log says why.", finishedAt: sql`now()` })
    .where(and(eq(report.id, reportId), unfinished));
}

/** A report that is not made by then, tries included, never will be. */
const reportHours = 2;

/** Whether a report was not made in time. */
export const isReportOverdue = sql`exists (select 1 from report where state in ('QUEUED', 'RUNNING') and created_at < now() - make_interval(hours => ${reportHours}))`;

/** Ends the reports that no job will end, such as those of a server that died at its last try. */
export async function failOverdueReports(db: Database): Promise<void> {
  await db
    .update(report)
    .set({ state: "FAILED", error: `The report was not made within ${reportHours} hours; ask for it again.`, finishedAt: sql`now()` })
    .where(and(unfinished, sql`${report.createdAt} < now() - make_interval(hours => ${reportHours})`));
}

async function* toAsync<T>(items: T[]): AsyncIterable<T> {
  yield* items;
}
