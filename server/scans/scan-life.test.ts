import type { Risk } from "@periscan/contract/risk.ts";
import { afterAll, beforeAll, expect, test } from "vitest";
import { claim, claimSome, finishTask, getScan, startScan, startTestServer, type TestServer, tcpOutcome } from "../testing/start-test-server.ts";

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
});

const options = { ports: "1-1000" };
const look = (open: number[], ports = "1-1000") => tcpOutcome({ ports, open });

async function scanOnce(target: string, outcome: ReturnType<typeof look>) {
  const { id } = await startScan(server, { type: "NMAP", targets: [target], options });
  await finishTask(server, await claimSome(server), outcome);
  return getScan(server, id);
}

async function riskOf(target: string, port: number): Promise<Risk> {
  const { body } = await server.api<{ data: Risk[] }>(
    "GET",
    `/v1/risks?filters=${encodeURIComponent(JSON.stringify({ "risk_definition.title": [`Open TCP Port: ${port}`] }))}`,
  );
  const found = body.data.find((risk) => risk.target === target);
  if (!found) throw new Error(`no risk of port ${port}`);
  return found;
}

test("a scan goes from QUEUED over RUNNING to SUCCEEDED, and its results can be downloaded", async () => {
  const created = await startScan(server, { type: "NMAP", targets: ["10.1.0.1"], options });
  expect(created).toMatchObject({ state: "QUEUED", progress: 0, results: [], skipped_targets: [] });
  const task = await claimSome(server);
  expect((await getScan(server, created.id)).state).toBe("RUNNING");
  await finishTask(server, task, look([22, 80]));
  const ended = await getScan(server, created.id);
  expect(ended).toMatchObject({ state: "SUCCEEDED", progress: 100 });
  expect(ended.risks.new_open).toHaveLength(2);
  expect(ended.resolved_targets).toEqual([{ target_id: ended.targets[0]?.target_id, resolved_target: "127.0.0.1" }]);
  for (const { result_id } of ended.results) expect((await server.api("GET", `/v1/results/${result_id}`)).status).toBe(200);
});

test("a risk opens, stays, closes and comes back by what the scans saw", async () => {
  const target = "10.1.0.2";
  expect((await scanOnce(target, look([22]))).risks.new_open).toHaveLength(1);
  const first = await riskOf(target, 22);
  const second = await scanOnce(target, look([22]));
  expect(second.risks).toMatchObject({ new_open: [], still_open: [{ risk_id: first.id }], closed: [] });
  const third = await scanOnce(target, look([]));
  expect(third.risks).toMatchObject({ new_open: [], still_open: [], closed: [{ risk_id: first.id }] });
  expect((await riskOf(target, 22)).status).toBe("CLOSED");
  const fourth = await scanOnce(target, look([22]));
  expect(fourth.risks).toMatchObject({ new_open: [{ risk_id: first.id }], still_open: [], closed: [] });
  const again = await riskOf(target, 22);
  expect(again).toMatchObject({ id: first.id, status: "OPEN", first_detected_at: first.first_detected_at });
});

test("a port outside the scanned range keeps its state", async () => {
  const target = "10.1.0.3";
  await scanOnce(target, look([22, 900]));
  const narrow = await scanOnce(target, look([], "1-500"));
  expect(narrow.risks.closed).toHaveLength(1);
  expect((await riskOf(target, 22)).status).toBe("CLOSED");
  expect((await riskOf(target, 900)).status).toBe("OPEN");
});

test("a scan that ends late does not undo what a later look saw", async () => {
  const target = "10.1.0.15";
  await scanOnce(target, look([22]));
  const { id } = await startScan(server, { type: "NMAP", targets: [target, "10.1.0.16"], options });
  const early = await claimSome(server);
  const late = await claimSome(server);
  const report = { attempt: 1, sequence: 1, target_id: early.targets[0]?.target_id, has_native: false, outcome: look([22]) };
  await server.worker("POST", `/tasks/${early.task_id}/outcomes`, report);
  expect((await scanOnce(target, look([]))).risks.closed).toHaveLength(1);
  await server.worker("POST", `/tasks/${early.task_id}/end`, { attempt: 1 });
  await finishTask(server, late, look([]));
  expect((await getScan(server, id)).risks).toMatchObject({ new_open: [], still_open: [{}] });
  expect((await riskOf(target, 22)).status).toBe("CLOSED");
});

