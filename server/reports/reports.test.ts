import { execFileSync } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
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

test("a report says what is open, what changed, what people decided and what was not looked at, and counts decisions apart", async () => {
  const first = await scanOnce("10.5.1.1", look([21, 22, 23, 80], { threat_level: "HIGH" }), 70);
  const second = await scanOnce("10.5.1.2", look([22]), 70);
  for (const scan of [first, second]) await tagTarget(scan, "whole");
  await server.api("POST", "/v1/targets", { target: "10.5.1.3", tags: ["whole"] });
  await scanOnce("10.5.1.1", look([22, 23, 80], { threat_level: "HIGH" }), 3);
  const open = (await server.api<{ data: Risk[] }>("GET", `/v1/risks?filters[target_id]=${first.targets[0]?.target_id}&filters[status]=OPEN`)).body.data;
  const idOf = (port: number) => open.find(({ risk_definition }) => risk_definition.title.endsWith(`: ${port}`))?.id;
  await server.api("PUT", `/v1/risks/${idOf(22)}/acceptance`, { note: "Our bastion.", author: "Ada", expires_at: "2999-01-01T00:00:00Z" });
  await server.api("PUT", `/v1/risks/${idOf(80)}/acceptance`, { kind: "false_positive", note: "A honeypot.", reason: "not_present" });

  const page = await makeReport({ targets_filter: { tag: ["whole"] } });
  const text = toText(page);
  expect(text).toContain("0 Critical 1 High 0 Medium 1 Low 0 Info");
  expect(text).toContain("2 of 3 targets were scanned to the end. 2 risks are open, on 2 targets: 1 high and 1 low.");
  expect(text).toContain("1 target was never scanned, or not scanned to the end. Nothing here says that it is free of risks");
  expect(text).toContain("In the last 30 days 0 risks were found for the first time or came back, and 1 was closed.");
  expect(text).toContain("2 risks are accepted or called a false positive by a person; they are listed apart and not counted above.");
  expect(text).toMatch(/Accepted risks .* High Open TCP Port: 22 10\.5\.1\.1 Our bastion\. Ada, \d+ \w+ 20\d\d 1 Jan 2999/);
  expect(text).toMatch(/False positives .* High Open TCP Port: 80 10\.5\.1\.1 Not present: A honeypot\. test, \d+ \w+ 20\d\d no end/);
  expect(text).toMatch(/Closed in the last 30 days .* High Open TCP Port: 21 10\.5\.1\.1/);
  expect(text).toContain("10.5.1.3 Never scanned No scan of any type has been made.");
  expect(text).toContain("10.5.1.3 It was never scanned.");
  // Ten weeks ago five were open, now those that are shown above.
  const bars = [...page.matchAll(/<text class="total"[^>]*>(\d+)</g)].map(([, total]) => Number(total));
  expect(bars).toEqual([5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 2]);
});

test("the trend begins with the first look, follows threat levels, closing and coming back, and leaves out what was accepted then", async () => {
  const port = (open: number[], level: "LOW" | "HIGH", daysAgo: number) => scanOnce("10.5.2.1", look(open, { threat_level: level }), daysAgo);
  const first = await port([22], "LOW", 40);
  await tagTarget(first, "trend");
  await port([22], "HIGH", 30);
  await port([], "LOW", 20);
  await port([22], "LOW", 10);
  const id = first.risks.new_open[0]?.risk_id;
  await server.api("PUT", `/v1/risks/${id}/acceptance`, { note: "For two days." });
  await database.query(
    "update acceptance set created_at = created_at - interval '8 days', updated_at = updated_at - interval '8 days', ended_at = now() - interval '6 days', end_cause = 'expired' where risk_id = $1",
    [id],
  );
  await database.query("update risk set is_accepted = false where id = $1", [id]);
  const page = await makeReport({ targets_filter: { tag: ["trend"] } });
  const bars = [...page.matchAll(/<title>([^<]+)<\/title><\/rect>/g)].map(([, title]) => title?.replace(/^.*: /, ""));
  // 35, 28, 21, 14, 7 and 0 days ago.
  expect(bars).toEqual(["1 low", "1 high", "1 high", "1 low"]);
  expect([...page.matchAll(/<text class="total"[^>]*>(\d+)</g)].map(([, total]) => total)).toEqual(["1", "1", "1", "0", "0", "1"]);
});

