import { NewScan, Scan, ScanState, ScanTarget, ScanType } from "@periscan/contract/scan.ts";
import { and, desc, eq, inArray, lt } from "drizzle-orm";
import { z } from "zod";
import type { Database, Transaction } from "../db/connect.ts";
import { scan } from "../db/schema.ts";
import { notFound } from "../errors/api-error.ts";
import { answerOnce, OnceHeaders } from "../http/answer-once.ts";
import { requireKey } from "../http/authenticate.ts";
import { operation } from "../http/operation.ts";
import type { TypedApp } from "../http/typed-app.ts";
import { fillPage, fillPageById, filtersQuery, foreignToken, isId, pageOf, pageQuery, readPageToken } from "../page.ts";
import { loadTargetPage, type ShownTargetRow } from "../present/load-shown.ts";
import { presentScans, presentTarget, shownAlone, shownInLists } from "../present/present-scan.ts";
import { cancelScan } from "../scans/cancel-scan.ts";
import { createScanIn } from "../scans/create-scan.ts";
import type { Services } from "../services.ts";

const One = z.object({ data: Scan });
const ById = z.object({ id: z.string() });
const ListQuery = z.strictObject({
  ...pageQuery,
  filters: filtersQuery({ type: ScanType, state: ScanState, scheduled_by: z.string() }),
});
const TargetsQuery = z.strictObject({ ...pageQuery, filters: filtersQuery({ outcome: ScanTarget.shape.outcome }) });

export function addScanRoutes(app: TypedApp, services: Services): void {
  const onRequest = requireKey(services);
  const { db } = services;

  app.post(
    "/v1/scans",
    {
      onRequest,
      schema: operation({ tag: "scans", summary: "Start a scan", headers: OnceHeaders, body: NewScan, answer: One, errors: [400, 404, 409, 413, 415] }),
    },
    async (request, reply) => {
      const { workspaceId, body: input } = request;
      const answer = await answerOnce(db, { request, reply, of: input }, async (tx) => {
        const id = await createScanIn(tx, services, { workspaceId, input });
        return { data: await find(tx, id, workspaceId) };
      });
      services.bell.ring();
      return answer;
    },
  );

  app.get(
    "/v1/scans",
    { onRequest, schema: operation({ tag: "scans", summary: "List scans, newest first", querystring: ListQuery, answer: pageOf(Scan), errors: [400] }) },
    async (request) => {
      const { filters, page_size, page_token } = request.query;
      const before = readPageToken(page_token);
      const rows = await db
        .select({ id: scan.id })
        .from(scan)
        .where(
          and(
            eq(scan.workspaceId, request.workspaceId),
            before === undefined ? undefined : lt(scan.id, before),
            filters.type && inArray(scan.type, filters.type),
            filters.state && inArray(scan.state, filters.state),
            filters.scheduled_by && inArray(scan.scheduledBy, filters.scheduled_by.filter(isId)),
          ),
        )
        .orderBy(desc(scan.id))
        .limit(page_size + 1);
      return fillPageById(rows, page_size, (some) =>
        presentScans(
          db,
          some.map(({ id }) => id),
          shownInLists,
        ),
      );
    },
  );

  app.get(
    "/v1/scans/:id",
    { onRequest, schema: operation({ tag: "scans", summary: "Get a scan", params: ById, answer: One, errors: [404] }) },
    async (request) => ({
      data: await find(db, request.params.id, request.workspaceId),
    }),
  );

  app.get(
    "/v1/scans/:id/targets",
    {
      onRequest,
      schema: operation({
        tag: "scans",
        summary: "List a scan's targets with their outcomes, in the order of the request",
        params: ById,
        querystring: TargetsQuery,
        answer: pageOf(ScanTarget),
        errors: [400, 404],
      }),
    },
    async (request) => {
      const scanId = await requireScan(db, request.params.id, request.workspaceId);
      const { filters, page_size, page_token } = request.query;
      const after = readTargetToken(page_token);
      const rows = await loadTargetPage(db, { scanId, outcomes: filters.outcome, after, limit: page_size + 1 });
      const tokenOf = (row: ShownTargetRow) => `${row.ordinal}|${row.target_id}`;
      return fillPage({ rows, pageSize: page_size, tokenOf, load: async (some) => some.map(presentTarget) });
    },
  );

  app.post(
    "/v1/scans/:id/cancel",
    { onRequest, schema: operation({ tag: "scans", summary: "Cancel a scan; what it found so far is kept", params: ById, answer: One, errors: [404, 409] }) },
    async (request) => {
      await cancelScan(services, request.workspaceId, request.params.id);
      return { data: await find(db, request.params.id, request.workspaceId) };
    },
  );
}

async function find(db: Database | Transaction, id: string, workspaceId: string): Promise<Scan> {
  const [presented] = await presentScans(db, [await requireScan(db, id, workspaceId)], shownAlone);
  if (!presented) throw notFound("scan");
  return presented;
}

async function requireScan(db: Database | Transaction, id: string, workspaceId: string): Promise<string> {
  const [row] = isId(id)
    ? await db
        .select({ id: scan.id })
        .from(scan)
        .where(and(eq(scan.id, id), eq(scan.workspaceId, workspaceId)))
    : [];
  if (!row) throw notFound("scan");
  return row.id;
}

function readTargetToken(token: string | undefined): { ordinal: number; targetId: string } | undefined {
  if (token === undefined) return undefined;
  const [, ordinal, targetId = ""] = /^(\d{1,9})\|(.*)$/.exec(Buffer.from(token, "base64url").toString()) ?? [];
  if (ordinal === undefined || !isId(targetId)) throw foreignToken();
  return { ordinal: Number(ordinal), targetId };
}
