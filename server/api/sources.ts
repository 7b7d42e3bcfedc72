import { NewSource, Source } from "@periscan/contract/source.ts";
import { and, eq, gt } from "drizzle-orm";
import { v7 as uuidv7 } from "uuid";
import { z } from "zod";
import { source } from "../db/schema.ts";
import { notFound } from "../errors/api-error.ts";
import { requireKey } from "../http/authenticate.ts";
import { operation } from "../http/operation.ts";
import type { TypedApp } from "../http/typed-app.ts";
import { isId, makePage, pageOf, pageQuery, readPageToken } from "../page.ts";
import type { Services } from "../services.ts";

const One = z.object({ data: Source });
const ById = z.object({ id: z.string() });

type SourceRow = typeof source.$inferSelect;

const present = ({ id, sourceType, name, createdAt }: SourceRow): Source => ({ id, source_type: sourceType, name, created_at: createdAt.toISOString() });

export function addSourceRoutes(app: TypedApp, services: Services): void {
  const onRequest = requireKey(services);
  const { db } = services;
  const isOurs = (id: string, workspaceId: string) => and(eq(source.id, id), eq(source.workspaceId, workspaceId));

  app.post(
    "/v1/sources",
    { onRequest, schema: operation({ tag: "sources", summary: "Add a source of imported results", body: NewSource, answer: One, errors: [400, 413, 415] }) },
    async (request) => {
      const { source_type, name } = request.body;
      const [row] = await db.insert(source).values({ id: uuidv7(), workspaceId: request.workspaceId, sourceType: source_type, name }).returning();
      return { data: present(row as SourceRow) };
    },
  );

  app.get(
    "/v1/sources",
    {
      onRequest,
      schema: operation({ tag: "sources", summary: "List sources", querystring: z.strictObject(pageQuery), answer: pageOf(Source), errors: [400] }),
    },
    async (request) => {
      const { page_size, page_token } = request.query;
      const after = readPageToken(page_token);
      const rows = await db
        .select()
        .from(source)
        .where(and(eq(source.workspaceId, request.workspaceId), after === undefined ? undefined : gt(source.id, after)))
        .orderBy(source.id)
        .limit(page_size + 1);
      return makePage(rows, page_size, present);
    },
  );

  app.get(
    "/v1/sources/:id",
    { onRequest, schema: operation({ tag: "sources", summary: "Get a source", params: ById, answer: One, errors: [404] }) },
    async (request) => {
      const { id } = request.params;
      const [row] = isId(id) ? await db.select().from(source).where(isOurs(id, request.workspaceId)) : [];
      if (!row) throw notFound("source");
      return { data: present(row) };
    },
  );

  app.delete(
    "/v1/sources/:id",
    {
      onRequest,
      schema: operation({
        tag: "sources",
        summary: "Delete a source; its scans and their risks stay",
        params: ById,
        answer: z.undefined().describe("Empty."),
        errors: [404],
      }),
    },
    async (request, reply) => {
      const { id } = request.params;
      const gone = isId(id) ? await db.delete(source).where(isOurs(id, request.workspaceId)).returning({ id: source.id }) : [];
      if (gone.length === 0) throw notFound("source");
      return reply.code(200).send();
    },
  );
}
