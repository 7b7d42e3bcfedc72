import { Readable } from "node:stream";
import { Risk } from "@periscan/contract/risk.ts";
import { RiskEvent } from "@periscan/contract/risk-event.ts";
import { riskFilterKeys } from "@periscan/contract/risk-filters.ts";
import { z } from "zod";
import { requireKey } from "../http/authenticate.ts";
import { fileOperation, operation } from "../http/operation.ts";
import type { TypedApp } from "../http/typed-app.ts";
import { filtersQuery, pageOf, pageQuery, readPageToken } from "../page.ts";
import { getRisk, loadEvidence } from "../present/present-risk.ts";
import { expireAcceptances } from "../risks/accept-risks.ts";
import { exportFormats, exportRisks } from "../risks/export-risks.ts";
import { showRisks } from "../risks/list/list-risks.ts";
import { loadHistory } from "../risks/load-history.ts";
import type { Services } from "../services.ts";

const ById = z.object({ id: z.string() });
const Filters = filtersQuery(riskFilterKeys);
const ListQuery = z.strictObject({ ...pageQuery, filters: Filters });
const ExportQuery = z.strictObject({ format: z.enum(["csv", "json", "sarif"]), filters: Filters });

export function addRiskRoutes(app: TypedApp, services: Services): void {
  const onRequest = requireKey(services);
  const { db } = services;

  app.get(
    "/v1/risks",
    { onRequest, schema: operation({ tag: "risks", summary: "List risks, newest first", querystring: ListQuery, answer: pageOf(Risk), errors: [400] }) },
    async (request) => {
      const { filters, page_size, page_token } = request.query;
      const before = readPageToken(page_token);
      await expireAcceptances(db, request.workspaceId);
      return showRisks(db, { workspaceId: request.workspaceId, filters, before }, page_size);
    },
  );

  app.get(
    "/v1/risks/export",
    {
      onRequest,
      config: { turn: "long" },
      schema: fileOperation({
        tag: "risks",
        summary: "Download all risks that match, as CSV, JSON or SARIF 2.1.0",
        description: "The file, with its content type and a file name. SARIF has the open risks alone unless filters.status says otherwise.",
        contentTypes: ["text/csv", "application/json", "application/sarif+json"],
        isKept: false,
        querystring: ExportQuery,
        errors: [400],
      }),
    },
    async (request, reply) => {
      const { format, filters } = request.query;
      await expireAcceptances(db, request.workspaceId);
      const { contentType, extension } = exportFormats[format];
      const day = new Date().toISOString().slice(0, 10);
      return (
        reply
          .header("content-type", contentType)
          .header("content-disposition", `attachment; filename="risks-${day}.${extension}"`)
          .header("x-content-type-options", "nosniff")
          .serializer((payload: unknown) => payload as string)
          // HEAD would read all of it to throw it away, and its length is not known before.
          .send(request.method === "HEAD" ? Readable.from([]) : exportRisks(db, { workspaceId: request.workspaceId, format, filters }))
      );
    },
  );

  app.get(
    "/v1/risks/:id",
    { onRequest, schema: operation({ tag: "risks", summary: "Get a risk", params: ById, answer: z.object({ data: Risk }), errors: [404] }) },
    async (request) => {
      await expireAcceptances(db, request.workspaceId);
      const risk = await getRisk(db, request.workspaceId, request.params.id);
      return { data: { ...risk, evidence: await loadEvidence(db, risk.id) } };
    },
  );

  app.get(
    "/v1/risks/:id/history",
    {
      onRequest,
      schema: operation({
        tag: "risks",
        summary: "List what happened to a risk, newest first: what scans saw, what people decided",
        params: ById,
        querystring: z.strictObject(pageQuery),
        answer: pageOf(RiskEvent),
        errors: [400, 404],
      }),
    },
    async (request) => {
      await expireAcceptances(db, request.workspaceId);
      const { id } = await getRisk(db, request.workspaceId, request.params.id);
      return loadHistory(db, { riskId: id, pageSize: request.query.page_size, pageToken: request.query.page_token });
    },
  );
}
