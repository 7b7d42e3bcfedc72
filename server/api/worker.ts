import type { Readable } from "node:stream";
import { AttemptEnd, ClaimAnswer, ClaimRequest, Heartbeat, ImportReport, OutcomeReport, Recall, RecallAnswer } from "@periscan/contract/worker-protocol.ts";
import { sql } from "drizzle-orm";
import { z } from "zod";
import { nativePart } from "../documents/make-results.ts";
import { ApiError, attemptOver } from "../errors/api-error.ts";
import { requireWorkerToken } from "../http/authenticate.ts";
import type { TypedApp } from "../http/typed-app.ts";
import { importName } from "../outcomes/import-file.ts";
import { isId } from "../page.ts";
import type { Services } from "../services.ts";
import { claimTask } from "../tasks/claim-task.ts";
import { endAttempt } from "../tasks/end-attempt.ts";
import { lockAttempt } from "../tasks/lock-attempt.ts";
import { recallImport } from "../tasks/recall-import.ts";
import { recordImported } from "../tasks/record-imported.ts";
import { heartbeat, recordOutcome } from "../tasks/record-outcome.ts";

/** A host with every port open has 65,535 detections. */
const outcomeLimitBytes = 256 * 1024 * 1024;

const ById = z.object({ id: z.string() });
const AttemptQuery = z.object({ attempt: z.coerce.number().int().min(1) });
const Done = z.object({ data: z.object({}) });
const done = { data: {} };

/** The worker protocol. It is between our own programs, so `openapi.json` leaves it out; contract/worker-protocol.ts describes it. */
export function addWorkerRoutes(app: TypedApp, services: Services): void {
  app.addHook("onRequest", requireWorkerToken(services));
  // Once the body is here: a sender of single bytes must not get past it before the task is another's.
  app.addHook("preHandler", async ({ params, worker }) => {
    const { id } = params as { id?: string };
    if (id !== undefined && !(await isTaskOf(services, id, worker.name))) throw attemptOver();
  });
  app.addContentTypeParser("application/octet-stream", (_request: unknown, payload: Readable, parsed: (error: null, body: Readable) => void) =>
    parsed(null, payload),
  );

  app.post("/worker/v1/claim", { schema: { hide: true, body: ClaimRequest, response: { 200: ClaimAnswer } } }, async (request, reply) => {
    const gone = new AbortController();
    reply.raw.once("close", () => gone.abort());
    const { name } = request.body.worker;
    if (name !== undefined && name !== request.worker.name)
      throw new ApiError(403, "token.other_worker", `This token is for the worker ${request.worker.name}: no other may claim with it.`, {
        field: "worker.name",
      });
    return { data: await claimTask(services, { ...request.body, worker: { ...request.worker, version: request.body.worker.version } }, gone.signal) };
  });

  app.post("/worker/v1/tasks/:id/heartbeat", { schema: { hide: true, params: ById, body: Heartbeat, response: { 200: Done } } }, async (request) => {
    await heartbeat(services.db, request.params.id, request.body);
    return done;
  });

  app.post(
    "/worker/v1/tasks/:id/outcomes",
    { bodyLimit: outcomeLimitBytes, schema: { hide: true, params: ById, body: OutcomeReport, response: { 200: Done } } },
    async (request) => {
      await recordOutcome(services.db, request.params.id, request.body);
      return done;
    },
  );

  app.post(
    "/worker/v1/tasks/:id/imported",
    { bodyLimit: outcomeLimitBytes, schema: { hide: true, params: ById, body: ImportReport, response: { 200: Done } } },
    async (request) => {
      await recordImported(services.db, request.params.id, request.body);
      return done;
    },
  );

  app.post("/worker/v1/tasks/:id/recall", { schema: { hide: true, params: ById, body: Recall, response: { 200: RecallAnswer } } }, async (request) => ({
    data: { recalled: await recallImport(services.db, request.params.id, request.body.attempt) },
  }));

  app.get("/worker/v1/tasks/:id/file", { schema: { hide: true, params: ById, querystring: AttemptQuery } }, async (request, reply) => {
    const { scanId } = await services.db.transaction((tx) => lockAttempt(tx, request.params.id, request.query.attempt));
    const size = await services.files.size(importName(scanId));
    if (size === undefined) throw new ApiError(404, "import.lost", "The file is missing from the server's data folder.");
    return reply
      .type("application/octet-stream")
      .header("content-length", size)
      .send(services.files.read(importName(scanId)));
  });

  const Part = z.object({ id: z.string(), target_id: z.string() });
  app.put(
    "/worker/v1/tasks/:id/native/:target_id",
    { bodyLimit: outcomeLimitBytes, schema: { hide: true, params: Part, querystring: AttemptQuery, response: { 200: Done } } },
    async (request) => {
      const { id, target_id } = request.params;
      const scanId = await findScanOfPart(services, { taskId: id, targetId: target_id, attempt: request.query.attempt });
      await services.files.write(nativePart(scanId, target_id, request.query.attempt), limitBytes(request.body as Readable));
      return done;
    },
  );

  app.post("/worker/v1/tasks/:id/end", { schema: { hide: true, params: ById, body: AttemptEnd, response: { 200: Done } } }, async (request) => {
    await endAttempt(services, request.params.id, request.body);
    return done;
  });
}

/** A task is its worker's alone: nobody else may speak of it, whatever token he has. */
async function isTaskOf({ db }: Services, taskId: string, workerName: string): Promise<boolean> {
  if (!isId(taskId)) return false;
  const { rows } = await db.execute(sql`select 1 from task where id = ${taskId} and worker_name = ${workerName}`);
  return rows.length > 0;
}

/** The file's name has the attempt in it, so a late upload of an older attempt can never stand for a newer one's. */
async function findScanOfPart({ db }: Services, part: { taskId: string; targetId: string; attempt: number }): Promise<string> {
  if (!isId(part.taskId) || !isId(part.targetId)) throw attemptOver();
  const { rows } = await db.execute<{ scan_id: string }>(sql`
    select task.scan_id from task join scan_target on scan_target.task_id = task.id and scan_target.target_id = ${part.targetId}
    where task.id = ${part.taskId} and task.attempt = ${part.attempt} and task.state = 'running'`);
  if (!rows[0]) throw attemptOver();
  return rows[0].scan_id;
}

async function* limitBytes(body: Readable): AsyncIterable<Uint8Array> {
  let bytes = 0;
  for await (const chunk of body as AsyncIterable<Uint8Array>) {
    bytes += chunk.byteLength;
    if (bytes > outcomeLimitBytes) throw new ApiError(413, "request.too_large", "The native output of one target is larger than 256 MiB.");
    yield chunk;
  }
}
