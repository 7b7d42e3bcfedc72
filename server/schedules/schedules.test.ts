import type { Scan } from "@periscan/contract/scan.ts";
import type { Schedule, ScheduleRun } from "@periscan/contract/schedule.ts";
import { sql } from "drizzle-orm";
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { type OpenServices, openServices } from "../testing/open-services.ts";
import { claimSome, finishTask, getScan, startTestServer, type TestServer, tcpOutcome } from "../testing/start-test-server.ts";
import { runDueSchedules } from "./run-due.ts";

let server: TestServer;
let one: OpenServices;
let two: OpenServices;
beforeAll(async () => {
  server = await startTestServer();
  one = await openServices(server);
  two = await openServices(server);
});
afterAll(async () => {
  await one[Symbol.asyncDispose]();
  await two[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
});
beforeEach(async () => {
  await one.db.execute(sql`delete from schedule`);
  await one.db.execute(sql`delete from scan`);
});

const nightly = { name: "nightly", type: "NMAP", targets: ["10.7.0.1"], options: { ports: "80" }, cron: "0 3 * * *" };
const minutes = (count: number) => count * 60_000;
const days = (count: number) => minutes(count * 24 * 60);

async function add(body: object = {}): Promise<Schedule> {
  const { status, body: answer } = await server.api<{ data: Schedule }>("POST", "/v1/schedules", { ...nightly, ...body });
  expect(answer, JSON.stringify(answer)).toHaveProperty("data");
  expect(status).toBe(200);
  return answer.data;
}
const get = async (id: string) => (await server.api<{ data: Schedule }>("GET", `/v1/schedules/${id}`)).body.data;
const runsOf = async (id: string) => (await server.api<{ data: ScheduleRun[] }>("GET", `/v1/schedules/${id}/runs`)).body.data;
const scansOf = async (id: string) =>
  (await server.api<{ data: Scan[] }>("GET", `/v1/scans?filters=${encodeURIComponent(JSON.stringify({ scheduled_by: [id] }))}`)).body.data;
const firstOf = ({ next_runs }: Schedule): Date => new Date(next_runs[0] ?? "");
const later = (moment: Date, milliseconds: number) => new Date(moment.getTime() + milliseconds);

async function endScans(): Promise<void> {
  for (const { state } of (await server.api<{ data: Scan[] }>("GET", "/v1/scans")).body.data)
    if (state === "QUEUED") await finishTask(server, await claimSome(server), tcpOutcome({ ports: "80", open: [] }));
}

test("an occurrence makes one scan at its time, which says whose it is", async () => {
  const schedule = await add();
  expect(schedule).toMatchObject({ cron: "0 3 * * *", time_zone: "UTC", missed: "run_once", overlap: "skip", enabled: true });
  expect(schedule.next_runs).toHaveLength(5);
  const due = firstOf(schedule);
  expect(await runDueSchedules(one, later(due, -1))).toBe(0);
  expect(await runDueSchedules(one, due)).toBe(1);
  expect(await runDueSchedules(one, later(due, minutes(1)))).toBe(0);
  const [scan, ...more] = await scansOf(schedule.id);
  expect(more).toEqual([]);
  expect(scan).toMatchObject({ state: "QUEUED", scheduled_by: schedule.id, options: { ports: "80" }, requested_targets: [{ target: "10.7.0.1" }] });
  expect(await runsOf(schedule.id)).toMatchObject([{ planned_at: due.toISOString(), state: "started", scan_id: scan?.id }]);
  expect(await get(schedule.id)).toMatchObject({
    last_scan_id: scan?.id,
    next_runs: [later(due, days(1)).toISOString(), ...schedule.next_runs.slice(2)].concat([expect.any(String)] as never),
  });
});

test("two servers that look at the same moments make each scan once", async () => {
  const schedules = await Promise.all(Array.from({ length: 20 }, (_, index) => add({ name: `s${index}`, targets: [`10.7.1.${index}`], overlap: "skip" })));
  const due = firstOf(schedules[0] as Schedule);
  await Promise.all([one, two, one, two].map((services) => runDueSchedules(services, due)));
  while ((await runDueSchedules(one, due)) > 0);
  for (const { id } of schedules) {
    expect(await scansOf(id)).toHaveLength(1);
    expect(await runsOf(id)).toHaveLength(1);
  }
});

test("tags are resolved at each run", async () => {
  await server.api("POST", "/v1/targets?upsert", { target: "10.7.2.1", tags: ["blue"] });
  const schedule = await add({ targets: [], tags: ["blue"] });
  const due = firstOf(schedule);
  await runDueSchedules(one, due);
  await endScans();
  await server.api("POST", "/v1/targets?upsert", { target: "10.7.2.2", tags: ["blue"] });
  await runDueSchedules(one, later(due, days(1)));
  const counts = (await scansOf(schedule.id)).map(({ requested_targets }) => requested_targets.length);
  expect(counts).toEqual([2, 1]);
});

test("29 February is an occurrence like any other", async () => {
  const february = [await add({ cron: "0 3 29 2 *" }), await add({ cron: "0 3 * 2 *", targets: ["10.7.7.1"] })];
  const due = new Date("2028-02-29T03:00:00Z");
  await one.db.execute(sql`update schedule set next_run_at = ${due.toISOString()}::timestamptz`);
  expect(await runDueSchedules(one, due)).toBe(2);
  for (const { id } of february) expect(await runsOf(id)).toMatchObject([{ planned_at: due.toISOString(), state: "started" }]);
  const nexts = await Promise.all(february.map(async ({ id }) => firstOf(await get(id)).toISOString()));
  expect(nexts).toEqual(["2032-02-29T03:00:00.000Z", "2029-02-01T03:00:00.000Z"]);
});

describe("occurrences that were missed", () => {
  test("run_once: one scan stands for all of them, and the times go on as planned", async () => {
    const schedule = await add({ cron: "*/15 * * * *" });
    const due = firstOf(schedule);
    await runDueSchedules(one, later(due, minutes(15 * 10 + 14)));
    expect(await scansOf(schedule.id)).toHaveLength(1);
    expect(await runsOf(schedule.id)).toMatchObject([
      { planned_at: later(due, minutes(150)).toISOString(), missed_since: due.toISOString(), state: "started" },
    ]);
    expect(firstOf(await get(schedule.id))).toEqual(later(due, minutes(165)));
  });

  test("skip: none, with the reason", async () => {
    const schedule = await add({ missed: "skip" });
    const due = firstOf(schedule);
    await runDueSchedules(one, later(due, days(3) + minutes(6)));
    expect(await scansOf(schedule.id)).toEqual([]);
    expect(await runsOf(schedule.id)).toMatchObject([{ state: "skipped", reason: { code: "schedule.missed" }, missed_since: due.toISOString() }]);
  });

  test("skip: one that is due just now runs, whatever was missed before", async () => {
    const schedule = await add({ missed: "skip" });
    const due = firstOf(schedule);
    await runDueSchedules(one, later(due, days(3) + minutes(4)));
    expect(await runsOf(schedule.id)).toMatchObject([{ state: "started", planned_at: later(due, days(3)).toISOString() }]);
  });
});

test("a clock that jumps forth and back runs nothing twice", async () => {
  const schedule = await add({ cron: "0 * * * *", overlap: "skip" });
  const due = firstOf(schedule);
  for (const jump of [0, 60 * 30, 60 * 24, 60, 0, 60 * 24, 60 * 24 + 15]) {
    await runDueSchedules(one, later(due, minutes(jump)));
    await endScans();
  }
  const planned = (await runsOf(schedule.id)).map(({ planned_at }) => planned_at);
  expect(new Set(planned).size).toBe(planned.length);
  expect(planned).toEqual([later(due, minutes(60 * 30)), due].map((moment) => moment.toISOString()));
});

describe("an occurrence whose scan before still runs", () => {
  test("skip: makes none, and says why", async () => {
    const schedule = await add();
    const due = firstOf(schedule);
    await runDueSchedules(one, due);
    await runDueSchedules(one, later(due, days(1)));
    const [scan] = await scansOf(schedule.id);
    expect(await runsOf(schedule.id)).toMatchObject([
      { state: "skipped", reason: { code: "schedule.overlap", message: expect.stringContaining(scan?.id ?? "") } },
      {},
    ]);
    await endScans();
    await runDueSchedules(one, later(due, days(2)));
    expect(await scansOf(schedule.id)).toHaveLength(2);
  });

  test("queue: one waits for its end, in whichever servers look, and further ones are skipped", async () => {
    const schedule = await add({ overlap: "queue" });
    const due = firstOf(schedule);
    for (const day of [0, 1, 2]) await runDueSchedules(one, later(due, days(day)));
    expect((await runsOf(schedule.id)).map(({ state }) => state)).toEqual(["skipped", "waiting", "started"]);
    await endScans();
    await Promise.all([one, two, one, two].map((services) => runDueSchedules(services, later(due, days(2)))));
    const runs = await runsOf(schedule.id);
    expect(runs.map(({ state }) => state)).toEqual(["skipped", "started", "started"]);
    expect((await scansOf(schedule.id)).map(({ id }) => id)).toEqual([runs[1]?.scan_id, runs[2]?.scan_id]);
    expect(runs[1]?.reason).toBeUndefined();
  });

  test("queue: one that is ready is looked at, however many of others wait for scans that still run", async () => {
    const { id: other, next_runs } = await add({ overlap: "queue" });
    const due = new Date(next_runs[0] ?? "");
    await runDueSchedules(one, due);
    await one.db.execute(sql`
      with many as (
        insert into schedule select (jsonb_populate_record(schedule, jsonb_build_object('id', gen_random_uuid(), 'next_run_at', null))).*
        from schedule, generate_series(1, 600) where id = ${other} returning id)
      insert into schedule_run (id, schedule_id, planned_at, state) select gen_random_uuid(), id, now(), 'waiting' from many`);
    const schedule = await add({ overlap: "queue", targets: ["10.7.6.1"] });
    for (const day of [0, 1]) await runDueSchedules(one, later(due, days(day)));
    const [scan] = await scansOf(schedule.id);
    await server.api("POST", `/v1/scans/${scan?.id}/cancel`);
    expect(await runDueSchedules(one, later(due, days(1)))).toBe(1);
    expect((await runsOf(schedule.id)).map(({ state }) => state)).toEqual(["started", "started"]);
  });

  test("what waits is dropped when the schedule is paused", async () => {
    const schedule = await add({ overlap: "queue" });
    const due = firstOf(schedule);
    for (const day of [0, 1]) await runDueSchedules(one, later(due, days(day)));
    await server.api("POST", `/v1/schedules/${schedule.id}/pause`);
    await endScans();
    await runDueSchedules(one, later(due, days(2)));
    expect((await runsOf(schedule.id))[0]).toMatchObject({ state: "skipped", reason: { code: "schedule.paused" } });
    expect(await scansOf(schedule.id)).toHaveLength(1);
  });
});

describe("a run that is refused is in the log with its reason, and the schedule goes on", () => {
  test("no target with that tag", async () => {
    const schedule = await add({ targets: [], tags: ["nobody has it"] });
    await runDueSchedules(one, firstOf(schedule));
    expect(await runsOf(schedule.id)).toMatchObject([{ state: "refused", reason: { code: "request.invalid", message: "No target has one of these tags." } }]);
    expect(firstOf(await get(schedule.id))).toEqual(later(firstOf(schedule), days(1)));
  });

  test("an engine that no worker has", async () => {
    const schedule = await add();
    const claimed = {
      worker: { version: "0" },
      engines: [{ type: "NMAP", ready: false, missing: "Nmap is not installed." }],
      fitting: [],
      wait_seconds: 0,
    };
    await one.db.execute(sql`delete from worker`);
    await server.worker("POST", "/claim", claimed);
    await runDueSchedules(one, firstOf(schedule));
    await one.db.execute(sql`delete from worker`);
    expect(await runsOf(schedule.id)).toMatchObject([
      { state: "refused", reason: { code: "engine.missing", message: expect.stringContaining("not installed") } },
    ]);
  });

  test("targets that were deleted are left out and told of; without any left there is no scan", async () => {
    const ids = await Promise.all(
      ["10.7.3.1", "10.7.3.2"].map(async (target) => (await server.api<{ data: { id: string } }>("POST", "/v1/targets", { target })).body.data.id),
    );
    const schedule = await add({ targets: [], target_ids: ids });
    const due = firstOf(schedule);
    await server.api("DELETE", `/v1/targets/${ids[0]}`);
    await runDueSchedules(one, due);
    await endScans();
    await server.api("DELETE", `/v1/targets/${ids[1]}`);
    await runDueSchedules(one, later(due, days(1)));
    expect(await runsOf(schedule.id)).toMatchObject([
      { state: "refused", reason: { code: "schedule.no_targets" } },
      { state: "started", reason: { code: "schedule.targets_deleted", message: expect.stringContaining("1 of") } },
    ]);
  });

  test("one that cannot be decided is in the server's log, and does not stop the others", async () => {
    const [broken, good] = [await add({ name: "broken" }), await add({ name: "good", targets: ["10.7.4.1"] })];
    await one.db.execute(sql`update schedule set time_zone = 'Mars/Phobos', next_run_at = next_run_at - interval '1 minute' where id = ${broken.id}`);
    const logged = vi.spyOn(one.log, "error");
    await runDueSchedules(one, firstOf(good));
    expect(logged.mock.calls).toMatchObject([[{ scheduleId: broken.id, err: { message: expect.stringContaining("Mars/Phobos") } }, expect.any(String)]]);
    logged.mockRestore();
    expect(await scansOf(good.id)).toHaveLength(1);
    await one.db.execute(sql`delete from schedule where id = ${broken.id}`);
  });
});

test("a paused schedule makes nothing; resumed, it goes on with the next time from now", async () => {
  const schedule = await add();
  const due = firstOf(schedule);
  const paused = await server.api<{ data: Schedule }>("POST", `/v1/schedules/${schedule.id}/pause`);
  expect(paused.body.data).toMatchObject({ enabled: false, next_runs: [] });
  expect(await runDueSchedules(one, later(due, days(10)))).toBe(0);
  const resumed = await server.api<{ data: Schedule }>("POST", `/v1/schedules/${schedule.id}/resume`);
  expect(resumed.body.data).toMatchObject({ enabled: true, next_runs: schedule.next_runs });
  expect(await runsOf(schedule.id)).toEqual([]);
});

test("a schedule that is deleted while it is due makes its scan or none, and its scans stay", async () => {
  for (let round = 0; round < 10; round++) {
    const schedule = await add();
    const [, deleted] = await Promise.all([runDueSchedules(one, firstOf(schedule)), server.api("DELETE", `/v1/schedules/${schedule.id}`)]);
    expect(deleted.status).toBe(200);
    expect((await server.api("GET", `/v1/schedules/${schedule.id}`)).status).toBe(404);
    expect(await runDueSchedules(one, later(firstOf(schedule), days(1)))).toBe(0);
    expect((await scansOf(schedule.id)).length).toBeLessThanOrEqual(1);
  }
});

test("a change of the name leaves what is due; a change of the times plans anew", async () => {
  const schedule = await add();
  await one.db.execute(sql`update schedule set next_run_at = now() + interval '1 hour' where id = ${schedule.id}`);
  const due = firstOf(await get(schedule.id));
  const put = async (body: object) => (await server.api<{ data: Schedule }>("PUT", `/v1/schedules/${schedule.id}`, body)).body.data;
  expect(firstOf(await put({ name: "renamed", tags: ["x"] }))).toEqual(due);
  expect(await put({ cron: "0 4 * * *" })).toMatchObject({ name: "renamed", cron: "0 4 * * *", targets: ["10.7.0.1"], tags: ["x"] });
  expect(firstOf(await get(schedule.id)).getUTCHours()).toBe(4);
  expect(await put({ every: "week", on: ["TUE"], time_zone: "America/New_York" })).toMatchObject({ cron: "0 3 * * TUE", time_zone: "America/New_York" });
});

describe("a bad schedule is refused with the field at fault", () => {
  test.each([
    [{ name: "" }, 400, "name"],
    [{ cron: "0 0 30 2 *" }, 400, "cron"],
    [{ cron: "59 23 31 4,6,9,11 *" }, 400, "cron"],
    [{ cron: "*/5 * * * *" }, 400, "cron"],
    [{ cron: undefined }, 400, "cron"],
    [{ cron: undefined, every: "year" }, 400, "every"],
    [{ cron: undefined, every: "day", at: "24:00" }, 400, "at"],
    [{ cron: undefined, every: "month", on: [32] }, 400, "on[0]"],
    [{ time_zone: "Mars/Phobos" }, 400, "time_zone"],
    [{ targets: [] }, 400, "targets"],
    [{ targets: ["-oN /tmp/x"] }, 400, "targets[0]"],
    [{ target_ids: ["0190b1a2-0000-7000-8000-000000000000"] }, 404, "target_ids[0]"],
    [{ options: { script: "vuln" } }, 400, "options.script"],
    [{ options: { ports: 80 } }, 400, "options.ports"],
    [{ missed: "all" }, 400, "missed"],
    [{ overlap: "kill" }, 400, "overlap"],
    [{ colour: "blue" }, 400, "colour"],
  ])("%j", async (change, status, field) => {
    const answer = await server.api<{ error: { field: string; message: string } }>("POST", "/v1/schedules", { ...nightly, ...change });
    expect([answer.status, answer.body.error?.field], answer.body.error?.message).toEqual([status, field]);
    expect((await server.api("GET", "/v1/schedules")).body).toEqual({ data: [] });
  });
});

test("lists are filtered and paged", async () => {
  const made = [];
  for (const name of ["a", "b", "c"]) made.push(await add({ name, enabled: name !== "b" }));
  const list = async (filters: object, page = "") =>
    (await server.api<{ data: Schedule[]; next_page_token?: string }>("GET", `/v1/schedules?filters=${encodeURIComponent(JSON.stringify(filters))}${page}`))
      .body;
  expect((await list({ enabled: ["true"] })).data.map(({ name }) => name)).toEqual(["a", "c"]);
  expect((await list({ name: ["b", "c"], type: ["NMAP"] })).data.map(({ name }) => name)).toEqual(["b", "c"]);
  expect((await list({ type: ["SSLYZE"] })).data).toEqual([]);
  const first = await list({}, "&page_size=2");
  expect([...first.data, ...(await list({}, `&page_token=${first.next_page_token}`)).data]).toEqual(made);
});

test("nothing of a schedule is seen or changed with the key of another workspace", async () => {
  const { id } = await add();
  const walk: [string, string, object?][] = [
    ["GET", ""],
    ["PUT", "", { name: "mine" }],
    ["POST", "/pause"],
    ["POST", "/resume"],
    ["GET", "/runs"],
    ["DELETE", ""],
  ];
  for (const [method, path, body] of walk)
    expect((await server.api(method, `/v1/schedules/${id}${path}`, body, server.foreign)).status, method + path).toBe(404);
  expect((await server.api("GET", "/v1/schedules", undefined, server.foreign)).body).toEqual({ data: [] });
  for (const [method, path, body] of walk) expect((await server.api(method, `/v1/schedules/${id}${path}`, body)).status, method + path).toBe(200);
  const { body } = await server.api<{ data: { id: string } }>("POST", "/v1/targets?upsert", { target: "10.7.5.1" });
  const borrowed = { ...nightly, targets: [], target_ids: [body.data.id] };
  expect((await server.api("POST", "/v1/schedules", borrowed, server.foreign)).status).toBe(404);
});

test("a scan that a schedule made is told by the API of its own server", async () => {
  const schedule = await add();
  await one.db.execute(sql`update schedule set next_run_at = now() where id = ${schedule.id}`);
  const until = performance.now() + 20_000;
  while ((await scansOf(schedule.id)).length === 0 && performance.now() < until);
  const [scan] = await scansOf(schedule.id);
  expect(await getScan(server, scan?.id ?? "")).toMatchObject({ scheduled_by: schedule.id });
});
