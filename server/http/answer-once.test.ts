import { randomUUID } from "node:crypto";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import type { Scan } from "@periscan/contract/scan.ts";
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startTestServer, type TestServer, until } from "../testing/start-test-server.ts";

let server: TestServer;
let database: pg.Pool;
beforeAll(async () => {
  server = await startTestServer();
  database = new pg.Pool({ connectionString: server.databaseUrl });
});
afterAll(async () => {
  await database.end();
  await server[Symbol.asyncDispose]();
});

const body = { type: "NMAP", targets: ["10.5.0.1"], options: { ports: "80" } };

async function post(key: string | undefined, request: object | string = body, headers: Record<string, string> = server.own) {
  const response = await fetch(new URL("/v1/scans", server.url), {
    method: "POST",
    headers: { ...headers, "content-type": "application/json", ...(key === undefined ? {} : { "idempotency-key": key }) },
    body: typeof request === "string" ? request : JSON.stringify(request),
  });
  const answer = (await response.json()) as { data: Scan; error: { code: string; field?: string } };
  return { status: response.status, replayed: response.headers.get("idempotency-replayed"), retryAfter: response.headers.get("retry-after"), ...answer };
}

const countScans = async () => Number((await database.query("select count(*) from scan")).rows[0].count);

test("the same request with the same key starts one scan and gets the same answer, whatever became of the scan", async () => {
  const before = await countScans();
  const key = randomUUID();
  const first = await post(key);
  expect([first.status, first.replayed]).toEqual([200, null]);
  await server.api("POST", `/v1/scans/${first.data.id}/cancel`);
  const again = await post(key, '{"options":{"ports":"80"},"targets":["10.5.0.1"],   "type":"NMAP"}');
  expect([again.status, again.replayed, again.data]).toEqual([200, "true", first.data]);
  expect(await countScans()).toBe(before + 1);
});

test("a key that comes with another request is refused and starts nothing", async () => {
  const key = randomUUID();
  await post(key);
  const before = await countScans();
  const other = await post(key, { ...body, targets: ["10.5.0.2"] });
  expect([other.status, other.error]).toEqual([400, expect.objectContaining({ code: "idempotency.key_reused", field: "idempotency-key" })]);
  expect(await countScans()).toBe(before);
});

test("a key is a workspace's own", async () => {
  const key = randomUUID();
  const first = await post(key);
  const foreign = await post(key, body, server.foreign);
  expect([foreign.status, foreign.replayed]).toEqual([200, null]);
  expect(foreign.data.id).not.toBe(first.data.id);
});

test("while the first is under way the second gets 409, and a request that failed leaves its key free", async () => {
  const before = await countScans();
  const key = randomUUID();
  const blocker = await database.connect();
  await blocker.query("begin");
  // Whoever inserts a scan waits now: the first request stands in the middle of its transaction.
  await blocker.query("lock table scan in share mode");
  const first = post(key);
  const waiting = `select 1 from pg_stat_activity where wait_event_type = 'Lock' and query like 'insert into "scan" %'`;
  await until(async () => (await database.query(waiting)).rowCount);
  const second = await post(key);
  expect([second.status, second.error.code, second.retryAfter]).toEqual([409, "idempotency.in_progress", "1"]);
  await blocker.query("commit");
  blocker.release();
  const { status, data } = await first;
  expect(status).toBe(200);
  expect((await post(key)).data).toEqual(data);
  expect(await countScans()).toBe(before + 1);

  const unlucky = randomUUID();
  expect((await post(unlucky, { type: "NMAP", tags: ["nobody"] })).status).toBe(400);
  expect(await post(unlucky)).toMatchObject({ status: 200, replayed: null });
});

test("50 at once with one key start one scan", async () => {
  const before = await countScans();
  const key = randomUUID();
  const answers = await Promise.all(Array.from({ length: 50 }, () => post(key)));
  expect(answers.filter(({ status }) => status !== 200 && status !== 409)).toEqual([]);
  expect(new Set(answers.flatMap(({ status, data }) => (status === 200 ? [data.id] : []))).size).toBe(1);
  expect(await countScans()).toBe(before + 1);
});

test("after 24 hours the key may be used anew, and the reaper forgets it", async () => {
  const key = randomUUID();
  const first = await post(key);
  await database.query("update kept_answer set created_at = now() - interval '25 hours' where key = $1", [key]);
  const anew = await post(key, { ...body, targets: ["10.5.0.3"] });
  expect([anew.status, anew.replayed]).toEqual([200, null]);
  expect(anew.data.id).not.toBe(first.data.id);
  await database.query("update kept_answer set created_at = now() - interval '25 hours' where key = $1", [key]);
  await until(async () => (await database.query("select 1 from kept_answer where key = $1", [key])).rowCount === 0);
});

