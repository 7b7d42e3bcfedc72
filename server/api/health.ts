import { Problem } from "@periscan/contract/problem.ts";
import { sql } from "drizzle-orm";
import { z } from "zod";
import { ApiError } from "../errors/api-error.ts";
import { requireMetricsToken } from "../http/authenticate.ts";
import { renderMetrics } from "../http/metrics.ts";
import type { TypedApp } from "../http/typed-app.ts";
import type { Services } from "../services.ts";

const Health = z.object({ status: z.literal("ok") });

export function addHealthRoutes(app: TypedApp, services: Services): void {
  const describe = (summary: string, errors = {}) => ({ tags: ["operation"], summary, security: [], response: { 200: Health, 431: Problem, ...errors } });
  app.get("/healthz", { schema: describe("The process is alive") }, async () => ({ status: "ok" as const }));
  app.get("/readyz", { schema: describe("The database answers, so that requests can be served", { 503: Problem }) }, async () => {
    await services.db.execute(sql`select 1`).catch((cause) => {
      throw new ApiError(503, "server.database_unavailable", "The database cannot be reached.", { cause });
    });
    return { status: "ok" as const };
  });
  const requireReader = requireMetricsToken(services);
  app.get("/metrics", { schema: { tags: ["operation"], summary: "Metrics in the Prometheus text format", hide: true } }, async (request, reply) => {
    await requireReader(request, reply);
    const { contentType, text } = await renderMetrics(services);
    return reply.type(contentType).send(text);
  });
}
