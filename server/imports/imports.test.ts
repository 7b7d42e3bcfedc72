import { existsSync, readdirSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ImportCounts } from "@periscan/contract/import-counts.ts";
import type { Outcome } from "@periscan/contract/outcome.ts";
import type { Risk } from "@periscan/contract/risk.ts";
import type { Scan, ScanType } from "@periscan/contract/scan.ts";
import type { Source } from "@periscan/contract/source.ts";
import type { ImportReport, Task } from "@periscan/contract/worker-protocol.ts";
import pg from "pg";
import { v7 as uuidv7 } from "uuid";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openWorkspaces } from "../limits/workspaces.ts";
import { presentImport } from "../present/describe-import.ts";
import { leaseSeconds } from "../tasks/task-rows.ts";
import { claimSome, finishTask, getScan, startScan, startTestServer, type TestServer, tcpOutcome } from "../testing/start-test-server.ts";

let server: TestServer;
let source: Source;
beforeAll(async () => {
  server = await startTestServer({ maxImportMegabytes: 1 });
  source = await makeSource("test");
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
});

const makeSource = async (name: string, headers?: Record<string, string>): Promise<Source> =>
  (await server.api<{ data: Source }>("POST", "/v1/sources", { source_type: "IMPORTED", name }, headers)).body.data;

type Part = string | Blob;

async function post(parts: [name: string, value: Part][], headers: Record<string, string> = server.own) {
  const body = new FormData();
  for (const [name, value] of parts) body.append(name, value);
  const response = await fetch(new URL("/v1/results", server.url), { method: "POST", body, headers });
  const answer = (await response.json()) as { data?: Scan; error?: { code: string; field?: string; message: string } };
  return { status: response.status, ...answer };
}

const fields = (): [string, Part][] => [
  ["scan_type", "NMAP"],
  ["source_id", source.id],
];
const file = (text: string) => new Blob([text]);

/** Each file has other bytes, unless a test wants the same. */
let files = 0;
async function upload(text = `file ${files++}`, type: ScanType = "NMAP"): Promise<Scan> {
  const { data } = await post([
    ["scan_type", type],
    ["source_id", source.id],
    ["file", file(text)],
  ]);
  if (!data) throw new Error("refused");
  return data;
}

/** As a worker that has Nmap and no memory for it now. */
async function claimImport({ imports = true, version = "1" }: { imports?: boolean | null; version?: string } = {}): Promise<Task | null> {
  const body = {
    worker: { version },
    engines: [{ type: "NMAP", ready: true }],
    fitting: [],
    ...(imports === null ? {} : { imports }),
    wait_seconds: 0,
  };
  return (await server.worker<{ data: Task | null }>("POST", "/claim", body)).body.data;
}

async function claimed(settings?: { version?: string }): Promise<Task> {
  const task = await claimImport(settings);
  if (!task) throw new Error("no import to claim");
  return task;
}

const told = (target: string, outcome: Outcome, observed_at?: string): ImportReport["outcomes"][number] => ({
  target,
  ...(observed_at === undefined ? {} : { observed_at }),
  outcome,
});
const look = (open: number[], ports = "1-1000") => tcpOutcome({ ports, open });
const report = (task: Task, outcomes: ImportReport["outcomes"], sequence = 1) =>
  server.worker(`POST`, `/tasks/${task.task_id}/imported`, { attempt: task.attempt, sequence, outcomes });
const end = (task: Task, error?: object, counts?: ImportCounts) =>
  server.worker("POST", `/tasks/${task.task_id}/end`, { attempt: task.attempt, ...(error ? { error } : {}), ...(counts ? { import: counts } : {}) });

async function importOnce(outcomes: ImportReport["outcomes"]): Promise<Scan> {
  const { id } = await upload();
  const task = await claimed();
  expect((await report(task, outcomes)).status).toBe(200);
  await end(task);
  return getScan(server, id);
}

