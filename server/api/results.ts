import { setTimeout as sleep } from "node:timers/promises";
import { and, eq } from "drizzle-orm";
import type { FastifyReply } from "fastify";
import { z } from "zod";
import { ApiError, notFound } from "../api-error.ts";
import { result } from "../db/schema.ts";
import { isId } from "../page.ts";
import { resultFile } from "../scans/make-results.ts";
import type { Services } from "../services.ts";
import { requireKey } from "./authenticate.ts";
import { operation } from "./operation.ts";
import type { TypedApp } from "./typed-app.ts";

/** A request waits so long for a file that is being made. */
const waitSeconds = 60;

export function addResultRoutes(app: TypedApp, services: Services): void {
  const onRequest = requireKey(services);
  const answer = z.unknown().describe("The file, with its content type and a file name.");
  for (const url of ["/v1/results/:id", "/v1/scans/results/:id"]) {
    const schema = operation({ tag: "results", summary: "Download a file of a scan", params: z.object({ id: z.string() }), answer, errors: [404, 503] });
    app.get(url, { onRequest, schema }, async (request, reply) => {
      const row = await waitForFile(services, { id: request.params.id, workspaceId: request.workspaceId, request });
      return sendFile(services, reply, row);
    });
  }
}

type ResultRow = typeof result.$inferSelect;

interface Wanted {
  id: string;
  workspaceId: string;
  request: { raw: { destroyed: boolean } };
}

/** Results are listed as soon as the scan ends, and made by jobs right after: who asks too early waits a moment instead of failing. */
async function waitForFile({ db }: Services, { id, workspaceId, request }: Wanted): Promise<ResultRow> {
  if (!isId(id)) throw notFound("result");
  const until = performance.now() + waitSeconds * 1000;
  for (;;) {
    const [row] = await db
      .select()
      .from(result)
      .where(and(eq(result.id, id), eq(result.workspaceId, workspaceId)));
    if (!row) throw notFound("result");
    if (row.state === "ready") return row;
    if (row.state === "failed") throw new ApiError(500, "result.failed", row.error ?? "The file could not be made.");
    if (performance.now() > until || request.raw.destroyed) throw new ApiError(503, "result.pending", "The file is still being made; try again in a moment.");
    await sleep(100);
  }
}

async function sendFile({ files }: Services, reply: FastifyReply, row: ResultRow): Promise<FastifyReply> {
  const name = resultFile(row);
  const size = await files.size(name);
  if (size === undefined) throw new ApiError(500, "result.lost", "The file is missing from the server's data folder.");
  return reply
    .header("content-type", row.contentType === "application/pdf" ? row.contentType : `${row.contentType}; charset=utf-8`)
    .header("content-length", size)
    .header("content-disposition", `attachment; filename="${row.fileName}"`)
    .header("x-content-type-options", "nosniff")
    .header("content-security-policy", "default-src 'none'; style-src 'unsafe-inline'; font-src data:; img-src data:; sandbox")
    .serializer((payload: unknown) => payload as string)
    .send(files.read(name));
}
