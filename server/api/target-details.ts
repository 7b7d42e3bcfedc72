import { Observation } from "@periscan/contract/outcome.ts";
import { isScanType } from "@periscan/contract/scan.ts";
import { TargetObservation } from "@periscan/contract/target.ts";
import { and, eq, gt, inArray } from "drizzle-orm";
import { z } from "zod";
import { isOneOf } from "../db/is-one-of.ts";
import { observation } from "../db/schema.ts";
import { requireKey } from "../http/authenticate.ts";
import { operation } from "../http/operation.ts";
import type { TypedApp } from "../http/typed-app.ts";
import { fillPageById, filtersQuery, pageOf, pageQuery, readPageToken } from "../page.ts";
import type { Services } from "../services.ts";
import { requireTarget } from "../targets/target-rows.ts";

const ById = z.object({ id: z.string() });
const ObservationKind = z.enum(Observation.options.map((option) => option.shape.kind.value));
const ListQuery = z.strictObject({ ...pageQuery, filters: filtersQuery({ kind: ObservationKind, scan_type: z.string() }) });

/** What engines saw of a target. */
export function addTargetDetailRoutes(app: TypedApp, services: Services): void {
  const onRequest = requireKey(services);
  const { db } = services;

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
      const { id: targetId } = await requireTarget(db, request.params.id, request.workspaceId);
      const { filters, page_size, page_token } = request.query;
      const after = readPageToken(page_token);
      const rows = await db
        .select({ id: observation.id })
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
      return fillPageById(rows, page_size, async (some) =>
        (
          await db
            .select()
            .from(observation)
            .where(
              isOneOf(
                observation.id,
                some.map(({ id }) => id),
              ),
            )
        ).map(present),
      );
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