async function risksOf(target: string): Promise<Risk[]> {
  const found: Risk[] = [];
  for (let token = ""; ; ) {
    const { body } = await server.api<{ data: Risk[]; next_page_token?: string }>("GET", `/v1/risks${token === "" ? "" : `?page_token=${token}`}`);
    found.push(...body.data.filter((risk) => risk.target === target));
    if (body.next_page_token === undefined) return found;
    token = body.next_page_token;
  }
}

const hasFile = (scanId: string) => existsSync(join(server.folder, "files", "imports", scanId));
const countFiles = () => readdirSync(join(server.folder, "files", "imports")).length;

test("an import is a scan that any worker may read, engine or not, and its targets are made by what the file tells", async () => {
  const created = await upload();
  expect(created).toMatchObject({ type: "NMAP", state: "QUEUED", source_id: source.id, requested_targets: [] });
  expect(await claimImport({ imports: null })).toBeNull();
  expect(await claimImport({ imports: false })).toBeNull();
  const task = await claimed();
  expect(task).toMatchObject({ type: "NMAP", targets: [], import: { known: false } });
  const response = await fetch(new URL(`/worker/v1/tasks/${task.task_id}/file?attempt=1`, server.url), {
    headers: { authorization: `Bearer ${server.workerToken}` },
  });
  expect((await response.text()).length).toBe(task.import?.size_bytes);
  // Loopback cannot be scanned from everywhere, but a file may tell of it.
  await report(task, [told("127.0.0.1", look([22]), "2020-01-01T00:00:00Z"), told("branch.example", look([]), "2020-01-01T00:00:00Z")]);
  await end(task);
  const ended = await getScan(server, created.id);
  expect(ended).toMatchObject({ state: "SUCCEEDED", progress: 100, risks: { new_open: [{}], still_open: [], closed: [] }, skipped_targets: [] });
  expect(ended.targets.map(({ target, observed_at }) => [target, observed_at])).toEqual([
    ["127.0.0.1", "2020-01-01T00:00:00.000Z"],
    ["branch.example", "2020-01-01T00:00:00.000Z"],
  ]);
  const [native] = ended.results;
  const kept = await server.api<string>("GET", `/v1/results/${native?.result_id}`);
  expect(kept.body.length).toBe(task.import?.size_bytes);
});

test("an import and a scan of one target share its risks, and each closes only what it looked at", async () => {
  const target = "10.9.0.1";
  const first = await importOnce([told(target, look([22, 900]), "2020-01-01T00:00:00Z")]);
  expect(first.risks.new_open).toHaveLength(2);
  const { id } = await startScan(server, { type: "NMAP", targets: [target] });
  await finishTask(server, await claimSome(server), look([22], "1-500"));
  expect((await getScan(server, id)).risks).toMatchObject({ new_open: [], still_open: [{}], closed: [] });
  const later = await importOnce([told(target, look([900]))]);
  expect(later.risks).toMatchObject({ new_open: [], still_open: [{}], closed: [{}] });
  expect((await risksOf(target)).map(({ status }) => status).sort()).toEqual(["CLOSED", "OPEN"]);
});

test("a file that says less of where it looked than a scan does not keep the scan's risk open for ever", async () => {
  const target = "10.9.0.14";
  const scan = async (open: number[]) => {
    const { id } = await startScan(server, { type: "NMAP", targets: [target] });
    await finishTask(server, await claimSome(server), look(open));
    return (await getScan(server, id)).risks;
  };
  await scan([22]);
  const seen = look([22]);
  const vague = { ...seen, detections: seen.detections.map((detection) => ({ ...detection, scope: "somewhere", title: "Open TCP Port: 22, by a file" })) };
  expect((await importOnce([told(target, vague)])).risks).toMatchObject({ new_open: [], still_open: [{}] });
  expect(await risksOf(target)).toMatchObject([{ risk_definition: { title: "Open TCP Port: 22, by a file" } }]);
  expect(await scan([])).toMatchObject({ closed: [{}] });
});