test("a target that did not answer keeps its risks, and its scan does not read as clean", async () => {
  const target = "10.1.0.4";
  await scanOnce(target, look([22]));
  const { id } = await startScan(server, { type: "NMAP", targets: [target], options });
  await finishTask(server, await claimSome(server), { kind: "unreachable", reason: "It did not answer.", notes: [], detections: [] });
  const ended = await getScan(server, id);
  expect(ended).toMatchObject({ state: "FAILED", error: { code: "scan.unreachable" }, skipped_targets: [{ skipped_reason: "It did not answer." }] });
  expect((await riskOf(target, 22)).status).toBe("OPEN");
});

test("a partial outcome opens risks and closes none", async () => {
  const target = "10.1.0.5";
  await scanOnce(target, look([22]));
  const { id } = await startScan(server, { type: "NMAP", targets: [target], options });
  await finishTask(server, await claimSome(server), { ...look([80]), kind: "partial", reason: "Cut short." });
  expect((await getScan(server, id)).risks).toMatchObject({ new_open: [{}], still_open: [], closed: [] });
  expect((await riskOf(target, 22)).status).toBe("OPEN");
});

test("an attempt that is not the newest is refused whatever it sends", async () => {
  await startScan(server, { type: "NMAP", targets: ["10.1.0.6"], options });
  const first = await claimSome(server);
  await server.worker("POST", `/tasks/${first.task_id}/end`, { attempt: first.attempt, error: { code: "engine.killed", message: "Killed.", retry: true } });
  const second = await claimSome(server);
  expect([second.task_id, second.attempt]).toEqual([first.task_id, first.attempt + 1]);
  const target_id = first.targets[0]?.target_id;
  const report = { attempt: first.attempt, sequence: 1, target_id, has_native: false, outcome: look([6]) };
  const statuses = [
    (await server.worker("POST", `/tasks/${first.task_id}/outcomes`, report)).status,
    (await server.worker("POST", `/tasks/${first.task_id}/heartbeat`, { attempt: first.attempt, progress: 1 })).status,
    (await server.worker("PUT", `/tasks/${first.task_id}/native/${target_id}?attempt=${first.attempt}`)).status,
    (await server.worker("POST", `/tasks/${first.task_id}/end`, { attempt: first.attempt })).status,
  ];
  expect(statuses).toEqual([409, 409, 409, 409]);
  await finishTask(server, second, look([]));
});

test("an outcome that is sent twice counts once", async () => {
  const { id } = await startScan(server, { type: "NMAP", targets: ["10.1.0.7"], options });
  const task = await claimSome(server);
  const report = { attempt: task.attempt, sequence: 1, target_id: task.targets[0]?.target_id, has_native: false, outcome: look([22]) };
  expect((await server.worker("POST", `/tasks/${task.task_id}/outcomes`, report)).status).toBe(200);
  expect((await server.worker("POST", `/tasks/${task.task_id}/outcomes`, report)).status).toBe(200);
  expect((await server.worker("POST", `/tasks/${task.task_id}/outcomes`, { ...report, sequence: 2, outcome: look([]) })).status).toBe(409);
  await server.worker("POST", `/tasks/${task.task_id}/end`, { attempt: task.attempt });
  expect((await getScan(server, id)).risks.new_open).toHaveLength(1);
});

test("evidence that is not the engine's is refused, because no report could show it", async () => {
  const { id } = await startScan(server, { type: "NMAP", targets: ["10.1.0.14"], options });
  const task = await claimSome(server);
  const outcome = look([22]);
  const broken = { ...outcome, detections: outcome.detections.map((seen) => ({ ...seen, detail: { anything: 1 } })) };
  const report = { attempt: task.attempt, sequence: 1, target_id: task.targets[0]?.target_id, has_native: false, outcome: broken };
  const refused = await server.worker("POST", `/tasks/${task.task_id}/outcomes`, report);
  expect(refused).toMatchObject({ status: 400, body: { error: { field: "outcome.detections[0].detail" } } });
  await finishTask(server, task, outcome);
  expect((await getScan(server, id)).risks.new_open).toHaveLength(1);
});

