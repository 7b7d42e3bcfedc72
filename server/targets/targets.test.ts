import type { Risk } from "@periscan/contract/risk.ts";
import type { Scan } from "@periscan/contract/scan.ts";
import type { Schedule, ScheduleRun } from "@periscan/contract/schedule.ts";
import type { Target } from "@periscan/contract/target.ts";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { runDueSchedules } from "../schedules/run-due.ts";
import { openServices } from "../testing/open-services.ts";
import { claim, claimSome, finishTask, getScan, startScan, startTestServer, type TestServer, tcpOutcome, until } from "../testing/start-test-server.ts";

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
  error: { code: string; message: string; field?: string };
}

const add = (target: string, more: object = {}, query = "") => server.api<{ data: Target } & Refusal>("POST", `/v1/targets${query}`, { target, ...more });
const find = async (filters: object) =>
  (await server.api<{ data: Target[] }>("GET", `/v1/targets?filters=${encodeURIComponent(JSON.stringify(filters))}`)).body.data;
const idOf = async (target: string, more: object = {}) => (await add(target, more)).body.data.id;

async function scanOnce(target_ids: string[], open: number[]): Promise<Scan> {
  const { id } = await startScan(server, { type: "NMAP", target_ids, options: { ports: "1-1000" } });
  await finishTask(server, await claimSome(server), tcpOutcome({ ports: "1-1000", open }));
  return getScan(server, id);
}

describe("one target has one row", () => {
  const spellings = ["bücher.example", "BÜCHER.Example.", "xn--bcher-kva.example", "XN--BCHER-KVA.example.", "bu\u0308cher.example", "bücher。example"];

  test("in whichever spelling it is added, filtered, scanned, scheduled and imported", async () => {
    const id = await idOf("bücher.example");
    for (const spelling of spellings) {
      expect((await add(spelling)).body.error).toMatchObject({ code: "target.exists", field: "target", message: expect.stringContaining(id) });
      expect((await add(spelling, {}, "?upsert")).body.data.id).toBe(id);
      expect((await find({ target: [spelling] })).map((row) => row.id)).toEqual([id]);
    }
    const scan = await startScan(server, { type: "NMAP", targets: spellings, target_ids: [id], options: { ports: "80" } });
    expect(scan.requested_targets).toEqual([{ target_id: id, target: "xn--bcher-kva.example" }]);
    await server.api("POST", `/v1/scans/${scan.id}/cancel`);
    await using services = await openServices(server);
    const { body: schedule } = await server.api<{ data: Schedule }>("POST", "/v1/schedules", {
      name: "x",
      type: "NMAP",
      targets: spellings,
      cron: "0 3 * * *",
    });
    await runDueSchedules(services, new Date(schedule.data.next_runs[0] ?? ""));
    const { body: scheduled } = await server.api<{ data: Scan[] }>("GET", `/v1/scans?filters[scheduled_by][]=${schedule.data.id}`);
    expect(scheduled.data.map(({ requested_targets }) => requested_targets)).toEqual([scan.requested_targets]);
    await server.api("DELETE", `/v1/schedules/${schedule.data.id}`);
    const { body: source } = await server.api<{ data: { id: string } }>("POST", "/v1/sources", { source_type: "IMPORTED", name: "x" });
    const form = new FormData();
    form.set("scan_type", "OWASP_ZAP");
    form.set("source_id", source.data.id);
    form.set("target", "https://BÜCHER.example.:443/?#x");
    form.set("file", new Blob(["{}"]), "x.json");
    await fetch(new URL("/v1/results", server.url), { method: "POST", headers: server.own, body: form });
    const { rows } = await database.query<{ target: string }>("select target from import_file");
    expect(rows).toEqual([{ target: "https://xn--bcher-kva.example/" }]);
    await database.query("delete from scan");
  });

  test("when several requests bring it at once", async () => {
    const wanted = ["2001:DB8:0:0::77", "2001:db8::77", "[2001:0db8::0077]", "2001:db8:0::77/128"];
    const added = await Promise.all(wanted.flatMap((spelling) => [add(spelling), add(spelling, { label: "x" }, "?upsert=true"), add(spelling)]));
    expect(added.map(({ status }) => status).every((status) => status === 200 || status === 409)).toBe(true);
    const scans = await Promise.all(wanted.map((spelling) => startScan(server, { type: "NMAP", targets: [spelling, "2001:db8::78"] })));
    const rows = await find({ target: ["2001:db8::77"] });
    expect(rows).toHaveLength(1);
    expect(new Set(scans.flatMap(({ requested_targets }) => requested_targets.map(({ target_id }) => target_id))).size).toBe(2);
    for (const { id } of scans) await server.api("POST", `/v1/scans/${id}/cancel`);
  });

  test("and a filter by a block finds each of its addresses", async () => {
    await Promise.all(["10.4.0.0", "10.4.0.1", "10.4.0.4"].map((target) => add(target)));
    expect((await find({ target: ["10.4.0.1/30"] })).map(({ target }) => target).sort()).toEqual(["10.4.0.0", "10.4.0.1"]);
  });

  test.each([
    ["0x7f000001", "target"],
    ["http://user:password@10.4.0.9/", "target"],
    ["10.4.0.0/30", "target"],
    ["fe80::1%eth0", "target"],
  ])("%s is refused by name", async (target, field) => {
    expect(await add(target)).toMatchObject({ status: 400, body: { error: { code: "target.invalid", field } } });
    expect((await add(target)).body.error.message).not.toContain("password@");
  });
});