test("a file that is older than what is known changes nothing, and opens nothing that is known to be gone", async () => {
  const target = "10.9.0.2";
  await importOnce([told(target, look([22]), "2021-01-01T00:00:00Z")]);
  await importOnce([told(target, look([]), "2022-01-01T00:00:00Z")]);
  const before = await risksOf(target);
  expect(before.map(({ status, last_detected_at }) => [status, last_detected_at])).toEqual([["CLOSED", "2021-01-01T00:00:00.000Z"]]);
  const old = await importOnce([told(target, look([22, 23]), "2020-01-01T00:00:00Z")]);
  expect(old.risks).toMatchObject({ new_open: [], closed: [] });
  expect(await risksOf(target)).toEqual(before);
});

test("a port that no later look covered is opened by an old file", async () => {
  const target = "10.9.0.3";
  await importOnce([told(target, look([], "1-100"), "2022-01-01T00:00:00Z")]);
  const old = await importOnce([told(target, look([23, 900]), "2020-01-01T00:00:00Z")]);
  expect(old.risks.new_open).toHaveLength(1);
  expect((await risksOf(target)).map(({ risk_definition }) => risk_definition.title)).toEqual(["Open TCP Port: 900"]);
});

test("a date ahead of the file's arrival does not make all later looks seem older", async () => {
  const target = "10.9.0.4";
  const ended = await importOnce([told(target, look([22]), "2999-01-01T00:00:00Z")]);
  expect(Date.parse(ended.targets[0]?.observed_at ?? "")).toBeLessThanOrEqual(Date.now());
  const { id } = await startScan(server, { type: "NMAP", targets: [target] });
  await finishTask(server, await claimSome(server), look([]));
  expect((await getScan(server, id)).risks.closed).toHaveLength(1);
});

test("the same file again is recalled and changes nothing, dates included", async () => {
  const target = "10.9.0.5";
  const text = "the same bytes";
  await upload(text);
  const first = await claimed();
  await report(first, [told(target, look([22, 80]))]);
  await end(first);
  const before = await risksOf(target);
  const { id } = await upload(text);
  const again = await claimed();
  expect(again.import?.known).toBe(true);
  expect((await server.worker("POST", `/tasks/${again.task_id}/recall`, { attempt: 1 })).body).toEqual({ data: { recalled: true } });
  await end(again);
  expect(await getScan(server, id)).toMatchObject({ state: "SUCCEEDED", risks: { new_open: [], still_open: [{}, {}], closed: [] } });
  expect(await risksOf(target)).toEqual(before);
});

test("a file is read again where another version read it, or where a target of it is gone", async () => {
  const text = "read by 1";
  await upload(text);
  const first = await claimed();
  await report(first, [told("10.9.0.6", look([22]))]);
  await end(first);
  await upload(text);
  const newer = await claimed({ version: "2" });
  expect((await server.worker("POST", `/tasks/${newer.task_id}/recall`, { attempt: 1 })).body).toEqual({ data: { recalled: false } });
  await report(newer, [told("10.9.0.6", look([22]))]);
  await end(newer);
  const [risk] = await risksOf("10.9.0.6");
  await server.api("DELETE", `/v1/targets/${risk?.target_id}`);
  const { id } = await upload(text);
  const third = await claimed({ version: "2" });
  expect((await server.worker("POST", `/tasks/${third.task_id}/recall`, { attempt: 1 })).body).toEqual({ data: { recalled: false } });
  await report(third, [told("10.9.0.6", look([22]))]);
  await end(third);
  expect((await getScan(server, id)).risks.new_open).toHaveLength(1);
});