test("the next attempt gets only the targets that have no outcome", async () => {
  const { id } = await startScan(server, { type: "NMAP", targets: Array.from({ length: 16 }, (_, index) => `10.1.1.${index}`), options });
  const task = await claimSome(server);
  const [done, ...missing] = task.targets;
  await server.worker("POST", `/tasks/${task.task_id}/outcomes`, { attempt: 1, sequence: 1, target_id: done?.target_id, has_native: false, outcome: look([]) });
  await server.worker("POST", `/tasks/${task.task_id}/end`, { attempt: 1, error: { code: "engine.killed", message: "Killed.", retry: true } });
  const tasks = [];
  for (let claimed = await claim(server, { waitSeconds: 2 }); claimed; claimed = await claim(server, { waitSeconds: 0 })) tasks.push(claimed);
  expect(tasks.find(({ task_id }) => task_id === task.task_id)?.targets).toEqual(missing);
  for (const each of tasks) await finishTask(server, each, look([]));
  expect((await getScan(server, id)).state).toBe("SUCCEEDED");
});

test("an engine that keeps failing ends the scan with its reason", async () => {
  const { id } = await startScan(server, { type: "NMAP", targets: ["10.1.0.8"], options });
  for (let task = await claim(server); task; task = await claim(server)) {
    await server.worker("POST", `/tasks/${task.task_id}/end`, {
      attempt: task.attempt,
      error: { code: "engine.killed", message: "Nmap was killed.", retry: true },
    });
    if ((await getScan(server, id)).state === "FAILED") break;
  }
  const ended = await getScan(server, id);
  expect(ended).toMatchObject({ state: "FAILED", error: { code: "engine.killed", message: "Nmap was killed." }, targets: [{ outcome: "skipped" }] });
});

test("an engine that ends without a word on a target is never taken for clean", async () => {
  const { id } = await startScan(server, { type: "NMAP", targets: ["10.1.0.9"], options });
  for (let task = await claim(server); task; task = await claim(server)) {
    await server.worker("POST", `/tasks/${task.task_id}/end`, { attempt: task.attempt });
    if ((await getScan(server, id)).state === "FAILED") break;
  }
  expect(await getScan(server, id)).toMatchObject({ state: "FAILED", error: { code: "engine.silent" } });
});

test("a cancelled scan is over at once, keeps what it had, and its worker is told", async () => {
  const { id } = await startScan(server, { type: "NMAP", targets: Array.from({ length: 16 }, (_, index) => `10.1.2.${index}`), options });
  const task = await claimSome(server);
  const report = { attempt: 1, sequence: 1, target_id: task.targets[0]?.target_id, has_native: false, outcome: look([22]) };
  await server.worker("POST", `/tasks/${task.task_id}/outcomes`, report);
  const cancelled = await server.api<{ data: unknown }>("POST", `/v1/scans/${id}/cancel`);
  expect(cancelled).toMatchObject({ status: 200, body: { data: { state: "FAILED", error: { code: "scan.cancelled" }, risks: { new_open: [{}] } } } });
  expect((await server.worker("POST", `/tasks/${task.task_id}/heartbeat`, { attempt: 1, progress: 1 })).status).toBe(409);
  expect((await server.api("POST", `/v1/scans/${id}/cancel`)).status).toBe(409);
  expect(await claim(server, { waitSeconds: 0 })).toBeNull();
});

test("a target that the policy refuses is skipped with its reason, and the rest is scanned", async () => {
  const { id } = await startScan(server, { type: "NMAP", targets: ["169.254.169.254", "10.1.0.10", "0.0.0.0", "224.0.0.1"], options });
  const task = await claimSome(server);
  expect(task.targets.map(({ target }) => target)).toEqual(["10.1.0.10"]);
  await finishTask(server, task, look([]));
  const ended = await getScan(server, id);
  expect(ended.state).toBe("SUCCEEDED");
  expect(ended.skipped_targets.map(({ skipped_reason }) => skipped_reason)).toEqual([
    expect.stringContaining("link-local"),
    expect.stringContaining("unspecified"),
    expect.stringContaining("multicast"),
  ]);
});

test("a scan of which nothing is left fails at once and says why", async () => {
  const ended = await startScan(server, { type: "NMAP", targets: ["169.254.169.254"], options });
  expect(ended).toMatchObject({ state: "FAILED", error: { code: "scan.nothing_to_scan", message: expect.stringContaining("link-local") } });
});

test("scanner output with NUL and lone surrogates is kept, not refused", async () => {
  const outcome = look([22]);
  const [seen] = outcome.detections;
  const hostile = { ...outcome, detections: [{ ...seen, description: "a\0b\ud800c", additional_info: { banner: "\0" } }] } as typeof outcome;
  expect((await scanOnce("10.1.0.11", hostile)).state).toBe("SUCCEEDED");
  expect((await riskOf("10.1.0.11", 22)).risk_definition).toMatchObject({ description: "a\uFFFDb\uFFFDc", additional_info: { banner: "\uFFFD" } });
});

