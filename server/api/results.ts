import { ResultContentType } from "@periscan/contract/scan.ts";
import { and, eq, ne } from "drizzle-orm";
import type { FastifyRequest } from "fastify";
import { z } from "zod";
import { isOneOf } from "../db/is-one-of.ts";
import { lookTogether } from "../db/look-together.ts";
import { result } from "../db/schema.ts";
import { makeAgain, resultFile } from "../documents/make-results.ts";
import { ApiError, notFound } from "../errors/api-error.ts";
import { requireKey } from "../http/authenticate.ts";
import { fileOperation } from "../http/operation.ts";
import { sendFile, waitFor } from "../http/send-file.ts";
import type { TypedApp } from "../http/typed-app.ts";
import { isId } from "../page.ts";
import type { Services } from "../services.ts";

/** A request waits so long for a file that is being made. */
const waitSeconds = 60;

export function addResultRoutes(app: TypedApp, services: Services): void {
  const onRequest = requireKey(services);
  const { db } = services;
  const isSettled = lookTogether(async (ids) => {
    const rows = await db
      .select({ id: result.id })
      .from(result)
      .where(and(isOneOf(result.id, ids), ne(result.state, "pending")));
    return rows.map(({ id }) => id);
  });
  for (const url of ["/v1/results/:id", "/v1/scans/results/:id"]) {
    const schema = fileOperation({
      tag: "results",
      summary: "Download a file of a scan",
      description: "The file, with its content type and a file name.",
      contentTypes: ResultContentType.options,
      isKept: true,
      params: z.object({ id: z.string() }),
      errors: [404, 416, 500, 503],
    });
    app.get(url, { onRequest, schema, config: { turn: "none" } }, async (request, reply) => {
      const row = await waitForFile(services, { id: request.params.id, request, isSettled });
      return sendFile(services, reply, { ...row, path: resultFile(row) });
    });
  }
}

type ResultRow = typeof result.$inferSelect;

interface Wanted {
  id: string;
  request: FastifyRequest;
  isSettled(id: string): Promise<boolean>;
}

/** Results are listed as soon as the scan ends, and made by jobs right after: who asks too early waits a moment instead of failing. */
async function waitForFile(services: Services, { id, request, isSettled }: Wanted): Promise<ResultRow> {
  const { db } = services;
  if (!isId(id)) throw notFound("result");
  let wasAsked = false;
  const look = async () => {
    const [row] = await db
      .select()
      .from(result)
      .where(and(eq(result.id, id), eq(result.workspaceId, request.workspaceId)));
    if (!row) throw notFound("result");
    if (!wasAsked && (row.state === "failed" || isOverdue(row))) {
      wasAsked = true;
      if (await makeAgain(services, row)) return undefined;
    }
    if (row.state === "failed") throw new ApiError(500, "result.failed", row.error ?? "The file could not be made.");
    return row.state === "ready" ? row : undefined;
  };
  const ready = await waitFor({ request, seconds: waitSeconds, look, isWorthALook: () => isSettled(id) });
  if (!ready) throw new ApiError(503, "result.pending", "The file is still being made; try again in a moment.");
  return ready;
}

/** Past its job's last try: the server that made it may have died there. */
const overdueMinutes = 30;
const isOverdue = ({ state, createdAt }: ResultRow): boolean => state === "pending" && Date.now() - createdAt.getTime() > overdueMinutes * 60_000;