test("what became of each result of the file is shown with the scan, in its files, and of a file that is not read again", async () => {
  const left_out = [
    { reason: "suppressed in the file", count: 2 },
    { reason: "hostile \0", count: 1000 },
  ];
  const counts: ImportCounts = { results: 1056, risks: 50, joined: 4, left_out };
  const summary =
    "The file has 1,056 results: 50 became risks, 4 were joined to others, 1,002 were left out (suppressed in the file: 2; hostile \uFFFD: 1,000).";
  const text = "counted";
  const first = await upload(text);
  expect(first).not.toHaveProperty("import");
  const task = await claimed();
  await report(task, [told("10.9.2.1", look([22]))]);
  await end(task, undefined, counts);
  const shown = (await getScan(server, first.id)).import;
  expect(shown).toEqual({ ...counts, left_out: [left_out[0], { reason: "hostile \uFFFD", count: 1000 }], summary });
  const again = await upload(text);
  const known = await claimed();
  expect((await server.worker("POST", `/tasks/${known.task_id}/recall`, { attempt: 1 })).body).toEqual({ data: { recalled: true } });
  await end(known);
  const ended = await getScan(server, again.id);
  expect(ended.import).toEqual(shown);
  const { body } = await server.api<{ data: Scan[] }>("GET", "/v1/scans");
  expect(body.data.find(({ id }) => id === again.id)?.import).toEqual(shown);
  const files = await Promise.all(ended.results.map(async ({ result_id }) => (await server.api<unknown>("GET", `/v1/results/${result_id}`)).body));
  const [, html, , json] = files as [unknown, string, unknown, { scan: { import: unknown } }];
  expect(html).toContain(summary);
  expect(json.scan.import).toEqual(shown);
});

test.each<[ImportCounts, string]>([
  [{ results: 0, risks: 0, joined: 0, left_out: [] }, "The file has no result."],
  [{ results: 1, risks: 1, joined: 0, left_out: [] }, "The file has 1 result: 1 became a risk."],
  [
    { results: 2, risks: 0, joined: 1, left_out: [{ reason: "no failure (kind pass)", count: 1 }] },
    "The file has 2 results: 0 became risks, 1 was joined to others, 1 was left out (no failure (kind pass): 1).",
  ],
])("what became of results is a sentence: %j", (counts, sentence) => {
  expect(presentImport(counts).summary).toBe(sentence);
});

test("what is sent twice, by one attempt or by the next, counts once", async () => {
  const { id } = await upload();
  const first = await claimed();
  await report(first, [told("10.9.0.7", look([22]))]);
  await report(first, [told("10.9.0.7", look([22]))]);
  await end(first, { code: "worker.stopped", message: "Stopped.", retry: true });
  const second = await claimed();
  expect(second.attempt).toBe(2);
  expect((await report(first, [told("10.9.0.7", look([22]))])).status).toBe(409);
  expect((await server.worker("POST", `/tasks/${first.task_id}/recall`, { attempt: 1 })).status).toBe(409);
  await report(second, [told("10.9.0.7", look([22, 80])), told("10.9.0.8", look([22]))]);
  await end(second);
  const ended = await getScan(server, id);
  expect(ended.targets.map(({ target }) => target)).toEqual(["10.9.0.7", "10.9.0.8"]);
  expect(ended.risks.new_open).toHaveLength(2);
});

test("a lease counts from the end of what a report waited for, so that a busy database does not cost the worker its task", async () => {
  const { id } = await upload();
  const task = await claimed();
  const [locker, other] = [new pg.Client({ connectionString: server.databaseUrl }), new pg.Client({ connectionString: server.databaseUrl })];
  for (const client of [locker, other]) await client.connect();
  try {
    await locker.query("begin");
    await locker.query("select 1 from scan where id = $1 for update", [id]);
    const reporting = report(task, [told("10.9.0.14", look([22]))]);
    await expect
      .poll(async () => (await other.query("select 1 from pg_stat_activity where wait_event_type = 'Lock' and query ilike '%for share of scan%'")).rowCount, {
        timeout: 20_000,
      })
      .toBe(1);
    const { rows } = await other.query<{ now: Date }>("select clock_timestamp() as now");
    await locker.query("commit");
    expect((await reporting).status).toBe(200);
    const lease = await other.query<{ until: Date }>("select lease_until - make_interval(secs => $1) as until from task where scan_id = $2", [
      leaseSeconds,
      id,
    ]);
    expect(lease.rows[0]?.until.getTime()).toBeGreaterThanOrEqual(rows[0]?.now.getTime() ?? Number.NaN);
  } finally {
    for (const client of [locker, other]) await client.end();
  }
  await end(task);
});

