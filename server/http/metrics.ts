import { sql } from "drizzle-orm";
import type { FastifyInstance } from "fastify";
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import type { Services } from "../services.ts";

const registry = new Registry();
// A timer measures how late the event loop is. Once in 10 ms, the usual precision, would be most of what a waiting server costs.
collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: 200 });
const requests = new Histogram({
  name: "periscan_http_request_seconds",
  help: "Time to answer a request.",
  labelNames: ["method", "route", "status"],
  buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30],
  registers: [registry],
});
const tasks = new Gauge({ name: "periscan_tasks", help: "Tasks that are queued or running.", labelNames: ["type", "state"], registers: [registry] });
const scans = new Gauge({ name: "periscan_scans", help: "Scans by state.", labelNames: ["type", "state"], registers: [registry] });
const attempts = new Counter({
  name: "periscan_delivery_attempts_total",
  help: "Tries to deliver to webhooks and notifications.",
  labelNames: ["kind", "outcome"],
  registers: [registry],
});
const deliveries = new Gauge({ name: "periscan_deliveries_waiting", help: "Deliveries that are not made yet.", registers: [registry] });

export const countAttempt = (kind: string, delivered: boolean): void => attempts.inc({ kind, outcome: delivered ? "delivered" : "failed" });

/** Times every request, and logs it. The log has no query and no header: keys may stand in either. */
export function measureRequests(app: FastifyInstance, { log }: Services): void {
  app.addHook("onResponse", async (request, reply) => {
    const seconds = reply.elapsedTime / 1000;
    const route = request.routeOptions.url ?? "unknown";
    requests.observe({ method: request.method, route, status: reply.statusCode }, seconds);
    const level = reply.statusCode >= 500 ? "warn" : "debug";
    log[level]({ requestId: request.id, method: request.method, route, status: reply.statusCode, seconds }, "request");
  });
}

export async function renderMetrics({ db }: Services): Promise<{ contentType: string; text: string }> {
  const count = async (gauge: Gauge, query: ReturnType<typeof sql>) => {
    const { rows } = await db.execute<{ type: string; state: string; count: number }>(query);
    gauge.reset();
    for (const { type, state, count } of rows) gauge.set({ type, state }, Number(count));
  };
  await count(tasks, sql`select type, state, count(*) from task where state <> 'ended' group by 1, 2`);
  await count(scans, sql`select type, state, count(*) from scan group by 1, 2`);
  const waiting = await db.execute<{ count: string }>(sql`select count(*) from delivery where state = 'WAITING'`);
  deliveries.set(Number(waiting.rows[0]?.count));
  return { contentType: registry.contentType, text: await registry.metrics() };
}
