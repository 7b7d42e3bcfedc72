import { Observation } from "@periscan/contract/outcome.ts";
import { isScanType } from "@periscan/contract/scan.ts";
import { TargetLogin, TargetObservation } from "@periscan/contract/target.ts";
import { and, eq, gt, inArray } from "drizzle-orm";
import { z } from "zod";
import { notFound } from "../api-error.ts";
import { observation, target, targetLogin } from "../db/schema.ts";
import { filtersQuery, isId, makePage, pageOf, pageQuery, readPageToken } from "../page.ts";
import type { Services } from "../services.ts";
import { saveLogin } from "../targets/target-login.ts";
import { requireKey } from "./authenticate.ts";
import { operation } from "./operation.ts";
import type { TypedApp } from "./typed-app.ts";

const ById = z.object({ id: z.string() });
const ObservationKind = z.enum(Observation.options.map((option) => option.shape.kind.value));
const ListQuery = z.strictObject({ ...pageQuery, filters: filtersQuery({ kind: ObservationKind, scan_type: z.string() }) });
/** The value is never given out again. */
const KnownLogin = TargetLogin.omit({ value: true }).meta({ id: "KnownTargetLogin" });

/** What hangs on a target: what engines saw of it, and its login. */
export function addTargetDetailRoutes(app: TypedApp, services: Services): void {
  const onRequest = requireKey(services);
  const { db } = services;
  const requireTarget = async (id: string, workspaceId: string): Promise<string> => {
    const [row] = isId(id)
      ? await db
          .select({ id: target.id })
          .from(target)
          .where(and(eq(target.id, id), eq(target.workspaceId, workspaceId)))
      : [];
    if (!row) throw notFound("target");
    return row.id;
  };

  app.get(
    "/v1/targets/:id/observations",
    {
      onRequest,
      schema: operation({
        tag: "targets",
        summary: "List what engines saw of a target: services, certificates, technologies, URLs",
        params: ById,
        querystring: ListQuery,
        answer: pageOf(TargetObservation),
        errors: [400, 404],
      }),
    },
    async (request) => {
      const targetId = await requireTarget(request.params.id, request.workspaceId);
      const { filters, page_size, page_token } = request.query;
      const after = readPageToken(page_token);
      const rows = await db
        .select()
        .from(observation)
        .where(
          and(
            eq(observation.targetId, targetId),
            after === undefined ? undefined : gt(observation.id, after),
            filters.kind && inArray(observation.kind, filters.kind),
            filters.scan_type && inArray(observation.scanType, filters.scan_type.filter(isScanType)),
          ),
        )
        .orderBy(observation.id)
        .limit(page_size + 1);
      return makePage(rows, page_size, present);
    },
  );

  app.get(
    "/v1/targets/:id/auth",
    {
      onRequest,
      schema: operation({
        tag: "targets",
        summary: "Get what is known of a target's login",
        params: ById,
        answer: z.object({ data: KnownLogin }),
        errors: [404],
      }),
    },
    async (request) => {
      const targetId = await requireTarget(request.params.id, request.workspaceId);
      const [login] = await db.select({ kind: targetLogin.kind, name: targetLogin.name }).from(targetLogin).where(eq(targetLogin.targetId, targetId));
      if (!login) throw notFound("login");
      return { data: login };
    },
  );

  app.put(
    "/v1/targets/:id/auth",
    {
      onRequest,
      schema: operation({
        tag: "targets",
        summary: "Set the header or cookie that scans with use_authentication send to a target",
        params: ById,
        body: TargetLogin,
        answer: z.object({ data: KnownLogin }),
        errors: [400, 404, 413, 415],
      }),
    },
    async (request) => {
      const targetId = await requireTarget(request.params.id, request.workspaceId);
      await saveLogin(db, services.secrets, { targetId, login: request.body });
      return { data: { kind: request.body.kind, name: request.body.name } };
    },
  );

  app.delete(
    "/v1/targets/:id/auth",
    {
      onRequest,
      schema: operation({ tag: "targets", summary: "Forget a target's login", params: ById, answer: z.undefined().describe("Empty."), errors: [404] }),
    },
    async (request, reply) => {
      const targetId = await requireTarget(request.params.id, request.workspaceId);
      const rows = await db.delete(targetLogin).where(eq(targetLogin.targetId, targetId)).returning({ id: targetLogin.targetId });
      if (rows.length === 0) throw notFound("login");
      return reply.code(200).send();
    },
  );
}

const present = (row: typeof observation.$inferSelect): TargetObservation => ({
  id: row.id,
  scan_type: row.scanType,
  seen: row.seen,
  first_seen_at: row.firstSeenAt.toISOString(),
  last_seen_at: row.lastSeenAt.toISOString(),
  ...(row.goneAt ? { gone_at: row.goneAt.toISOString() } : {}),
});
