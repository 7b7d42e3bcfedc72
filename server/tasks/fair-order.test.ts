import type { Scan, ScanType } from "@periscan/contract/scan.ts";
import type { Task } from "@periscan/contract/worker-protocol.ts";
import { sql } from "drizzle-orm";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { type OpenServices, openServices } from "../testing/open-services.ts";
import { claim, claimSome, finishTask, startScan, startTestServer, type TestServer, tcpOutcome } from "../testing/start-test-server.ts";
import { claimTask } from "./claim-task.ts";

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
beforeEach(async () => {
  await other.db.execute(sql`delete from scan`);
  await other.db.execute(sql`delete from workspace_turn`);
});

const body = (target: string, type: ScanType = "NMAP") => ({ type, targets: [target], options: { ports: "80" } });
const ofForeign = async (target: string, type?: ScanType): Promise<Scan> =>
  (await server.api<{ data: Scan }>("POST", "/v1/scans", body(target, type), server.foreign)).body.data;
const look = tcpOutcome({ ports: "80", open: [] });

/** Queues scans of the first workspace, then one scan of the other: the youngest of all. */
async function queueMany(count: number): Promise<{ ours: string[]; foreign: string }> {
  const ours = await Promise.all(Array.from({ length: count }, async (_, index) => (await startScan(server, body(`10.13.${index >> 8}.${index & 255}`))).id));
  return { ours, foreign: (await ofForeign("10.13.200.1")).id };
}

test("on a single slot one scan does not wait behind another workspace's many", async () => {
  const { foreign } = await queueMany(40);
  const order: string[] = [];
  for (let index = 0; index < 2; index++) {
    const task = await claimSome(server);
    order.push(task.scan_id);
    await finishTask(server, task, look);
  }
  expect(order).toContain(foreign);
});

test("workspaces with as many running tasks take turns, oldest task first within each", async () => {
  const ours: string[] = [];
  const foreign: string[] = [];
  for (let index = 0; index < 3; index++) ours.push((await startScan(server, body(`10.13.0.${index}`))).id);
  for (let index = 0; index < 3; index++) foreign.push((await ofForeign(`10.13.1.${index}`)).id);
  const order: string[] = [];
  for (let index = 0; index < 6; index++) order.push((await claimSome(server)).scan_id);
  expect(order.filter((id) => ours.includes(id))).toEqual(ours);
  expect(order.filter((id) => foreign.includes(id))).toEqual(foreign);
  for (let pair = 0; pair < 6; pair += 2) expect(ours.includes(order[pair] ?? "")).not.toBe(ours.includes(order[pair + 1] ?? ""));
});

test("a workspace that has fewer running tasks catches up first", async () => {
  await queueMany(8);
  const tasks: Task[] = [];
  for (let index = 0; index < 5; index++) tasks.push(await claimSome(server));
  const late = [await ofForeign("10.13.201.1"), await ofForeign("10.13.201.2")].map(({ id }) => id);
  expect([(await claimSome(server)).scan_id, (await claimSome(server)).scan_id]).toEqual(late);
});

test("of many workers on two servers that claim at once, each gets a task of its own, and the workspaces as many", async () => {
  const scans = await Promise.all([...Array(30).keys()].flatMap((index) => [startScan(server, body(`10.14.0.${index}`)), ofForeign(`10.14.1.${index}`)]));
  const engines = [{ type: "NMAP" as const, ready: true }];
  const claims = Array.from({ length: 30 }, (_, index) =>
    index % 2
      ? claim(server)
      : claimTask(
          other,
          { worker: { name: `w${index}`, isEmbedded: false, version: "0" }, engines, fitting: ["NMAP"], wait_seconds: 5 },
          new AbortController().signal,
        ),
  );
  const tasks = await Promise.all(claims);
  expect(new Set(tasks.map((task) => task?.task_id)).size).toBe(30);
  const foreign = new Set(scans.filter((_, index) => index % 2).map(({ id }) => id));
  expect(tasks.filter((task) => foreign.has(task?.scan_id ?? ""))).toHaveLength(15);
});

test("two servers that look at the same moment do not both serve the same workspace", async () => {
  await using third = await openServices(server);
  const scans = await Promise.all([...Array(12).keys()].flatMap((index) => [startScan(server, body(`10.14.2.${index}`)), ofForeign(`10.14.3.${index}`)]));
  const foreign = new Set(scans.filter((_, index) => index % 2).map(({ id }) => id));
  const wanted = { types: ["NMAP"], fitting: ["NMAP"] };
  for (let round = 0; round < 10; round++) {
    const picked = await Promise.all([other.picker.pick(wanted), third.picker.pick(wanted)]);
    expect(picked.filter((task) => foreign.has(task?.scanId ?? ""))).toHaveLength(1);
  }
});

test("a task that does not fit is passed by other workspaces' while it has not waited long, and by its own workspace's never", async () => {
  // The server takes a scan of a type only where a worker has its engine.
  await claim(server, { type: "NMAP_UDP", fitting: ["NMAP"], waitSeconds: 0 });
  const large = await startScan(server, body("10.15.0.1", "NMAP_UDP"));
  await startScan(server, body("10.15.0.2"));
  const small = [await ofForeign("10.15.1.1"), await ofForeign("10.15.1.2")].map(({ id }) => id);
  const crowded = { type: "NMAP_UDP" as const, fitting: ["NMAP" as const], waitSeconds: 0 };
  expect((await claim(server, crowded))?.scan_id).toBe(small[0]);
  await other.db.execute(sql`update task set available_at = now() - interval '6 minutes' where scan_id = ${large.id}`);
  expect(await claim(server, { ...crowded, waitSeconds: 1 })).toBeNull();
  const roomy = { type: "NMAP_UDP" as const, fitting: ["NMAP" as const, "NMAP_UDP" as const] };
  expect((await claim(server, roomy))?.scan_id).toBe(large.id);
  expect((await claim(server, { ...crowded, waitSeconds: 5 }))?.scan_id).toBeDefined();
});

test("a task that was picked and not given out, because its server died, is free again after a moment", async () => {
  const { id } = await startScan(server, body("10.16.0.1"));
  expect(await other.picker.pick({ types: ["NMAP"], fitting: ["NMAP"] })).toMatchObject({ scanId: id });
  expect(await claim(server, { waitSeconds: 0 })).toBeNull();
  await other.db.execute(sql`update task set reserved_until = now() - interval '1 second'`);
  expect((await claim(server, { waitSeconds: 2 }))?.scan_id).toBe(id);
});

test("a scan that is cancelled between pick and claim is not given out, and does not count as running", async () => {
  const { id } = await startScan(server, body("10.16.0.2"));
  await other.picker.pick({ types: ["NMAP"], fitting: ["NMAP"] });
  await server.api("POST", `/v1/scans/${id}/cancel`);
  expect(await claim(server, { waitSeconds: 0 })).toBeNull();
  const { rows } = await other.db.execute(sql`select id from task where state = 'running' or (state = 'queued' and reserved_until is not null)`);
  expect(rows).toEqual([]);
});
