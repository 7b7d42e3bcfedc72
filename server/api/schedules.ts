import { ScanType } from "@periscan/contract/scan.ts";
import { NewSchedule, Schedule, ScheduleRun, ScheduleRunState, ScheduleUpdate } from "@periscan/contract/schedule.ts";
import { and, desc, eq, gt, inArray, lt } from "drizzle-orm";
import { z } from "zod";
import { isOneOf } from "../db/is-one-of.ts";
import { schedule, scheduleRun } from "../db/schema.ts";
import { notFound } from "../errors/api-error.ts";
import { requireKey } from "../http/authenticate.ts";
import { operation } from "../http/operation.ts";
import type { TypedApp } from "../http/typed-app.ts";
import { fillPageById, filtersQuery, isId, makePage, pageOf, pageQuery, readPageToken } from "../page.ts";
import { createSchedule, presentSchedule, updateSchedule } from "../schedules/schedule-rows.ts";
import type { Services } from "../services.ts";

const One = z.object({ data: Schedule });
const ById = z.object({ id: z.string() });
const ListQuery = z.strictObject({ ...pageQuery, filters: filtersQuery({ type: ScanType, name: z.string(), enabled: z.enum(["true", "false"]) }) });
const RunsQuery = z.strictObject({ ...pageQuery, filters: filtersQuery({ state: ScheduleRunState }) });
const tag = "schedules";

export function addScheduleRoutes(app: TypedApp, services: Services): void {
  const onRequest = requireKey(services);
  const { db } = services;
  const mine = (id: string, workspaceId: string) => {
    if (!isId(id)) throw notFound("schedule");
    return and(eq(schedule.id, id), eq(schedule.workspaceId, workspaceId));
  };
  const find = async (id: string, workspaceId: string): Promise<Schedule> => {
    const [row] = await db.select().from(schedule).where(mine(id, workspaceId));
    if (!row) throw notFound("schedule");
    return presentSchedule(row);
  };

  app.post(
    "/v1/schedules",
    { onRequest, schema: operation({ tag, summary: "Add a schedule", body: NewSchedule, answer: One, errors: [400, 403, 404, 413, 415] }) },
    async (request) => ({ data: presentSchedule(await createSchedule(db, request.workspaceId, request.body)) }),
  );

  app.get(
    "/v1/schedules",
    { onRequest, schema: operation({ tag, summary: "List schedules", querystring: ListQuery, answer: pageOf(Schedule), errors: [400] }) },
    async (request) => {
      const { filters, page_size, page_token } = request.query;
      const after = readPageToken(page_token);
      const rows = await db
        .select({ id: schedule.id })
        .from(schedule)
        .where(
          and(
            eq(schedule.workspaceId, request.workspaceId),
            after === undefined ? undefined : gt(schedule.id, after),
            filters.type && inArray(schedule.type, filters.type),
            filters.name && inArray(schedule.name, filters.name),
            filters.enabled &&
              inArray(
                schedule.enabled,
                filters.enabled.map((value) => value === "true"),
              ),
          ),
        )
        .orderBy(schedule.id)
        .limit(page_size + 1);
      return fillPageById(rows, page_size, async (some) =>
        (
          await db
            .select()
            .from(schedule)
            .where(
              isOneOf(
                schedule.id,
                some.map(({ id }) => id),
              ),
            )
        ).map(presentSchedule),
      );
    },
  );

  app.get(
    "/v1/schedules/:id",
    { onRequest, schema: operation({ tag, summary: "Get a schedule", params: ById, answer: One, errors: [404] }) },
    async (request) => ({ data: await find(request.params.id, request.workspaceId) }),
  );

  app.put(
    "/v1/schedules/:id",
    {
      onRequest,
      schema: operation({
        tag,
        summary: "Change a schedule; what is not given stays",
        params: ById,
        body: ScheduleUpdate,
        answer: One,
        errors: [400, 404, 413, 415],
      }),
    },
    async (request) => ({ data: presentSchedule(await updateSchedule(db, { id: request.params.id, workspaceId: request.workspaceId }, request.body)) }),
  );

  app.delete(
    "/v1/schedules/:id",
    {
      onRequest,
      schema: operation({
        tag,
        summary: "Delete a schedule and its log; its scans stay",
        params: ById,
        answer: z.undefined().describe("Empty."),
        errors: [404],
      }),
    },
    async (request, reply) => {
      const rows = await db.delete(schedule).where(mine(request.params.id, request.workspaceId)).returning({ id: schedule.id });
      if (rows.length === 0) throw notFound("schedule");
      return reply.code(200).send();
    },
  );

  for (const [verb, enabled, summary] of [
    ["pause", false, "Pause a schedule: nothing is due until it is resumed"],
    ["resume", true, "Resume a schedule: its next occurrence is the first from now on"],
  ] as const)
    app.post(`/v1/schedules/:id/${verb}`, { onRequest, schema: operation({ tag, summary, params: ById, answer: One, errors: [404] }) }, async (request) => ({
      data: presentSchedule(await updateSchedule(db, { id: request.params.id, workspaceId: request.workspaceId }, { enabled })),
    }));

  app.get(
    "/v1/schedules/:id/runs",
    {
      onRequest,
      schema: operation({
        tag,
        summary: "List what became of a schedule's occurrences, newest first",
        params: ById,
        querystring: RunsQuery,
        answer: pageOf(ScheduleRun),
        errors: [400, 404],
      }),
    },
    async (request) => {
      const { id } = await find(request.params.id, request.workspaceId);
      const { filters, page_size, page_token } = request.query;
      const before = readPageToken(page_token);
      const rows = await db
        .select()
        .from(scheduleRun)
        .where(
          and(
            eq(scheduleRun.scheduleId, id),
            before === undefined ? undefined : lt(scheduleRun.id, before),
            filters.state && inArray(scheduleRun.state, filters.state),
          ),
        )
        .orderBy(desc(scheduleRun.id))
        .limit(page_size + 1);
      return makePage(rows, page_size, presentRun);
    },
  );
}

const presentRun = (row: typeof scheduleRun.$inferSelect): ScheduleRun => ({
  id: row.id,
  planned_at: row.plannedAt.toISOString(),
  state: row.state,
  ...(row.scanId === null ? {} : { scan_id: row.scanId }),
  ...(row.reasonCode === null ? {} : { reason: { code: row.reasonCode, message: row.reasonMessage ?? "" } }),
  ...(row.missedSince ? { missed_since: row.missedSince.toISOString() } : {}),
  created_at: row.createdAt.toISOString(),
});