describe("label and tags", () => {
  test("upsert changes what is given and leaves the rest; without it nothing changes", async () => {
    const first = (await add("10.4.1.1", { label: "a", tags: ["x"] })).body.data;
    expect((await add("10.4.1.1", { label: "b", tags: ["y"] })).status).toBe(409);
    expect((await add("10.4.1.1", {}, "?upsert")).body.data).toEqual(first);
    expect((await add("10.4.1.1", { label: "b" }, "?upsert=true")).body.data).toEqual({ ...first, label: "b" });
    expect((await add("10.4.1.1", { tags: [] }, "?upsert=true")).body.data).toEqual({ ...first, label: "b", tags: [] });
    expect((await add("10.4.1.1", { tags: ["z"] }, "?upsert=false")).status).toBe(409);
  });

  const many = (count: number) => Array.from({ length: count }, (_, index) => `t${index}`);
  test.each<[string, object, string]>([
    ["11 tags", { tags: many(11) }, "tags"],
    ["a tag of 101 characters", { tags: ["x".repeat(101)] }, "tags[0]"],
    ["an empty tag", { tags: ["a", ""] }, "tags[1]"],
    ["a tag of spaces", { tags: ["  "] }, "tags[0]"],
    ["a tag with a NUL", { tags: ["a\u0000"] }, ""],
    ["a label of 201 characters", { label: "x".repeat(201) }, "label"],
  ])("%s are refused, at both operations", async (_, body, field) => {
    const id = (await add("10.4.1.2", {}, "?upsert")).body.data.id;
    const expected = { status: 400, body: { error: field ? { field } : {} } };
    expect(await add("10.4.1.3", body)).toMatchObject(expected);
    expect(await server.api("PUT", `/v1/targets/${id}`, body)).toMatchObject(expected);
  });

  test("10 tags of 100 characters are kept, each once and without the spaces around it", async () => {
    const tags = many(9).map((tag) => tag.padEnd(100, "x"));
    expect((await add("10.4.1.4", { tags: [...tags, ` ${tags[0]} `] })).body.data.tags).toEqual(tags);
  });

  test("a scan by tag takes every target that has one of the tags, and says so where none has", async () => {
    const ids = [await idOf("10.4.2.1", { tags: ["web", "prod"] }), await idOf("10.4.2.2", { tags: ["db"] }), await idOf("10.4.2.3", { tags: ["Web"] })];
    await server.api("POST", "/v1/targets", { target: "10.4.2.4", tags: ["web"] }, server.foreign);
    const scan = await startScan(server, { type: "NMAP", tags: ["web", " db "], target_ids: [ids[0]], targets: ["10.4.2.1"] });
    expect(scan.requested_targets.map(({ target }) => target)).toEqual(["10.4.2.1", "10.4.2.2"]);
    await server.api("POST", `/v1/scans/${scan.id}/cancel`);
    const none = await server.api<Refusal>("POST", "/v1/scans", { type: "NMAP", tags: ["webb"] });
    expect(none).toMatchObject({ status: 400, body: { error: { code: "request.invalid", field: "tags", message: "No target has one of these tags." } } });
    expect((await find({ tags: ["web", "db"] })).map(({ id }) => id)).toEqual(ids.slice(0, 2));
    expect((await find({ tags: ["web"], target: ["10.4.2.2"] })).length).toBe(0);
  });

  test("a scan by tags that more targets have than a scan may is refused without loading them all", async () => {
    const ids = [await idOf("10.4.2.5"), await idOf("10.4.2.6", { tags: ["flood"] })];
    await database.query(
      `insert into target (id, workspace_id, target, tags)
       select gen_random_uuid(), workspace_id, 'flood-' || n || '.example', tags from target, generate_series(1, 5000) n where id = $1`,
      [ids[1]],
    );
    const queries = vi.spyOn(pg.Client.prototype, "query");
    const { status, body } = await server.api<Refusal>("POST", "/v1/scans", { type: "NMAP", tags: ["flood"], target_ids: ids });
    const message = "A scan has at most 4096 targets; these are 5002.";
    expect([status, body]).toMatchObject([400, { error: { code: "request.invalid", field: "targets", message } }]);
    const results = await Promise.all(queries.mock.results.map(({ value }) => value as unknown as Promise<pg.QueryResult>));
    queries.mockRestore();
    expect(Math.max(...results.map((result) => result?.rows?.length ?? 0))).toBe(4097);
    await database.query("delete from target where tags = array['flood']");
  });

  test("lists are filtered by label, in each encoding", async () => {
    const id = await idOf("10.4.3.1", { label: "Shop & Café" });
    await add("10.4.3.2", { label: "Shop" });
    const query = new URLSearchParams({ "filters[label][]": "Shop & Café" });
    for (const path of [`/v1/targets?${query}`, `/v1/targets?filters=${encodeURIComponent('{"label":["Shop & Café","none"]}')}`])
      expect((await server.api<{ data: Target[] }>("GET", path)).body.data.map((row) => row.id)).toEqual([id]);
  });
});