test("a key that is none is refused by name, and without one every request starts a scan", async () => {
  for (const key of ["a b", "x".repeat(256), "é"])
    expect(await post(key), key).toMatchObject({ status: 400, error: { code: "request.invalid", field: "idempotency-key" } });
  const before = await countScans();
  await post(undefined);
  await post(undefined);
  expect(await countScans()).toBe(before + 2);
});

async function postFile(key: string | undefined, parts: [name: string, value: string][]) {
  const form = new FormData();
  for (const [name, value] of parts) form.append(name, name === "file" ? new Blob([value]) : value);
  const headers = { ...server.own, ...(key === undefined ? {} : { "idempotency-key": key }) };
  const response = await fetch(new URL("/v1/results", server.url), { method: "POST", headers, body: form });
  const answer = (await response.json()) as { data: Scan; error: { code: string; field?: string } };
  return { status: response.status, replayed: response.headers.get("idempotency-replayed"), ...answer };
}

const keptFiles = () => readdirSync(join(server.folder, "files", "imports")).sort();
const addSource = async () =>
  (await server.api<{ data: { id: string } }>("POST", "/v1/sources", { source_type: "IMPORTED", name: "Branch office" })).body.data.id;

test("an import with the same key, file and fields is one scan with one file, whatever the order of the parts", async () => {
  const key = randomUUID();
  const parts: [string, string][] = [
    ["scan_type", "NMAP"],
    ["source_id", await addSource()],
    ["file", "<nmaprun/>"],
  ];
  const first = await postFile(key, parts);
  expect([first.status, first.replayed]).toEqual([200, null]);
  const [scans, files] = [await countScans(), keptFiles()];
  expect(files).toEqual([first.data.id]);
  const again = await postFile(key, parts.toReversed());
  expect([again.status, again.replayed, again.data]).toEqual([200, "true", first.data]);
  const others: [string, string][][] = [
    [...parts.slice(0, 2), ["file", "<nmaprun />"]],
    [...parts, ["target", "10.5.0.1"]],
    [["scan_type", "NMAP_UDP"], ...parts.slice(1)],
  ];
  for (const other of others)
    expect(await postFile(key, other)).toMatchObject({ status: 400, error: { code: "idempotency.key_reused", field: "idempotency-key" } });
  expect(await postFile("a b", parts)).toMatchObject({ status: 400, error: { code: "request.invalid", field: "idempotency-key" } });
  expect([await countScans(), keptFiles()]).toEqual([scans, files]);
  expect((await postFile(undefined, parts)).data.id).not.toBe(first.data.id);
  expect(keptFiles()).toHaveLength(2);
});

test("20 imports at once with one key are one scan with one file", async () => {
  const key = randomUUID();
  const parts: [string, string][] = [
    ["scan_type", "NMAP"],
    ["source_id", await addSource()],
    ["file", "<nmaprun>"],
  ];
  const [scans, files] = [await countScans(), keptFiles().length];
  const answers = await Promise.all(Array.from({ length: 20 }, () => postFile(key, parts)));
  expect(answers.filter(({ status }) => status !== 200 && status !== 409)).toEqual([]);
  expect(new Set(answers.flatMap(({ status, data }) => (status === 200 ? [data.id] : []))).size).toBe(1);
  expect([await countScans(), keptFiles().length]).toEqual([scans + 1, files + 1]);
});

test.each(["/v1/reports", "/v1/report"])("the same request to %s with the same key asks for one report", async (path) => {
  const key = randomUUID();
  const ask = async (report: object) => {
    const answer = await server.api<{ data: { id: string }; error: { code: string } }>("POST", path, report, { ...server.own, "idempotency-key": key });
    return { status: answer.status, ...answer.body };
  };
  const first = await ask({ report_format: "HTML", risks_filter: { status: ["OPEN"] } });
  expect(await ask({ risks_filter: { status: ["OPEN"] }, report_format: "HTML" })).toEqual(first);
  expect(await ask({ report_format: "PDF" })).toMatchObject({ status: 400, error: { code: "idempotency.key_reused" } });
  const kept = await database.query("select id from report where id = $1", [first.data.id]);
  expect([first.status, kept.rowCount]).toEqual([200, 1]);
});
