import type { Scan } from "@periscan/contract/scan.ts";
import { sql } from "drizzle-orm";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createScan } from "../scans/create-scan.ts";
import { releaseScans } from "../scans/release-scans.ts";
import { reapTasks } from "../tasks/reap.ts";
import { type OpenServices, openServices } from "../testing/open-services.ts";
import { type Answer, claim, claimSome, finishTask, getScan, startScan, startTestServer, type TestServer, tcpOutcome } from "../testing/start-test-server.ts";
import { measureStorage } from "./quotas.ts";
import { openWorkspaces, type WorkspaceLimits, type Workspaces } from "./workspaces.ts";

let server: TestServer;
let other: OpenServices;
let workspaces: Workspaces;
let workspaceId: string;
beforeAll(async () => {
  server = await startTestServer();
  other = await openServices(server);
  workspaces = await openWorkspaces(server.databaseUrl);
  const { rows } = await other.db.execute<{ id: string }>(sql`select id from workspace where name = 'default'`);
  workspaceId = rows[0]?.id ?? "";
});
afterAll(async () => {
  await workspaces.close();
  await other[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
});
beforeEach(async () => {
  await other.db.execute(sql`delete from scan`);
  await other.db.execute(sql`delete from target`);
  await other.db.execute(sql`delete from workspace_limit`);
});

const limit = (change: Partial<WorkspaceLimits>, name = "default") => workspaces.limit(name, change);
const options = { ports: "80" };
const request = (target: string) => ({ type: "NMAP" as const, targets: [target], options });
const statesOf = async (): Promise<string[]> => (await server.api<{ data: Scan[] }>("GET", "/v1/scans")).body.data.map(({ state }) => state).sort();
const finish = async () => finishTask(server, await claimSome(server), tcpOutcome({ ports: "80", open: [] }));

describe("scans a month", () => {
  test("of many at once on two servers exactly the allowance runs; the rest is kept, and says why", async () => {
    await limit({ scansPerMonth: 3 });
    await Promise.all(
      Array.from({ length: 12 }, (_, index) =>
        index % 2 ? startScan(server, request(`10.9.0.${index}`)) : createScan(other, workspaceId, request(`10.9.0.${index}`)),
      ),
    );
    expect(await statesOf()).toEqual([...Array(9).fill("OVER_LIMIT"), ...Array(3).fill("QUEUED")]);
    const over = await startScan(server, request("10.9.0.99"));
    expect(over).toMatchObject({
      state: "OVER_LIMIT",
      progress: 0,
      results: [],
      error: { code: "scan.over_limit", message: expect.stringMatching(/3 scans a month.*from \d{4}-\d\d-01 \(UTC\)/) },
      requested_targets: [{ target: "10.9.0.99" }],
      skipped_targets: [{ skipped_reason: expect.stringContaining("allowance") }],
      finished_at: expect.any(String),
    });
    for (let index = 0; index < 3; index++) await finish();
    expect(await claim(server, { waitSeconds: 0 })).toBeNull();
    expect((await statesOf()).filter((state) => state === "SUCCEEDED")).toHaveLength(3);
  });

  test("it is final: it cannot be cancelled, no reaper moves it, and the next month does not start it", async () => {
    await limit({ scansPerMonth: 1 });
    await startScan(server, request("10.9.0.1"));
    const over = await startScan(server, request("10.9.0.2"));
    await other.db.execute(sql`update scan set created_at = created_at - interval '40 days'`);
    await reapTasks(other, { leasesCount: true });
    await releaseScans(other);
    expect((await server.api("POST", `/v1/scans/${over.id}/cancel`)).status).toBe(409);
    expect((await getScan(server, over.id)).state).toBe("OVER_LIMIT");
    expect((await startScan(server, request("10.9.0.2"))).state).toBe("QUEUED");
  });

  test("the limit is the workspace's own, and none is no limit", async () => {
    await limit({ scansPerMonth: 1 }, "foreign");
    for (let index = 0; index < 3; index++) expect((await startScan(server, request("10.9.0.1"))).state).toBe("QUEUED");
    await limit({ scansPerMonth: 3 });
    expect((await startScan(server, request("10.9.0.1"))).state).toBe("OVER_LIMIT");
    await limit({ scansPerMonth: null });
    expect((await startScan(server, request("10.9.0.1"))).state).toBe("QUEUED");
    expect(await limit({ targets: 1 }, "nobody")).toBe(false);
  });
});

describe("targets", () => {
  const add = (target: string) => server.api<{ error: { code: string } }>("POST", "/v1/targets", { target });

  test("of many at once exactly the allowance is added", async () => {
    await limit({ targets: 5 });
    const made = await Promise.all([
      ...Array.from({ length: 10 }, (_, index) => add(`10.10.0.${index}`)),
      ...Array.from({ length: 10 }, (_, index) => server.api("POST", "/v1/scans", request(`10.10.1.${index}`))),
    ]);
    expect(made.filter(({ status }) => status === 200)).toHaveLength(5);
    expect(made.filter(({ status }) => status === 400)).toHaveLength(15);
    expect((await server.api<{ data: [] }>("GET", "/v1/targets")).body.data).toHaveLength(5);
  });

  test("a scan with too many new ones is refused whole; known ones cost nothing", async () => {
    await limit({ targets: 2 });
    await add("10.10.0.1");
    const refused = await server.api<{ error: { code: string; field: string } }>("POST", "/v1/scans", { type: "NMAP", targets: ["10.10.0.0/30"] });
    expect(refused).toMatchObject({ status: 400, body: { error: { code: "target.over_limit", field: "targets" } } });
    expect((await server.api<{ data: [] }>("GET", "/v1/targets")).body.data).toHaveLength(1);
    expect((await add("10.10.0.2")).status).toBe(200);
    expect((await server.api("POST", "/v1/targets?upsert", { target: "10.10.0.2", label: "known" })).status).toBe(200);
    expect((await startScan(server, { type: "NMAP", targets: ["10.10.0.1", "10.10.0.2"] })).state).toBe("QUEUED");
    expect(await add("10.10.0.3")).toMatchObject({ status: 400, body: { error: { code: "target.over_limit" } } });
  });
});

describe("concurrent scans", () => {
  const countActive = async () => {
    const { rows } = await other.db.execute<{ count: number }>(sql`select count(distinct scan_id)::int as count from task where state = 'running'`);
    return rows[0]?.count ?? 0;
  };

  test("however many workers and servers race, no more scans run than may, and all come to their end", async () => {
    await limit({ concurrentScans: 2 });
    const scans = await Promise.all(
      Array.from({ length: 12 }, (_, index) => {
        const body = { type: "NMAP" as const, targets: [`10.11.0.${index}`], options };
        return index % 2 ? startScan(server, body).then(({ id }) => id) : createScan(other, workspaceId, body);
      }),
    );
    const seen: number[] = [];
    let open = true;
    const release = async () => {
      while (open) await releaseScans(other);
    };
    const work = async () => {
      for (let task = await claim(server); task; task = await claim(server)) {
        seen.push(await countActive());
        await finishTask(server, task, tcpOutcome({ ports: "80", open: [] }));
      }
    };
    const releasing = [release(), release()];
    await Promise.all(Array.from({ length: 6 }, work));
    open = false;
    await Promise.all(releasing);
    expect(Math.max(...seen)).toBe(2);
    for (const id of scans) expect((await getScan(server, id)).state).toBe("SUCCEEDED");
  });

  test("those that wait begin in their order, are QUEUED meanwhile, and no deadline of the queue ends them", async () => {
    await limit({ concurrentScans: 1 });
    const [first, second, third] = [
      await startScan(server, request("10.11.0.1")),
      await startScan(server, request("10.11.0.2")),
      await startScan(server, request("10.11.0.3")),
    ];
    await other.db.execute(sql`update task set queued_until = now() - interval '1 hour' where state = 'held'`);
    await reapTasks(other, { leasesCount: true });
    expect((await getScan(server, second.id)).state).toBe("QUEUED");
    for (const scan of [first, second, third]) {
      const task = await claimSome(server);
      expect(task.scan_id).toBe(scan.id);
      expect(await claim(server, { waitSeconds: 0 })).toBeNull();
      await finishTask(server, task, tcpOutcome({ ports: "80", open: [] }));
    }
  });

  test("one that waits can be cancelled, and its turn goes to the next", async () => {
    await limit({ concurrentScans: 1 });
    const [, second, third] = [
      await startScan(server, request("10.11.0.1")),
      await startScan(server, request("10.11.0.2")),
      await startScan(server, request("10.11.0.3")),
    ];
    await server.api("POST", `/v1/scans/${second.id}/cancel`);
    expect((await getScan(server, second.id)).error?.code).toBe("scan.cancelled");
    await finish();
    expect((await claimSome(server)).scan_id).toBe(third.id);
  });

  test("a limit that is taken away lets all begin", async () => {
    await limit({ concurrentScans: 1 });
    for (let index = 0; index < 4; index++) await startScan(server, request(`10.11.0.${index}`));
    await limit({ concurrentScans: null });
    for (let index = 0; index < 4; index++) await finish();
    expect(await statesOf()).toEqual(Array(4).fill("SUCCEEDED"));
  });
});

describe("files", () => {
  const megabyte = 1024 ** 2;
  const code = ({ status, body }: Answer<{ error?: { code: string } }>) => [status, body.error?.code];
  const report = () => server.api<{ error: { code: string } }>("POST", "/v1/reports", { report_format: "HTML" });

  async function upload(bytes: number): Promise<Answer<{ error?: { code: string } }>> {
    const { body } = await server.api<{ data: { id: string } }>("POST", "/v1/sources", { source_type: "IMPORTED", name: "office" });
    const form = new FormData();
    for (const [name, value] of Object.entries({ scan_type: "NMAP", source_id: body.data.id })) form.set(name, value);
    form.set("file", new Blob([`<${"x".repeat(bytes)}`]), "x.xml");
    const response = await fetch(new URL("/v1/results", server.url), { method: "POST", headers: server.own, body: form });
    return { status: response.status, body: (await response.json()) as { error?: { code: string } } };
  }

  test("imports, results and reports count; over the limit imports and reports are refused, scans are kept and say why, and nothing that is there goes", async () => {
    const scan = await startScan(server, request("10.11.9.1"));
    await finish();
    const native = (await getScan(server, scan.id)).results.at(-1)?.result_id ?? "";
    const file = await fetch(new URL(`/v1/results/${native}`, server.url), { headers: server.own });
    await file.arrayBuffer();
    const before = await measureStorage(other.db, workspaceId);
    expect(before).toBeGreaterThanOrEqual(Number(file.headers.get("content-length")));
    const limitMegabytes = Math.ceil(before / megabyte) + 1;
    await limit({ storageMegabytes: limitMegabytes });
    expect(code(await upload(2 * megabyte))).toEqual([403, "storage.over_limit"]);
    expect(await measureStorage(other.db, workspaceId)).toBe(before);
    expect((await report()).status).toBe(200);
    const most = Math.floor((limitMegabytes * megabyte - before) * 0.7);
    const [first, second] = await Promise.all([upload(most), upload(most)]);
    expect([first.status, second.status].sort()).toEqual([200, 403]);
    await limit({ storageMegabytes: 1 });
    await other.db.execute(sql`update result set size_bytes = ${2 * megabyte} where id = ${native}`);
    expect(code(await report())).toEqual([403, "storage.over_limit"]);
    expect(code(await upload(10))).toEqual([403, "storage.over_limit"]);
    expect(await startScan(server, request("10.11.9.2"))).toMatchObject({
      state: "OVER_LIMIT",
      error: { code: "storage.over_limit", message: expect.stringContaining("1 MB") },
    });
    expect((await fetch(new URL(`/v1/results/${native}`, server.url), { headers: server.own })).status).toBe(200);
    await limit({ storageMegabytes: null });
    expect((await startScan(server, request("10.11.9.3"))).state).toBe("QUEUED");
  });
});

test("of many schedules at once exactly the allowance is kept, and a deleted one makes room", async () => {
  const add = () =>
    server.api<{ data: { id: string }; error?: { code: string } }>("POST", "/v1/schedules", {
      name: "x",
      type: "NMAP",
      targets: ["10.12.9.1"],
      every: "day",
      at: "03:00",
      time_zone: "UTC",
    });
  await limit({ schedules: 3 });
  const made = await Promise.all(Array.from({ length: 8 }, add));
  expect(made.filter(({ status }) => status === 200)).toHaveLength(3);
  expect(made.filter(({ status, body }) => status === 403 && body.error?.code === "schedule.over_limit")).toHaveLength(5);
  const ids = made.flatMap(({ status, body }) => (status === 200 ? [body.data.id] : []));
  await server.api("DELETE", `/v1/schedules/${ids[0]}`);
  expect((await add()).status).toBe(200);
  await other.db.execute(sql`delete from schedule`);
});

test("the operator sees each workspace's limits and use", async () => {
  await limit({ scansPerMonth: 9, concurrentScans: 1 });
  for (let index = 0; index < 2; index++) await startScan(server, request(`10.12.0.${index}`));
  expect(await workspaces.list()).toEqual([
    {
      name: "default",
      limits: { scansPerMonth: 9, targets: null, concurrentScans: 1, requestsPerMinute: null, storageMegabytes: null, schedules: null, mailsPerHour: null },
      used: { scansThisMonth: 2, targets: 2, concurrentScans: 1, storageMegabytes: expect.any(Number), schedules: 0 },
    },
    expect.objectContaining({ name: "foreign" }),
  ]);
});

describe("requests", () => {
  const get = async (url = server.url, headers: Record<string, string> = {}): Promise<Answer<Record<string, string>>> => {
    const response = await fetch(new URL("/v1/targets?page_size=1", url), { headers });
    await response.arrayBuffer();
    return { status: response.status, body: Object.fromEntries(response.headers) };
  };

  test("a key may make so many a minute on all servers together, is told how many are left, and when to come again", async () => {
    await limit({ requestsPerMinute: 13 });
    await using second = await startTestServer({ databaseUrl: server.databaseUrl });
    const { key } = await server.keys.createApiKey({ name: "limited" });
    const { key: neighbour } = await server.keys.createApiKey({ name: "neighbour" });
    const headers = { "x-hostedscan-api-key": key };
    const first = await get(server.url, headers);
    expect(first).toMatchObject({ status: 200, body: { "ratelimit-policy": '"key";q=13;w=60', ratelimit: '"key";r=12;t=5' } });
    const answers = await Promise.all(Array.from({ length: 40 }, (_, index) => get(index % 2 ? server.url : second.url, headers)));
    const refused = answers.filter(({ status }) => status === 429);
    // One more may have come into the bucket meanwhile.
    expect([27, 28]).toContain(refused.length);
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(40 - refused.length);
    for (const { body } of refused) {
      expect(Number(body["retry-after"])).toBeGreaterThanOrEqual(1);
      expect(Number(body["retry-after"])).toBeLessThanOrEqual(5);
      expect(body.ratelimit).toMatch(/^"key";r=0;t=(59|60)$/);
    }
    expect((await get(server.url, { "x-hostedscan-api-key": neighbour })).status).toBe(200);
    // As if the time that it was told had passed.
    await other.db.execute(sql`update request_bucket set full_at = full_at - interval '5 seconds'`);
    expect((await get(second.url, headers)).status).toBe(200);
  });

  test("without a limit no bucket is kept and no header is sent", async () => {
    const { body } = await server.api<{ data: [] }>("GET", "/v1/targets");
    expect(body.data).toEqual([]);
    const { key } = await server.keys.createApiKey({ name: "free" });
    expect((await get(server.url, { "x-hostedscan-api-key": key })).body).not.toHaveProperty("ratelimit");
  });

  test("who tries wrong keys is stopped by address, while keys that are in use there go on; the address is the proxy's client where that is trusted", async () => {
    await using guarded = await startTestServer({ databaseUrl: server.databaseUrl, wrongKeysPerMinute: 10, trustedProxies: ["127.0.0.1"] });
    const { key } = await server.keys.createApiKey({ name: "in use" });
    const { key: fresh } = await server.keys.createApiKey({ name: "not in use yet" });
    const attacker = { "x-forwarded-for": "192.0.2.66" };
    expect((await get(guarded.url, { ...attacker, "x-hostedscan-api-key": key })).status).toBe(200);
    const guess = async (index: number) => (await get(guarded.url, { ...attacker, "x-hostedscan-api-key": `guess-${index}` })).status;
    const statuses = [];
    for (let index = 0; index < 12; index++) statuses.push(await guess(index));
    expect(statuses).toEqual([...Array(10).fill(401), 429, 429]);
    const refused = await get(guarded.url, { ...attacker, "x-hostedscan-api-key": fresh });
    expect([refused.status, Number(refused.body["retry-after"])]).toEqual([429, 6]);
    expect((await get(guarded.url, { ...attacker, "x-hostedscan-api-key": key })).status).toBe(200);
    expect((await get(guarded.url, { "x-forwarded-for": "192.0.2.67", "x-hostedscan-api-key": fresh })).status).toBe(200);
    const claims = await fetch(new URL("/worker/v1/claim", guarded.url), { method: "POST", headers: { ...attacker, authorization: "Bearer guess" } });
    expect(claims.status).toBe(429);
  });
});