test("a target that is deleted while it is scanned takes its risks with it and the scan still ends", async () => {
  const { id, requested_targets } = await startScan(server, { type: "NMAP", targets: ["10.1.0.12"], options });
  const task = await claimSome(server);
  expect((await server.api("DELETE", `/v1/targets/${requested_targets[0]?.target_id}`)).status).toBe(200);
  await finishTask(server, task, look([22]));
  expect(await getScan(server, id)).toMatchObject({ state: "SUCCEEDED", risks: { new_open: [] } });
});

test("nothing of a workspace is seen with the key of another", async () => {
  const ended = await scanOnce("10.1.0.13", look([22]));
  const login = { kind: "header", name: "Authorization", value: "Bearer x" };
  const auth = `/v1/targets/${ended.targets[0]?.target_id}/auth`;
  expect((await server.api("PUT", auth, login, server.foreign)).status).toBe(404);
  expect((await server.api("PUT", auth, login)).status).toBe(200);
  const paths = [
    `/v1/scans/${ended.id}`,
    `/v1/results/${ended.results[0]?.result_id}`,
    `/v1/scans/results/${ended.results[0]?.result_id}`,
    `/v1/targets/${ended.targets[0]?.target_id}`,
    `/v1/targets/${ended.targets[0]?.target_id}/observations`,
    `/v1/targets/${ended.targets[0]?.target_id}/auth`,
    `/v1/risks/${ended.risks.new_open[0]?.risk_id}`,
  ];
  for (const path of paths) {
    expect((await server.api("GET", path)).status).toBe(200);
    expect((await server.api("GET", path, undefined, server.foreign)).status).toBe(404);
  }
  const lists = await Promise.all(["/v1/scans", "/v1/targets", "/v1/risks"].map((path) => server.api("GET", path, undefined, server.foreign)));
  expect(lists.map(({ body }) => body)).toEqual([{ data: [] }, { data: [] }, { data: [] }]);
  expect((await server.api("POST", `/v1/scans/${ended.id}/cancel`, undefined, server.foreign)).status).toBe(404);
  expect((await server.api("DELETE", `/v1/targets/${ended.targets[0]?.target_id}`, undefined, server.foreign)).status).toBe(404);
  expect((await server.api("DELETE", auth, undefined, server.foreign)).status).toBe(404);
  const borrowed = { type: "NMAP", target_ids: [ended.targets[0]?.target_id] };
  expect((await server.api("POST", "/v1/scans", borrowed, server.foreign)).status).toBe(404);
});

test("the oldest task is not passed over by a younger one that fits better into the worker's memory", async () => {
  expect(await claim(server, { type: "NMAP_UDP", fitting: ["NMAP"], waitSeconds: 0 })).toBeNull();
  const older = await startScan(server, { type: "NMAP_UDP", targets: ["10.1.0.14"] });
  const younger = await startScan(server, { type: "NMAP", targets: ["10.1.0.14"] });
  expect(await claim(server, { type: "NMAP_UDP", fitting: ["NMAP"], waitSeconds: 0 })).toBeNull();
  expect((await claim(server, { type: "NMAP_UDP", fitting: ["NMAP", "NMAP_UDP"] }))?.scan_id).toBe(older.id);
  expect((await claim(server, { type: "NMAP_UDP", fitting: ["NMAP"] }))?.scan_id).toBe(younger.id);
  for (const { id } of [older, younger]) await server.api("POST", `/v1/scans/${id}/cancel`);
});

test("a scan of an engine that is being installed is accepted and waits; one that is only missing is refused with what to do", async () => {
  const say = (status: object) =>
    server.worker("POST", "/claim", {
      worker: { version: "0" },
      engines: [{ type: "NUCLEI", ready: false, missing: "Install it.", ...status }],
      fitting: [],
      wait_seconds: 0,
    });
  await say({});
  const refused = await server.api<{ error: object }>("POST", "/v1/scans", { type: "NUCLEI", targets: ["10.1.0.15"] });
  expect(refused).toMatchObject({ status: 400, body: { error: { code: "engine.missing", message: expect.stringContaining("Install it.") } } });
  await say({ installing: true });
  const accepted = await startScan(server, { type: "NUCLEI", targets: ["10.1.0.15"] });
  expect(accepted.state).toBe("QUEUED");
  await server.api("POST", `/v1/scans/${accepted.id}/cancel`);
});
