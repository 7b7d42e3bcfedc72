import { NewReport, Report, ReportFormat, ReportState } from "@periscan/contract/report.ts";
import { and, desc, eq, inArray, lt } from "drizzle-orm";
import type { FastifyRequest } from "fastify";
import { z } from "zod";
import { isOneOf } from "../db/is-one-of.ts";
import { lookTogether } from "../db/look-together.ts";
import { report } from "../db/schema.ts";
import { reportFile } from "../documents/make-report.ts";
import { ApiError, notFound } from "../errors/api-error.ts";
import { answerOnce, OnceHeaders } from "../http/answer-once.ts";
import { requireKey } from "../http/authenticate.ts";
import { fileOperation, operation } from "../http/operation.ts";
import { sendFile, waitFor } from "../http/send-file.ts";
import type { TypedApp } from "../http/typed-app.ts";
import { fillPageById, filtersQuery, isId, pageOf, pageQuery, readPageToken } from "../page.ts";
import { createReportIn } from "../reports/create-report.ts";
import type { Services } from "../services.ts";

/** A request waits so long for a report that is being made. */
const waitSeconds = 20;

const ById = z.object({ id: z.string() });
const ListQuery = z.strictObject({ ...pageQuery, filters: filtersQuery({ state: ReportState, report_format: ReportFormat }) });
type ReportRow = typeof report.$inferSelect;

export function addReportRoutes(app: TypedApp, services: Services): void {
  const onRequest = requireKey(services);
  const { db } = services;
  const isEnded = lookTogether(async (ids) => {
    const rows = await db
      .select({ id: report.id })
      .from(report)
      .where(and(isOneOf(report.id, ids), inArray(report.state, ["SUCCEEDED", "FAILED"])));
    return rows.map(({ id }) => id);
  });

  for (const url of ["/v1/reports", "/v1/report"]) {
    const schema = operation({
      tag: "reports",
      summary: "Ask for a report over targets and risks; a job makes it",
      headers: OnceHeaders,
      body: NewReport,
      answer: z.object({ data: z.object({ id: z.string() }) }),
      errors: [400, 403, 404, 409, 413, 415],
    });
    app.post(url, { onRequest, schema }, async (request, reply) => {
      const { workspaceId, body: input } = request;
      return answerOnce(db, { request, reply, of: input }, async (tx) => ({ data: { id: await createReportIn(tx, services, workspaceId, input) } }));
    });
  }

  app.get(
    "/v1/reports",
    { onRequest, schema: operation({ tag: "reports", summary: "List reports, newest first", querystring: ListQuery, answer: pageOf(Report), errors: [400] }) },
    async (request) => {
      const { filters, page_size, page_token } = request.query;
      const before = readPageToken(page_token);
      const rows = await db
        .select({ id: report.id })
        .from(report)
        .where(
          and(
            eq(report.workspaceId, request.workspaceId),
            before === undefined ? undefined : lt(report.id, before),
            filters.state && inArray(report.state, filters.state),
            filters.report_format && inArray(report.format, filters.report_format),
          ),
        )
        .orderBy(desc(report.id))
        .limit(page_size + 1);
      return fillPageById(rows, page_size, async (some) =>
        (
          await db
            .select()
            .from(report)
            .where(
              isOneOf(
                report.id,
                some.map(({ id }) => id),
              ),
            )
        ).map(present),
      );
    },
  );

  for (const url of ["/v1/reports/:id", "/v1/report/:id"]) {
    const schema = fileOperation({
      tag: "reports",
      summary: "Download a report; waits a moment for one that is being made",
      description: "The file, with its content type and a file name.",
      contentTypes: ["application/pdf", "text/html"],
      isKept: true,
      params: ById,
      errors: [404, 416, 500, 503],
    });
    app.get(url, { onRequest, schema, config: { turn: "none" } }, async (request, reply) =>
      sendFile(services, reply, describeFile(await waitForReport(request, request.params.id))),
    );
  }

  app.get(
    "/v1/reports/:id/state",
    { onRequest, schema: operation({ tag: "reports", summary: "Get how far a report is", params: ById, answer: z.object({ data: Report }), errors: [404] }) },
    async (request) => ({ data: present(await find(request.workspaceId, request.params.id)) }),
  );

  async function find(workspaceId: string, id: string): Promise<ReportRow> {
    const [row] = isId(id)
      ? await db
          .select()
          .from(report)
          .where(and(eq(report.id, id), eq(report.workspaceId, workspaceId)))
      : [];
    if (!row) throw notFound("report");
    return row;
  }

  async function waitForReport(request: FastifyRequest, id: string): Promise<ReportRow> {
    const look = async () => {
      const row = await find(request.workspaceId, id);
      if (row.state === "FAILED") throw new ApiError(500, "report.failed", row.error ?? "The report could not be made.");
      return row.state === "SUCCEEDED" ? row : undefined;
    };
    const made = await waitFor({ request, seconds: waitSeconds, look, isWorthALook: () => isEnded(id) });
    if (!made) throw new ApiError(503, "report.pending", "The report is still being made; try again in a moment.");
    return made;
  }
}

function describeFile(row: ReportRow) {
  const extension = row.format.toLowerCase();
  return {
    path: reportFile(row),
    contentType: row.format === "PDF" ? "application/pdf" : "text/html",
    fileName: `periscan-report-${row.createdAt.toISOString().slice(0, 10)}-${row.id.slice(-6)}.${extension}`,
  };
}

const present = (row: ReportRow): Report => ({
  id: row.id,
  report_format: row.format,
  state: row.state,
  targets_filter: row.targetsFilter,
  risks_filter: row.risksFilter,
  ...(row.error === null ? {} : { error: row.error }),
  created_at: row.createdAt.toISOString(),
  ...(row.finishedAt ? { finished_at: row.finishedAt.toISOString() } : {}),
});
