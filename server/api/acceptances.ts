import { AcceptanceCount, AcceptanceEnd, AcceptancesEnd, NewAcceptance, NewAcceptances } from "@periscan/contract/acceptance.ts";
import { Risk } from "@periscan/contract/risk.ts";
import type { RiskFilters } from "@periscan/contract/risk-filters.ts";
import { z } from "zod";
import { requireKey } from "../http/authenticate.ts";
import { operation } from "../http/operation.ts";
import type { TypedApp } from "../http/typed-app.ts";
import { getRisk } from "../present/present-risk.ts";
import { acceptRisks, endAcceptances } from "../risks/accept-risks.ts";
import type { Services } from "../services.ts";

const ById = z.object({ id: z.string() });
const One = z.object({ data: Risk });
const Many = z.object({ data: AcceptanceCount });

/** People's decisions about risks. They change no detection, and no scan changes them. */
export function addAcceptanceRoutes(app: TypedApp, services: Services): void {
  const onRequest = requireKey(services);
  const { db } = services;
  const choose = ({ risk_ids, filters }: { risk_ids?: string[] | undefined; filters?: RiskFilters | undefined }) =>
    risk_ids === undefined ? { filters: filters ?? {} } : { ids: risk_ids };

  app.put(
    "/v1/risks/:id/acceptance",
    {
      onRequest,
      schema: operation({
        tag: "risks",
        summary: "Accept a risk, or call it a false positive, in place of what was decided before",
        params: ById,
        body: NewAcceptance,
        answer: One,
        errors: [400, 404, 413, 415],
      }),
    },
    async ({ workspaceId, keyName, params, body }) => {
      const { id } = await getRisk(db, workspaceId, params.id);
      await acceptRisks(db, { workspaceId, keyName, risks: { ids: [id] } }, body);
      return { data: await getRisk(db, workspaceId, id) };
    },
  );

  app.delete(
    "/v1/risks/:id/acceptance",
    {
      onRequest,
      schema: operation({
        tag: "risks",
        summary: "Take a risk's acceptance back; nothing changes where none stands",
        params: ById,
        querystring: AcceptanceEnd,
        answer: One,
        errors: [400, 404],
      }),
    },
    async ({ workspaceId, keyName, params, query }) => {
      const { id } = await getRisk(db, workspaceId, params.id);
      await endAcceptances(db, { workspaceId, keyName, risks: { ids: [id] } }, query);
      return { data: await getRisk(db, workspaceId, id) };
    },
  );

  app.post(
    "/v1/risks/acceptances",
    {
      onRequest,
      schema: operation({
        tag: "risks",
        summary: "Accept many risks, all of them or none: by their ids, or by filters, at most 10,000",
        body: NewAcceptances,
        answer: Many,
        errors: [400, 404, 413, 415],
      }),
    },
    async ({ workspaceId, keyName, body }) => ({ data: await acceptRisks(db, { workspaceId, keyName, risks: choose(body) }, body) }),
  );

  app.post(
    "/v1/risks/acceptances/end",
    {
      onRequest,
      schema: operation({
        tag: "risks",
        summary: "Take the acceptances of many risks back, all of them or none: by their ids, or by filters, at most 10,000",
        body: AcceptancesEnd,
        answer: Many,
        errors: [400, 404, 413, 415],
      }),
    },
    async ({ workspaceId, keyName, body }) => ({ data: await endAcceptances(db, { workspaceId, keyName, risks: choose(body) }, body) }),
  );
}
