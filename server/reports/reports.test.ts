import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Outcome } from "@periscan/contract/outcome.ts";
import type { Report } from "@periscan/contract/report.ts";
import type { Risk } from "@periscan/contract/risk.ts";
import type { Scan } from "@periscan/contract/scan.ts";
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { claimSome, finishTask, getScan, startScan, startTestServer, type TestServer, tcpOutcome } from "../testing/start-test-server.ts";

let server: TestServer;
let database: pg.Client;
beforeAll(async () => {
  server = await startTestServer();
  database = new pg.Client({ connectionString: server.databaseUrl });
  await database.connect();
});
afterAll(async () => {
  await database.end();
  await server[Symbol.asyncDispose]();
});

interface Refusal {
  error: { code: string; field?: string };
}

const look = (open: number[], change: Partial<Outcome["detections"][number]> = {}): Outcome => {
  const outcome = tcpOutcome({ ports: "1-1000", open });
  return { ...outcome, detections: outcome.detections.map((seen) => ({ ...seen, ...change })) };
};

/** Scans as if it were so many days ago. */
async function scanOnce(target: string, outcome: Outcome, daysAgo = 0): Promise<Scan> {
  const { id } = await startScan(server, { type: "NMAP", targets: [target], options: { ports: "1-1000" } });
  const task = await claimSome(server);
  const report = { attempt: task.attempt, sequence: 1, target_id: task.targets[0]?.target_id, resolved_target: "127.0.0.1", has_native: false, outcome };
  expect((await server.worker("POST", `/tasks/${task.task_id}/outcomes`, report)).status).toBe(200);
  await database.query("update scan_target set observed_at = observed_at - make_interval(days => $2) where scan_id = $1", [id, daysAgo]);
  await server.worker("POST", `/tasks/${task.task_id}/end`, { attempt: task.attempt });
  return getScan(server, id);
}

const tagTarget = async (scan: Scan, tag: string) => server.api("PUT", `/v1/targets/${scan.targets[0]?.target_id}`, { tags: [tag] });

const create = (body: object, path = "/v1/reports") => server.api<{ data: { id: string } } & Refusal>("POST", path, body);

async function makeReport(body: object): Promise<string> {
  const { body: made } = await create({ report_format: "HTML", ...body });
  return (await server.api<string>("GET", `/v1/reports/${made.data.id}`)).body;
}

/** What a reader of the page sees, on one line. */
const toText = (page: string): string =>
  page
    .replace(/<style>.*?<\/style>/s, "")
    .replaceAll(/<[^>]+>/g, " ")
    .replaceAll(/\s+/g, " ");

test("placeholder", async () => {
  const scan = await scanOnce("10.5.0.1", look([22]));
  await tagTarget(scan, "one");
  const page = await makeReport({ targets_filter: { tag: ["one"] } });
  console.log(toText(page));
  const { body: made } = await create({ report_format: "PDF" });
  const response = await fetch(new URL(`/v1/reports/${made.data.id}`, server.url), { headers: { "x-hostedscan-api-key": (await server.keys.createApiKey({ name: "x" })).key } });
  console.log(response.status, [...response.headers]);
});