test("targets that no scan reached do not read as clean", async () => {
  const { id } = await startScan(server, { type: "NMAP", targets: ["10.5.3.1"], options: { ports: "22" } });
  await finishTask(server, await claimSome(server), { kind: "unreachable", reason: "It did not answer.", notes: [], detections: [] });
  await tagTarget(await getScan(server, id), "silent");
  const text = toText(await makeReport({ targets_filter: { tag: ["silent"] } }));
  expect(text).toContain("The target was not scanned to the end. This report therefore says nothing about the security of the targets.");
  expect(text).toMatch(/What was not covered Do not take these for clean\. .* It did not answer\. It was never looked at to the end\./);
  expect(text).not.toMatch(/No risk|nothing was found/);
});

test("a last look that was cut short is no clean one, whatever an earlier one saw", async () => {
  const first = await scanOnce("10.5.3.2", look([22]), 9);
  await tagTarget(first, "cut");
  await scanOnce("10.5.3.2", { ...look([22]), kind: "partial", reason: "The time limit passed." });
  const text = toText(await makeReport({ targets_filter: { tag: ["cut"] } }));
  expect(text).toContain("The target was not scanned to the end. 1 risk is open: 1 low.");
  expect(text).toMatch(/The time limit passed\. It was last looked at to the end on \d+ \w+ 20\d\d: its risks are as they were known then\./);
});

test("filters choose what a report holds, and it says which", async () => {
  const scan = await scanOnce("10.5.4.1", look([21, 22]));
  await scanOnce("10.5.4.1", look([21]));
  const closed = toText(await makeReport({ risks_filter: { "target.target": ["10.5.4.1"], status: ["CLOSED"] } }));
  expect(closed).toContain("By its filters this report leaves out the open risks");
  expect(closed).toMatch(/Closed risks .* Open TCP Port: 22/);
  expect(closed).not.toContain("Open TCP Port: 21");
  expect(closed).toContain("closed of the targets: 10.5.4.1");
  const titled = toText(
    await makeReport({ targets_filter: { id: [scan.targets[0]?.target_id] }, risks_filter: { "risk_definition.title": ["Open TCP Port: 21"] } }),
  );
  expect(titled).toContain("1 risk is open: 1 low.");
  expect(titled).not.toContain("Open TCP Port: 22");
});

test("a report is listed with its state, and both paths of each operation answer", async () => {
  await scanOnce("10.5.5.1", look([22]));
  const { body: made } = await create({ report_format: "PDF", risks_filter: { "target.target": ["10.5.5.1"] } }, "/v1/report");
  const file = await server.api<string>("GET", `/v1/report/${made.data.id}`);
  expect([file.status, file.body.slice(0, 5)]).toEqual([200, "%PDF-"]);
  const state = await server.api<{ data: Report }>("GET", `/v1/reports/${made.data.id}/state`);
  expect(state.body.data).toEqual({
    id: made.data.id,
    report_format: "PDF",
    state: "SUCCEEDED",
    targets_filter: {},
    risks_filter: { "target.target": ["10.5.5.1"] },
    created_at: expect.any(String),
    finished_at: expect.any(String),
  });
  const filters = encodeURIComponent(JSON.stringify({ state: ["SUCCEEDED"], report_format: ["PDF"] }));
  expect((await server.api<{ data: Report[] }>("GET", `/v1/reports?filters=${filters}`)).body.data[0]).toEqual(state.body.data);
});

test("a request that makes no report is refused by its field", async () => {
  await scanOnce("10.5.6.1", look([22]));
  const refusal = async (body: object) => {
    const { status, body: answer } = await create(body);
    return [status, answer.error.field];
  };
  expect(await refusal({})).toEqual([400, "report_format"]);
  expect(await refusal({ report_format: "DOCX" })).toEqual([400, "report_format"]);
  expect(await refusal({ report_format: "PDF", targets_filter: { tags: ["x"] } })).toEqual([400, "targets_filter.tags"]);
  expect(await refusal({ report_format: "PDF", targets_filter: { target_ids: ["123"], id: ["123"] } })).toEqual([400, "targets_filter.id"]);
  expect(await refusal({ report_format: "PDF", targets_filter: { tag: ["nobody"] } })).toEqual([400, "targets_filter.tag"]);
  expect(await refusal({ report_format: "PDF", targets_filter: { target_ids: ["123"] } })).toEqual([404, "targets_filter.target_ids[0]"]);
  expect(await refusal({ report_format: "PDF", risks_filter: { state: ["OPEN"] } })).toEqual([400, "risks_filter.state"]);
  expect(await refusal({ report_format: "PDF", risks_filter: { "target.target": ["10.255.255.255"] } })).toEqual([400, "risks_filter"]);
  expect((await server.api("GET", "/v1/reports/none")).status).toBe(404);
});

