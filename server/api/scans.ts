import { NewScan, Scan, ScanState, ScanType } from "@periscan/contract/scan.ts";
import { and, desc, eq, inArray, lt } from "drizzle-orm";
import { z } from "zod";
import { notFound } from "../api-error.ts";
import type { Database, Transaction } from "../db/connect.ts";
import { scan } from "../db/schema.ts";
import { answerOnce, OnceHeaders } from "../idempotency/answer-once.ts";
import { filtersQuery, isId, makePage, pageOf, pageQuery, readPageToken } from "../page.ts";
import { cancelScan } from "../scans/cancel-scan.ts";
import { createScanIn } from "../scans/create-scan.ts";
import { presentScans } from "../scans/present-scan.ts";
import type { Services } from "../services.ts";
import { requireKey } from "./authenticate.ts";
import { operation } from "./operation.ts";
import type { TypedApp } from "./typed-app.ts";

const One = z.object({ data: Scan });
const ById = z.object({ id: z.string() });
const ListQuery = z.strictObject({
  ...pageQuery,
  filters: filtersQuery({ type: ScanType, state: ScanState, scheduled_by: z.string() }),
});

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
      const ids = rows.slice(0, page_size).map(({ id }) => id);
      const presented = new Map((await presentScans(db, ids)).map((row) => [row.id, row]));
      return makePage(rows, page_size, ({ id }) => presented.get(id) as Scan);
    },
  );

  app.get(
    "/v1/scans/:id",
    { onRequest, schema: operation({ tag: "scans", summary: "Get a scan", params: ById, answer: One, errors: [404] }) },
    async (request) => ({
      data: await find(db, request.params.id, request.workspaceId),
    }),
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
  const [row] = isId(id)
    ? await db
        .select({ id: scan.id })
        .from(scan)
        .where(and(eq(scan.id, id), eq(scan.workspaceId, workspaceId)))
    : [];
  const [presented] = row ? await presentScans(db, [row.id]) : [];
  if (!presented) throw notFound("scan");
  return presented;
}
