import type { Task } from "@periscan/contract/worker-protocol.ts";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openServices } from "../testing/open-services.ts";
import { claimSome, startScan, startTestServer, type TestServer, tcpOutcome } from "../testing/start-test-server.ts";

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer({ trustedProxies: ["127.0.0.1"] });
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
});

interface Refusal {
  error: { code: string; message: string };
}

const call = <T>(token: string, path: string, body: object, headers: Record<string, string> = {}) =>
  server.api<T & Refusal>("POST", `/worker/v1${path}`, body, { authorization: `Bearer ${token}`, ...headers });

const claiming = (name?: string, engine: object = { type: "NMAP", ready: true }) => ({
  worker: { ...(name === undefined ? {} : { name }), version: "0" },
  engines: [engine],
  fitting: ["NMAP"],
  wait_seconds: 0,
});

test("a token is for the worker that it was made for: under another name nothing is claimed", async () => {
  const { token } = await server.keys.createWorkerToken({ name: "office-1" });
  expect((await call(token, "/claim", claiming("office-1"))).status).toBe(200);
  expect((await call(token, "/claim", claiming())).status).toBe(200);
  const refused = await call(token, "/claim", claiming("office-2"));
  expect([refused.status, refused.body.error.code, refused.body.error.message]).toEqual([403, "token.other_worker", expect.stringContaining("office-1")]);
  await expect(server.keys.createWorkerToken({ name: "embedded worker" })).rejects.toThrow("another name");
});

test("a token with networks is refused from anywhere else", async () => {
  const { token } = await server.keys.createWorkerToken({ name: "office-3", networks: ["198.51.100.0/24", "2001:db8::/32", "203.0.113.9"] });
  const from = async (address: string) => {
    const { status, body } = await call(token, "/claim", claiming(), { "x-forwarded-for": address });
    return status === 200 ? 200 : [status, body.error.code];
  };
  for (const address of ["198.51.100.77", "::ffff:198.51.100.1", "2001:db8:1::2", "203.0.113.9"]) expect(await from(address), address).toBe(200);
  for (const address of ["198.51.101.1", "203.0.113.8", "2001:db9::1"]) expect(await from(address), address).toEqual([403, "token.other_network"]);
  expect(await server.keys.list()).toContainEqual(expect.objectContaining({ name: "office-3", networks: ["198.51.100.0/24", "2001:db8::/32", "203.0.113.9"] }));
  for (const network of ["198.51.100.0/33", "office", "7"])
    await expect(server.keys.createWorkerToken({ name: "x", networks: [network] })).rejects.toThrow(network);
});

test("nobody speaks of another worker's task, whatever he knows of it", async () => {
  const { token } = await server.keys.createWorkerToken({ name: "office-4" });
  const { id } = await startScan(server, { type: "NMAP", targets: ["10.15.0.1"], options: { ports: "80" } });
  const task = await claimSome(server);
  const { attempt } = task;
  const calls: [string, object][] = [
    ["heartbeat", { attempt, progress: 0.5 }],
    ["recall", { attempt }],
    ["end", { attempt }],
    ["imported", { attempt, sequence: 1, outcomes: [{ target: "10.15.0.1", outcome: tcpOutcome({ ports: "80", open: [] }) }] }],
    [
      "outcomes",
      { attempt, sequence: 1, target_id: task.targets[0]?.target_id, has_native: false, outcome: { kind: "skipped", reason: "x", notes: [], detections: [] } },
    ],
  ];
  for (const [path, body] of calls) expect((await call(token, `/tasks/${task.task_id}/${path}`, body)).status, path).toBe(409);
  expect((await server.api("GET", `/worker/v1/tasks/${task.task_id}/file?attempt=1`, undefined, { authorization: `Bearer ${token}` })).status).toBe(409);
  expect((await server.worker("POST", `/tasks/${task.task_id}/end`, { attempt })).status).toBe(200);
  await server.api("POST", `/v1/scans/${id}/cancel`);
});

test("what one worker says of its engines reaches no workspace, and a word that cannot be stored harms nobody", async () => {
  const { token } = await server.keys.createWorkerToken({ name: "hostile" });
  await using services = await openServices(server);
  await services.db.execute("delete from worker");
  const lie = { type: "NUCLEI", ready: false, missing: "\u001b[31mCall 555-0100\u0000\ud800" };
  expect((await call(token, "/claim", claiming("hostile", lie))).status).toBe(200);
  const refused = await server.api<Refusal>("POST", "/v1/scans", { type: "NUCLEI", targets: ["10.15.0.2"] });
  expect([refused.status, refused.body.error.code]).toEqual([400, "engine.missing"]);
  expect(refused.body.error.message).not.toContain("555");
});

test("loopback is scanned by the platform's own worker alone", async () => {
  const { token } = await server.keys.createWorkerToken({ name: "remote" });
  await using local = await startTestServer({ databaseUrl: server.databaseUrl });
  await local.worker("POST", "/claim", claiming());
  const policyOf = async (secret: string) => {
    await startScan(local, { type: "NMAP", targets: ["127.0.0.1"], options: { ports: "80" } });
    const { body } = await local.api<{ data: Task | null }>("POST", "/worker/v1/claim", claiming(), { authorization: `Bearer ${secret}` });
    return body.data?.policy.allow_loopback;
  };
  expect([await policyOf(local.workerToken), await policyOf(token)]).toEqual([true, false]);
});