test("attempts that learn nothing new end the import", async () => {
  const { id } = await upload();
  let attempts = 0;
  for (let task = await claimImport(); (await getScan(server, id)).state === "RUNNING"; task = await claimImport()) {
    if (!task) continue;
    attempts += 1;
    await report(task, [told("10.9.0.9", look([]))]);
    await end(task, { code: "worker.error", message: "It failed.", retry: true });
  }
  expect(attempts).toBeLessThanOrEqual(5);
  expect((await getScan(server, id)).state).not.toBe("RUNNING");
});

test("a file that cannot be read fails the import with its reason, and nothing is left of it", async () => {
  const { id } = await upload();
  expect(hasFile(id)).toBe(true);
  await end(await claimed(), { code: "import.unreadable", message: "Line 7: The XML is not well formed.", retry: false });
  const ended = await getScan(server, id);
  expect(ended).toMatchObject({ state: "FAILED", error: { code: "import.unreadable", message: "Line 7: The XML is not well formed." }, targets: [] });
  for (const { result_id } of ended.results) expect((await server.api("GET", `/v1/results/${result_id}`)).status).toBe(200);
  await expect.poll(() => hasFile(id)).toBe(false);
});

test("what tells nothing for certain succeeds and closes nothing; what names nobody fails", async () => {
  const target = "10.9.0.10";
  await importOnce([told(target, look([22]), "2020-01-01T00:00:00Z")]);
  const partial = await importOnce([told(target, { ...look([80]), kind: "partial", reason: "Hits alone." })]);
  expect(partial).toMatchObject({ state: "SUCCEEDED", risks: { new_open: [{}], closed: [] }, skipped_targets: [{ skipped_reason: "Hits alone." }] });
  const silent: Outcome = { kind: "unreachable", reason: "It did not answer.", notes: [], detections: [] };
  const nobody = await importOnce([told("10.9.0.11", silent)]);
  expect(nobody).toMatchObject({ state: "FAILED", error: { code: "import.empty" }, targets: [] });
  expect(await importOnce([told(target, silent)])).toMatchObject({ state: "FAILED", error: { code: "scan.unreachable" }, targets: [{ target }] });
});

test("a cancelled import is over at once, and its worker is told", async () => {
  const { id } = await upload();
  const task = await claimed();
  expect((await server.api("POST", `/v1/scans/${id}/cancel`)).status).toBe(200);
  expect((await report(task, [told("10.9.0.12", look([]))])).status).toBe(409);
  const url = new URL(`/worker/v1/tasks/${task.task_id}/file?attempt=1`, server.url);
  expect((await fetch(url, { headers: { authorization: `Bearer ${server.workerToken}` } })).status).toBe(409);
});

test("a character that cannot be stored is replaced, wherever a file has it, and text that only looks like one stays", async () => {
  const [seen] = look([22]).detections;
  const hostile: Outcome = {
    ...look([22]),
    kind: "partial",
    reason: "cut\0",
    notes: ["\ud800 note"],
    detections: [{ ...seen, description: "a\0b\udfffc", solution: "\\u0000 🔥", additional_info: { "\0": "\0" } } as Outcome["detections"][number]],
  };
  const ended = await importOnce([told("10.9.0.15", hostile)]);
  expect(ended).toMatchObject({ state: "SUCCEEDED", targets: [{ reason: "cut\uFFFD", notes: ["\uFFFD note"] }] });
  const [risk] = await risksOf("10.9.0.15");
  expect(risk).toMatchObject({ risk_definition: { description: "a\uFFFDb\uFFFDc", solution: "\\u0000 🔥", additional_info: { "\uFFFD": "\uFFFD" } } });
});

