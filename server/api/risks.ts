import { Risk, RiskStatus, ThreatLevel } from "@periscan/contract/risk.ts";
import { and, arrayOverlaps, eq, inArray, lt, type SQL } from "drizzle-orm";
import { z } from "zod";
import { notFound } from "../api-error.ts";
import type { Database } from "../db/connect.ts";
import { risk, scanRisk, target } from "../db/schema.ts";
import { filtersQuery, isId, makePage, pageOf, pageQuery, readPageToken } from "../page.ts";
import { presentRisk, selectRisks } from "../risks/present-risk.ts";
import type { Services } from "../services.ts";
import { requireKey } from "./authenticate.ts";
import { operation } from "./operation.ts";
import type { TypedApp } from "./typed-app.ts";

const Filters = filtersQuery({
  target_id: z.string(),
  status: RiskStatus,
  tags: z.string(),
  "risk_definition.scan_type": z.string(),
  "risk_definition.threat_level": ThreatLevel,
  "risk_definition.title": z.string(),
  is_accepted: z.enum(["true", "false"]),
  scan_id: z.string(),
});
const ListQuery = z.strictObject({ ...pageQuery, filters: Filters });

export function addRiskRoutes(app: TypedApp, services: Services): void {
  const onRequest = requireKey(services);
  const { db } = services;

  app.get(
    "/v1/risks",
    { onRequest, schema: operation({ tag: "risks", summary: "List risks, newest first", querystring: ListQuery, answer: pageOf(Risk), errors: [400] }) },
    async (request) => {
      const { filters, page_size, page_token } = request.query;
      const before = readPageToken(page_token);
      const matches = and(eq(risk.workspaceId, request.workspaceId), before === undefined ? undefined : lt(risk.id, before), ...toConditions(db, filters));
      const rows = await selectRisks(db, matches).limit(page_size + 1);
      return makePage(rows, page_size, presentRisk);
    },
  );

  app.get(
    "/v1/risks/:id",
    {
      onRequest,
      schema: operation({ tag: "risks", summary: "Get a risk", params: z.object({ id: z.string() }), answer: z.object({ data: Risk }), errors: [404] }),
    },
    async (request) => {
      const { id } = request.params;
      const [row] = isId(id) ? await selectRisks(db, and(eq(risk.id, id), eq(risk.workspaceId, request.workspaceId))) : [];
      if (!row) throw notFound("risk");
      return { data: presentRisk(row) };
    },
  );
}

function toConditions(db: Database, filters: z.infer<typeof Filters>): (SQL | undefined)[] {
  const acceptance = filters.is_accepted?.map((value) => value === "true");
  return [
    filters.target_id && inArray(risk.targetId, filters.target_id.filter(isId)),
    filters.status && inArray(risk.status, filters.status),
    filters.tags && arrayOverlaps(target.tags, filters.tags),
    filters["risk_definition.scan_type"] && inArray(risk.scanType, filters["risk_definition.scan_type"]),
    filters["risk_definition.threat_level"] && inArray(risk.threatLevel, filters["risk_definition.threat_level"]),
    filters["risk_definition.title"] && inArray(risk.title, filters["risk_definition.title"]),
    acceptance && inArray(risk.isAccepted, acceptance),
    filters.scan_id &&
      inArray(
        risk.id,
        db
          .select({ id: scanRisk.riskId })
          .from(scanRisk)
          .where(inArray(scanRisk.scanId, filters.scan_id.filter(isId))),
      ),
  ];
}
