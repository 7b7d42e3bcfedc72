import { NewTarget, Target, TargetUpdate } from "@periscan/contract/target.ts";
import { and, eq } from "drizzle-orm";
import { z } from "zod";
import { target } from "../db/schema.ts";
import { notFound } from "../errors/api-error.ts";
import { requireKey } from "../http/authenticate.ts";
import { operation } from "../http/operation.ts";
import type { TypedApp } from "../http/typed-app.ts";
import { filtersQuery, isId, makePage, pageOf, pageQuery, readPageToken } from "../page.ts";
import type { Services } from "../services.ts";
import { listTargets } from "../targets/list-targets.ts";
import { readTarget, requireChange } from "../targets/read-targets.ts";
import { addTarget, type TargetRow } from "../targets/target-rows.ts";

const One = z.object({ data: Target });
const ById = z.object({ id: z.string() });
const ListQuery = z.strictObject({ ...pageQuery, filters: filtersQuery({ tags: z.string().trim(), target: z.string(), label: z.string() }) });
/** Python's clients write `True`, others 1. */
function readFlag(value: unknown): unknown {
  if (value === "1" || value === "0") return value === "1" ? "true" : "false";
  return typeof value === "string" ? value.toLowerCase() : value;
}

const CreateQuery = z.strictObject({
  upsert: z
    .preprocess(readFlag, z.enum(["", "true", "false"]))
    .optional()
    .describe("Give a known target this label and these tags, instead of refusing it."),
});

export function addTargetRoutes(app: TypedApp, services: Services): void {
  const onRequest = requireKey(services);
  const { db } = services;
  const mine = (id: string, workspaceId: string) => {
    if (!isId(id)) throw notFound("target");
    return and(eq(target.id, id), eq(target.workspaceId, workspaceId));
  };

  app.get(
    "/v1/targets",
    { onRequest, schema: operation({ tag: "targets", summary: "List targets", querystring: ListQuery, answer: pageOf(Target), errors: [400] }) },
    async (request) => {
      const { filters, page_size, page_token } = request.query;
      const after = readPageToken(page_token);
      const rows = await listTargets(db, { workspaceId: request.workspaceId, filters, after, limit: page_size + 1 });
      return makePage(rows, page_size, present);
    },
  );

  app.get(
    "/v1/targets/:id",
    { onRequest, schema: operation({ tag: "targets", summary: "Get a target", params: ById, answer: One, errors: [404] }) },
    async (request) => {
      const [row] = await db.select().from(target).where(mine(request.params.id, request.workspaceId));
      if (!row) throw notFound("target");
      return { data: present(row) };
    },
  );

  app.post(
    "/v1/targets",
    {
      onRequest,
      schema: operation({ tag: "targets", summary: "Add a target", querystring: CreateQuery, body: NewTarget, answer: One, errors: [400, 409, 413, 415] }),
    },
    async (request) => {
      const upsert = request.query.upsert !== undefined && request.query.upsert !== "false";
      const row = await addTarget(db, { workspaceId: request.workspaceId, text: readTarget(request.body.target), upsert, ...describe(request.body) });
      return { data: present(row) };
    },
  );

  app.put(
    "/v1/targets/:id",
    {
      onRequest,
      schema: operation({
        tag: "targets",
        summary: "Change a target's label or tags",
        params: ById,
        body: TargetUpdate,
        answer: One,
        errors: [400, 404, 413, 415],
      }),
    },
    async (request) => {
      requireChange(request.body);
      const [row] = await db.update(target).set(describe(request.body)).where(mine(request.params.id, request.workspaceId)).returning();
      if (!row) throw notFound("target");
      return { data: present(row) };
    },
  );

  app.delete(
    "/v1/targets/:id",
    {
      onRequest,
      schema: operation({ tag: "targets", summary: "Delete a target and its risks", params: ById, answer: z.undefined().describe("Empty."), errors: [404] }),
    },
    async (request, reply) => {
      const rows = await db.delete(target).where(mine(request.params.id, request.workspaceId)).returning({ id: target.id });
      if (rows.length === 0) throw notFound("target");
      return reply.code(200).send();
    },
  );
}

const describe = ({ label, tags }: TargetUpdate) => ({
  ...(label === undefined ? {} : { label }),
  ...(tags === undefined ? {} : { tags: [...new Set(tags)] }),
});

const present = ({ id, target, label, tags }: TargetRow): Target => ({ id, target, label, tags });