test("a worker cannot tell of what is no target, in another spelling, or with evidence that is not the engine's", async () => {
  const { id } = await upload();
  const task = await claimed();
  const broken = { ...look([22]), detections: look([22]).detections.map((seen) => ({ ...seen, detail: { anything: 1 } })) };
  for (const wrong of [told("--option", look([])), told("EXAMPLE.com", look([])), told("10.0.0.0/30", look([])), told("10.9.0.13", broken)])
    expect((await report(task, [wrong])).status).toBe(400);
  await server.api("POST", `/v1/scans/${id}/cancel`);
  const scan = await startScan(server, { type: "NMAP", targets: ["10.9.0.13"] });
  const real = await claimSome(server);
  expect((await report(real, [told("10.9.0.13", look([]))])).status).toBe(400);
  await server.api("POST", `/v1/scans/${scan.id}/cancel`);
});

test("a form that is wrong is refused by the field at fault, and nothing of it is kept", async () => {
  // The files of the tests before go when their results are made.
  await expect.poll(countFiles, { timeout: 20_000 }).toBe(0);
  const some = ["file", file("x")] as [string, Part];
  const foreign = await makeSource("foreign", server.foreign);
  const cases: [parts: [string, Part][], status: number, field: string][] = [
    [[["source_id", source.id], some], 400, "scan_type"],
    [[["scan_type", "NESSUS"], ["source_id", source.id], some], 400, "scan_type"],
    [[["scan_type", "NMAP"], some], 400, "source_id"],
    [[["scan_type", "NMAP"], ["source_id", "1"], some], 404, "source_id"],
    [[["scan_type", "NMAP"], ["source_id", foreign.id], some], 404, "source_id"],
    [fields(), 400, "file"],
    [[...fields(), ["file", "a field and no file"]], 400, "file"],
    [[...fields(), some, some], 400, "file"],
    [[...fields(), some, ["scan_type", "NMAP"]], 400, "scan_type"],
    [[...fields(), ["other", file("x")]], 400, "other"],
    [[...fields(), some, ["colour", "red"]], 400, "colour"],
    [[...fields(), some, ["target", "10.0.0.0/24"]], 400, "target"],
    [[...fields(), some, ["target", "-x y"]], 400, "target"],
    [[...fields(), some, ["target", "x".repeat(5000)]], 400, "target"],
  ];
  for (const [parts, status, field] of cases) {
    const answer = await post(parts);
    expect([answer.status, answer.error?.field], JSON.stringify(answer.error)).toEqual([status, field]);
  }
  expect((await post([...fields(), ["file", file("x".repeat(1024 ** 2 + 1))]])).status).toBe(413);
  expect(countFiles()).toBe(0);
  // The file first, as some clients send it.
  const late = await post([some, ...fields()]);
  expect(late.status).toBe(200);
  await server.api("POST", `/v1/scans/${late.data?.id}/cancel`);
});

test("a body that is no form is refused", async () => {
  const send = (body: string, type?: string) =>
    fetch(new URL("/v1/results", server.url), { method: "POST", body, headers: { ...server.own, ...(type ? { "content-type": type } : {}) } });
  expect((await server.api("POST", "/v1/results", { scan_type: "NMAP" })).status).toBe(415);
  expect((await send("x", "text/plain")).status).toBe(415);
  expect((await send("x", "multipart/form-data")).status).toBe(400);
  expect((await send("x", "multipart/form-data; boundary=b")).status).toBe(400);
  expect((await send('--b\r\ncontent-disposition: form-data; name="file"; filename="f"\r\n\r\nhalf', "multipart/form-data; boundary=b")).status).toBe(400);
  const foreign = await fetch(new URL("/v1/results", server.url), { method: "POST", body: new FormData() });
  expect(foreign.status).toBe(401);
});

