import { existsSync } from "node:fs";
import { join } from "node:path";
import { sql } from "drizzle-orm";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type OpenServices, openServices } from "../testing/open-services.ts";
import { claim, claimSome, finishTask, getScan, startScan, startTestServer, type TestServer, tcpOutcome } from "../testing/start-test-server.ts";
import { reapTasks } from "./reap.ts";
import { createEngineReaper } from "./reap-engines.ts";

let server: TestServer;
let other: OpenServices;
beforeAll(async () => {
  server = await startTestServer();
  other = await openServices(server);
});
afterAll(async () => {
  await other[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
});

const options = { ports: "80" };

test("a scan that ran for days when its worker died is continued, not taken for one that no worker took", async () => {
  const { id } = await startScan(server, { type: "NMAP", targets: ["10.14.0.1"], options });
  const task = await claimSome(server);
  await other.db.execute(sql`
    update task set queued_until = now() - interval '1 hour', lease_until = now() - interval '1 second' where id = ${task.task_id}`);
  await reapTasks(other, { leasesCount: true });
  await reapTasks(other, { leasesCount: true });
  const again = await claimSome(server);
  expect(again).toMatchObject({ task_id: task.task_id, attempt: 2 });
  await finishTask(server, again, tcpOutcome({ ports: "80", open: [] }));
  expect((await getScan(server, id)).state).toBe("SUCCEEDED");
});

test("native output of an outcome that never came does not stay on the disk", async () => {
  const { id } = await startScan(server, { type: "NMAP", targets: ["10.14.0.3"], options });
  const task = await claimSome(server);
  const part = `/worker/v1/tasks/${task.task_id}/native/${task.targets[0]?.target_id}?attempt=1`;
  const headers = { authorization: `Bearer ${server.workerToken}`, "content-type": "application/octet-stream" };
  expect((await fetch(new URL(part, server.url), { method: "PUT", body: "<host/>", headers })).status).toBe(200);
  const folder = join(server.folder, "files", "native", id);
  expect(existsSync(folder)).toBe(true);
  await server.worker("POST", `/tasks/${task.task_id}/end`, { attempt: 1, error: { code: "engine.failed", message: "It broke.", retry: false } });
  const { results } = await getScan(server, id);
  for (const { result_id } of results) expect((await server.api("GET", `/v1/results/${result_id}`)).status).toBe(200);
  await expect.poll(() => existsSync(folder), { timeout: 10_000 }).toBe(false);
});

test("a worker whose slots are all taken is alive: nothing that waits for it ends", async () => {
  const reap = createEngineReaper(other, () => 1e9);
  await startScan(server, { type: "NMAP", targets: ["10.14.0.5"], options });
  const task = await claimSome(server);
  const { id } = await startScan(server, { type: "NMAP", targets: ["10.14.0.6"], options });
  await other.db.execute(sql`update worker set seen_at = now() - interval '10 minutes'`);
  await other.db.execute(sql`update task set created_at = now() - interval '10 minutes' where scan_id = ${id}`);
  await other.db.execute(sql`insert into worker (name, version, engines) values ('without Nmap', '0', '[{"type": "SSLYZE", "ready": true}]')`);
  expect((await server.worker("POST", `/tasks/${task.task_id}/heartbeat`, { attempt: 1, progress: 0.1 })).status).toBe(200);
  await reap();
  expect(await reap()).toBe(0);
  expect((await getScan(server, id)).state).toBe("QUEUED");
  const { status } = await server.api("POST", "/v1/scans", { type: "NMAP", targets: ["10.14.0.7"], options });
  expect(status).toBe(200);
  await other.db.execute(sql`delete from worker where name = 'without Nmap'`);
  await finishTask(server, task, tcpOutcome({ ports: "80", open: [] }));
  for (let left = 0; left < 2; left++) await finishTask(server, await claimSome(server), tcpOutcome({ ports: "80", open: [] }));
});

test("a file that could not be made is made again where it is asked for, and not over and over", async () => {
  const { id } = await startScan(server, { type: "NMAP", targets: ["10.14.0.8"], options });
  await finishTask(server, await claimSome(server), tcpOutcome({ ports: "80", open: [80] }));
  const file = (await getScan(server, id)).results.find(({ content_type }) => content_type === "application/json")?.result_id;
  const get = () => server.api<{ error: { code: string } }>("GET", `/v1/results/${file}`);
  expect((await get()).status).toBe(200);
  const lose = () => other.db.execute(sql`update result set state = 'failed', error = 'The disk was full.' where id = ${file}`);
  await lose();
  expect((await get()).status).toBe(200);
  await lose();
  expect(await get()).toMatchObject({ status: 500, body: { error: { code: "result.failed" } } });
});

test("a login that cannot be read skips its target, and costs no worker its claim", async () => {
  const claimZap = () => claim(server, { type: "OWASP_ZAP", waitSeconds: 0 });
  await claimZap();
  const { body } = await server.api<{ data: { id: string } }>("POST", "/v1/targets", { target: "http://10.14.0.9/" });
  const target = body.data.id;
  expect((await server.api("PUT", `/v1/targets/${target}/auth`, { kind: "header", name: "Authorization", value: "Bearer x" })).status).toBe(200);
  const { id } = await startScan(server, { type: "OWASP_ZAP", target_ids: [target], use_authentication: true });
  await other.db.execute(sql`update target_login set value = '\\x00' where target_id = ${target}`);
  expect(await claimZap()).toBeNull();
  expect(await getScan(server, id)).toMatchObject({ state: "FAILED", skipped_targets: [{ skipped_reason: expect.stringContaining("login cannot be read") }] });
});

test("an engine that is away for a moment costs no waiting scan; one that is away for a minute ends them, and they say so", async () => {
  let clock = 0;
  const reap = createEngineReaper(other, () => clock);
  const sayEngine = (ready: boolean) =>
    server.worker("POST", "/claim", {
      worker: { version: "0" },
      engines: [{ type: "SSLYZE", ready, ...(ready ? {} : { missing: "It does not answer." }) }],
      fitting: [],
      wait_seconds: 0,
    });
  const at = async (seconds: number, ready: boolean) => {
    await sayEngine(ready);
    clock = seconds * 1000;
    return reap();
  };
  await sayEngine(true);
  const { id } = await startScan(server, { type: "SSLYZE", targets: ["10.14.0.2"] });
  await other.db.execute(sql`update task set created_at = now() - interval '1 hour' where scan_id = ${id}`);
  expect(await at(0, false)).toBe(0);
  expect(await at(59, false)).toBe(0);
  expect(await at(70, true)).toBe(0);
  expect(await at(100, false)).toBe(0);
  expect((await getScan(server, id)).state).toBe("QUEUED");
  expect(await at(161, false)).toBe(1);
  expect(await getScan(server, id)).toMatchObject({ state: "FAILED", error: { code: "engine.missing" } });
});