test("reports of another workspace are not there", async () => {
  const scan = await scanOnce("10.5.7.1", look([22]));
  const { body: made } = await create({ report_format: "HTML" });
  for (const path of [`/v1/reports/${made.data.id}`, `/v1/report/${made.data.id}`, `/v1/reports/${made.data.id}/state`]) {
    expect((await server.api("GET", path)).status).toBe(200);
    expect((await server.api("GET", path, undefined, server.foreign)).status).toBe(404);
  }
  expect((await server.api("GET", "/v1/reports", undefined, server.foreign)).body).toEqual({ data: [] });
  const borrowed = { report_format: "HTML", targets_filter: { target_ids: [scan.targets[0]?.target_id] } };
  expect((await server.api("POST", "/v1/reports", borrowed, server.foreign)).status).toBe(404);
  expect((await server.api("POST", "/v1/reports", { report_format: "HTML" }, server.foreign)).status).toBe(400);
});

test("a report that no job makes does not wait for ever", async () => {
  await scanOnce("10.5.8.1", look([22]));
  const { body: made } = await create({ report_format: "HTML" });
  await server.api("GET", `/v1/reports/${made.data.id}`);
  await database.query("update report set state = 'RUNNING', finished_at = null, created_at = now() - interval '3 hours' where id = $1", [made.data.id]);
  const file = await server.api<Refusal>("GET", `/v1/reports/${made.data.id}`);
  expect([file.status, file.body.error.code]).toEqual([500, "report.failed"]);
  expect((await server.api<{ data: Report }>("GET", `/v1/reports/${made.data.id}/state`)).body.data).toMatchObject({
    state: "FAILED",
    error: expect.any(String),
  });
});

const hostile = `</style></title><script>alert(1)</script><img src=x onerror=alert(1)> "'&amp; #set text(red) $x$ *b* \`raw\` @ref <label> \\u{41} \u202ereversed`;

test("what a scanner printed and what a person wrote is shown as text, never as markup, and the PDF is accessible", async () => {
  const scan = await scanOnce("10.5.9.1", look([22, 23], { title: hostile, description: hostile, references: ["javascript:alert(1)"] }), 30);
  await scanOnce("10.5.9.1", look([22], { title: hostile, description: hostile }), 1);
  await server.api("PUT", `/v1/targets/${scan.targets[0]?.target_id}`, { tags: ["hostile"], label: hostile });
  await scanOnce("10.5.9.2", look([22], { title: hostile }), 1).then((other) => tagTarget(other, "hostile"));
  await server.api("PUT", `/v1/risks/${scan.risks.new_open[0]?.risk_id}/acceptance`, { note: hostile, author: hostile });
  const page = await makeReport({ targets_filter: { tag: ["hostile"] } });
  expect([...page.matchAll(/<\/?(script|img|iframe|object|label)/g)]).toEqual([]);
  expect([...page.matchAll(/<[a-z][^>]*\son\w+=/g)]).toEqual([]);
  expect(page).not.toContain("\u202e");
  expect([...page.matchAll(/href="([^"#][^"]*)"/g)]).toEqual([]);
  expect(page).toContain(`content="default-src 'none'; style-src 'unsafe-inline'"`);

  const { body: made } = await create({ report_format: "PDF", targets_filter: { tag: ["hostile"] } });
  const folder = join(server.folder, "look");
  await mkdir(folder);
  const response = await fetch(new URL(`/v1/reports/${made.data.id}`, server.url), { headers: server.own });
  await writeFile(join(folder, "report.pdf"), Buffer.from(await response.arrayBuffer()));
  const run = (program: string, ...args: string[]) => execFileSync(program, args, { encoding: "utf8", cwd: folder, stdio: ["ignore", "pipe", "ignore"] });
  const text = run("pdftotext", "-layout", "report.pdf", "-").replaceAll("\u200b", "");
  expect(text).toContain("<script>alert(1)</script>");
  expect(text).toContain("#set text(red) $x$ *b*");
  expect(text).toContain("Executive summary");
  expect(run("pdfinfo", "report.pdf")).toMatch(/Tagged:\s+yes/);
  // PDF/UA-1 is claimed only where the whole of it holds, the chart's text included.
  expect(run("pdfinfo", "-meta", "report.pdf")).toContain("pdfuaid:part");
});