describe("a target that is deleted", () => {
  /** The rows that name a target, by table. */
  async function count(targetId: string): Promise<Record<string, number>> {
    const queries = {
      target: "select 1 from target where id = $1",
      login: "select 1 from target_login where target_id = $1",
      risk: "select 1 from risk where target_id = $1",
      acceptance: "select 1 from acceptance join risk on risk.id = risk_id where target_id = $1",
      history: "select 1 from scan_risk join risk on risk.id = risk_id where target_id = $1",
      detection: "select 1 from detection where target_id = $1",
      observation: "select 1 from observation where target_id = $1",
      outcome: "select 1 from scan_target where target_id = $1",
    };
    const counted: Record<string, number> = {};
    for (const [name, query] of Object.entries(queries)) counted[name] = (await database.query(query, [targetId])).rowCount ?? 0;
    return counted;
  }

  test("takes everything that hangs on it, in one go; scans keep their outcomes and files", async () => {
    const id = await idOf("10.4.4.1", { tags: ["gone"] });
    const other = await idOf("10.4.4.2");
    await server.api("PUT", `/v1/targets/${id}/auth`, { kind: "header", name: "Authorization", value: "Bearer x" });
    const observations = [{ kind: "service", key: "tcp/22", scope: "tcp/22", protocol: "tcp", port: 22, tls: false, name: "ssh", cpe: [] }];
    const started = await startScan(server, { type: "NMAP", target_ids: [id, other], options: { ports: "1-1000" } });
    for (const _ of [1, 2]) await finishTask(server, await claimSome(server), { ...tcpOutcome({ ports: "1-1000", open: [22, 80] }), observations } as never);
    const scan = await getScan(server, started.id);
    const risks = (await server.api<{ data: Risk[] }>("GET", `/v1/risks?filters[target_id][]=${id}`)).body.data;
    await server.api("PUT", `/v1/risks/${risks[0]?.id}/acceptance`, { note: "known" });
    const before = { target: 1, login: 1, risk: 2, acceptance: 1, history: 2, detection: 2, observation: 1, outcome: 1 };
    expect(await count(id)).toEqual(before);
    const untouched = await count(other);

    const files = (await getScan(server, scan.id)).results;
    const [native] = await Promise.all(files.map(async ({ result_id }) => (await server.api<string>("GET", `/v1/results/${result_id}`)).status));
    expect(native).toBe(200);
    const answers = await Promise.all([1, 2, 3].map(() => server.api("DELETE", `/v1/targets/${id}`)));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 404, 404]);
    expect(answers.find(({ status }) => status === 200)?.body).toBe("");
    expect(await count(id)).toEqual({ target: 0, login: 0, risk: 0, acceptance: 0, history: 0, detection: 0, observation: 0, outcome: 1 });
    expect(await count(other)).toEqual(untouched);

    const after = await getScan(server, scan.id);
    expect([after.state, after.requested_targets, after.results]).toEqual([scan.state, scan.requested_targets, files]);
    expect(after.risks.new_open).toHaveLength(2);
    for (const { result_id } of files) expect((await server.api("GET", `/v1/results/${result_id}`)).status).toBe(200);
    for (const path of [`/v1/targets/${id}`, `/v1/targets/${id}/auth`, `/v1/targets/${id}/observations`, `/v1/risks/${risks[0]?.id}`])
      expect((await server.api("GET", path)).status, path).toBe(404);
    expect((await server.api<Refusal>("POST", "/v1/scans", { type: "NMAP", target_ids: [id] })).status).toBe(404);
    expect((await add("10.4.4.1")).body.data.id).not.toBe(id);
  });

  test("while its scan runs, leaves the scan to end, with the outcome and without risks", async () => {
    const ids = [await idOf("10.4.5.1"), await idOf("10.4.5.2")];
    const { id } = await startScan(server, { type: "NMAP", target_ids: ids, options: { ports: "80" } });
    const tasks = [await claimSome(server), await claimSome(server)];
    expect((await server.api("DELETE", `/v1/targets/${ids[0]}`)).status).toBe(200);
    for (const task of tasks) await finishTask(server, task, tcpOutcome({ ports: "80", open: [80] }));
    const scan = await getScan(server, id);
    expect([scan.state, scan.targets.map(({ outcome }) => outcome), scan.risks.new_open.length]).toEqual(["SUCCEEDED", ["complete", "complete"], 1]);
    expect((await count(ids[0] ?? "")).risk).toBe(0);
  });

  test("before its turn came, is skipped with that reason; where none is left the scan fails with it", async () => {
    const ids = [await idOf("10.4.6.1"), await idOf("10.4.6.2")];
    const both = await startScan(server, { type: "NMAP", target_ids: ids, options: { ports: "80" } });
    const alone = await startScan(server, { type: "NMAP", target_ids: ids.slice(0, 1), options: { ports: "80" } });
    await server.api("DELETE", `/v1/targets/${ids[0]}`);
    await finishTask(server, await claimSome(server), tcpOutcome({ ports: "80", open: [] }));
    expect(await claim(server, { waitSeconds: 0 })).toBeNull();
    expect(await getScan(server, both.id)).toMatchObject({
      state: "SUCCEEDED",
      skipped_targets: [{ target_id: ids[0], skipped_reason: "The target was deleted before its turn came." }],
    });
    expect(await getScan(server, alone.id)).toMatchObject({ state: "FAILED", error: { message: expect.stringContaining("deleted before its turn") } });
  });

  test("while its scan ends and its risks are decided, keeps nobody waiting for ever", async () => {
    for (let round = 0; round < 8; round++) {
      const ids = await Promise.all(Array.from({ length: 6 }, (_, index) => idOf(`10.5.${round}.${index + 1}`)));
      await scanOnce(ids, [22, 80]).catch(() => undefined);
      await server.api("POST", `/v1/scans/${(await startScan(server, { type: "NMAP", target_ids: ids, options: { ports: "1-1000" } })).id}/cancel`);
      const { id } = await startScan(server, { type: "NMAP", target_ids: ids, options: { ports: "1-1000" } });
      const work = async () => {
        for (let task = await claim(server, { waitSeconds: 0 }); task; task = await claim(server, { waitSeconds: 0 }))
          await finishTask(server, task, tcpOutcome({ ports: "1-1000", open: [22] }));
      };
      const accept = () => server.api("POST", "/v1/risks/acceptances", { filters: { target_id: ids }, note: "x" });
      const answers = await Promise.all([work(), accept(), ...ids.flatMap((each) => [server.api("DELETE", `/v1/targets/${each}`), accept()])]);
      for (const answer of answers) if (answer) expect(answer.status).toBeLessThan(500);
      await until(async () => {
        await work();
        return ["SUCCEEDED", "FAILED"].includes((await getScan(server, id)).state);
      });
      for (const each of ids) expect((await count(each)).risk).toBe(0);
    }
  });

  test("is left out by the schedule that names it, and by a report over the others; one of it alone is refused", async () => {
    await using services = await openServices(server);
    const [kept = "", gone = ""] = [await idOf("10.4.7.1"), await idOf("10.4.7.2")];
    const schedule = (
      await server.api<{ data: Schedule }>("POST", "/v1/schedules", { name: "both", type: "NMAP", target_ids: [kept, gone], cron: "0 3 * * *" })
    ).body.data;
    await server.api("DELETE", `/v1/targets/${gone}`);
    await runDueSchedules(services, new Date(schedule.next_runs[0] ?? ""));
    const [run] = (await server.api<{ data: ScheduleRun[] }>("GET", `/v1/schedules/${schedule.id}/runs`)).body.data;
    expect(run).toMatchObject({ state: "started", reason: { code: "schedule.targets_deleted" } });
    expect((await getScan(server, run?.scan_id ?? "")).requested_targets.map(({ target_id }) => target_id)).toEqual([kept]);
    const report = await server.api<Refusal>("POST", "/v1/reports", { report_format: "HTML", targets_filter: { target_ids: [kept, gone] } });
    expect(report).toMatchObject({ status: 404, body: { error: { field: "targets_filter.target_ids[1]" } } });
  });
});

test("a login that was deleted before the scan's turn came is not done without", async () => {
  // So many that two of them are one task.
  const ids = await Promise.all([1, 2, 3, 4, 5].map((last) => idOf(`https://10.4.8.${last}/`)));
  for (const id of ids) await server.api("PUT", `/v1/targets/${id}/auth`, { kind: "cookie", name: "session", value: "x" });
  expect(await claim(server, { type: "OWASP_ZAP", waitSeconds: 0 })).toBeNull();
  const { id } = await startScan(server, { type: "OWASP_ZAP", target_ids: ids, use_authentication: true });
  await server.api("DELETE", `/v1/targets/${ids[0]}/auth`);
  const task = await claim(server, { type: "OWASP_ZAP" });
  expect(task?.targets).toMatchObject([{ target_id: ids[1], login: { kind: "cookie" } }]);
  expect((await getScan(server, id)).skipped_targets).toMatchObject([{ target_id: ids[0], skipped_reason: expect.stringContaining("has no login") }]);
  await server.api("POST", `/v1/scans/${id}/cancel`);
});