test("an import takes nothing from the allowance of scans and waits for none, and its new targets are within that of targets", async () => {
  const workspaces = await openWorkspaces(server.databaseUrl);
  try {
    const used = async () => (await workspaces.list()).find(({ name }) => name === "default")?.used;
    const before = await used();
    await workspaces.limit("default", { scansPerMonth: 0, concurrentScans: 0, targets: (before?.targets ?? 0) + 1 });
    const { id, state } = await upload();
    expect(state).toBe("QUEUED");
    const task = await claimed();
    expect(await used()).toEqual(before);
    const many = await report(task, [told("10.9.1.1", look([22])), told("10.9.1.2", look([22]))]);
    expect(many).toMatchObject({ status: 400, body: { error: { code: "target.over_limit" } } });
    expect(await used()).toEqual(before);
    expect((await report(task, [told("10.9.1.1", look([22]))])).status).toBe(200);
    await end(task, { code: "target.over_limit", message: "Too many.", retry: false });
    // It was not read to its end, and what it told before is kept.
    expect(await getScan(server, id)).toMatchObject({ state: "FAILED", error: { code: "target.over_limit" }, risks: { new_open: [{}] } });
    // Of known targets a file may always tell.
    expect((await importOnce([told("10.9.1.1", look([22, 80]))])).state).toBe("SUCCEEDED");
  } finally {
    await workspaces.limit("default", { scansPerMonth: null, concurrentScans: null, targets: null });
    await workspaces.close();
  }
});

test("what a server that died left of an upload is swept by the next one, and what an import still needs is not", async () => {
  const { id } = await upload("needed still");
  const path = (name: string) => join(server.folder, "files", "imports", name);
  const left = uuidv7();
  const half = `${uuidv7()}.${uuidv7()}.part`;
  const young = uuidv7();
  for (const name of [left, half, young]) writeFileSync(path(name), "left behind");
  const old = new Date(Date.now() - 2 * 3_600_000);
  for (const name of [left, half, id]) utimesSync(path(name), old, old);
  await using next = await startTestServer({ databaseUrl: server.databaseUrl, dataFolder: server.folder });
  await expect.poll(() => [left, half].filter((name) => existsSync(path(name))), { timeout: 20_000 }).toEqual([]);
  expect([id, young].filter((name) => existsSync(path(name)))).toEqual([id, young]);
  const task = await claimed();
  const answer = await fetch(new URL(`/worker/v1/tasks/${task.task_id}/file?attempt=1`, next.url), {
    headers: { authorization: `Bearer ${next.workerToken}` },
  });
  expect(await answer.text()).toBe("needed still");
  await end(task);
});

test("a source has its id first, is its workspace's alone, and may go while its scans stay", async () => {
  const response = await fetch(new URL("/v1/sources", server.url), {
    method: "POST",
    body: JSON.stringify({ source_type: "IMPORTED", name: " Branch office " }),
    headers: { ...server.own, "content-type": "application/json" },
  });
  const text = await response.text();
  const made = (JSON.parse(text) as { data: Source }).data;
  expect(text.replaceAll('"', "").match(/{id:([^,]+)/)?.[1]).toBe(made.id);
  expect(made).toMatchObject({ source_type: "IMPORTED", name: "Branch office" });
  const path = `/v1/sources/${made.id}`;
  expect((await server.api("GET", path)).body).toEqual({ data: made });
  for (const method of ["GET", "DELETE"]) expect((await server.api(method, path, undefined, server.foreign)).status).toBe(404);
  expect((await server.api("GET", "/v1/sources/1")).status).toBe(404);
  const foreign = await server.api<{ data: Source[] }>("GET", "/v1/sources", undefined, server.foreign);
  expect(foreign.body.data.map(({ id }) => id)).not.toContain(made.id);
  for (const wrong of [
    {},
    { source_type: "IMPORTED" },
    { source_type: "LIVE", name: "x" },
    { source_type: "IMPORTED", name: " " },
    { source_type: "IMPORTED", name: "x", more: 1 },
  ])
    expect((await server.api("POST", "/v1/sources", wrong)).status).toBe(400);
  const scan = await post([
    ["scan_type", "NMAP"],
    ["source_id", made.id],
    ["file", file("of a source")],
  ]);
  await server.api("POST", `/v1/scans/${scan.data?.id}/cancel`);
  expect((await server.api("DELETE", path)).status).toBe(200);
  expect((await server.api("GET", path)).status).toBe(404);
  expect(await getScan(server, scan.data?.id ?? "")).not.toHaveProperty("source_id");
  expect((await server.api("GET", `/v1/scans/${scan.data?.id}`, undefined, server.foreign)).status).toBe(404);
});
