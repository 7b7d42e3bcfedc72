import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Observation } from "@periscan/contract/outcome.ts";
import type { Scan } from "@periscan/contract/scan.ts";
import type { TargetObservation } from "@periscan/contract/target.ts";
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openSecrets } from "../access/secrets.ts";
import { claimSome, finishTask, getScan, startScan, startTestServer, type TestServer, tcpOutcome } from "../testing/start-test-server.ts";

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
});

const service = (port: number, name = "http"): Observation => ({
  kind: "service",
  key: `tcp/${port}`,
  scope: `tcp/${port}`,
  protocol: "tcp",
  port,
  tls: false,
  name,
  cpe: [],
});

async function scanOnce(target: string, ports: string, observations: Observation[]): Promise<Scan> {
  const { id } = await startScan(server, { type: "NMAP", targets: [target], options: { ports } });
  await finishTask(server, await claimSome(server), { ...tcpOutcome({ ports, open: [] }), observations });
  return getScan(server, id);
}

async function listObservations(target_id: string | undefined, query = ""): Promise<TargetObservation[]> {
  return (await server.api<{ data: TargetObservation[] }>("GET", `/v1/targets/${target_id}/observations${query}`)).body.data;
}

test("what engines saw of a target has a first and a last sight, is gone on evidence alone, and comes back", async () => {
  const target = "10.2.0.1";
  const first = await scanOnce(target, "1-1000", [service(80), service(443, "https")]);
  const targetId = first.targets[0]?.target_id;
  const before = await listObservations(targetId);
  expect(before.map(({ seen }) => seen.key)).toEqual(["tcp/80", "tcp/443"]);
  await scanOnce(target, "80", [service(80, "ssh")]);
  const [eighty, outside] = await listObservations(targetId);
  expect(eighty).toMatchObject({ seen: { name: "ssh" }, first_seen_at: before[0]?.first_seen_at });
  expect(Date.parse(eighty?.last_seen_at ?? "")).toBeGreaterThan(Date.parse(eighty?.first_seen_at ?? ""));
  expect(outside).toEqual(before[1]);
  await scanOnce(target, "1-1000", [service(80)]);
  expect((await listObservations(targetId)).map(({ gone_at }) => gone_at !== undefined)).toEqual([false, true]);
  await scanOnce(target, "443", [service(443)]);
  expect((await listObservations(targetId)).map(({ gone_at }) => gone_at)).toEqual([undefined, undefined]);
  expect(await listObservations(targetId, "?filters[kind][]=certificate")).toEqual([]);
  expect((await server.api("GET", `/v1/targets/${targetId}/observations?filters[kind][]=x`)).status).toBe(400);
});

test("a task brings what is known of its targets, and not what is gone", async () => {
  const target = "10.2.0.2";
  await scanOnce(target, "1-1000", [service(22), service(8080)]);
  await scanOnce(target, "8080", []);
  const { id } = await startScan(server, { type: "NMAP", targets: [target, "10.2.0.3"] });
  const tasks = [await claimSome(server), await claimSome(server)];
  expect(tasks.map(({ targets }) => targets.map(({ known }) => known.map(({ key }) => key)))).toEqual([[["tcp/22"]], [[]]]);
  await server.api("POST", `/v1/scans/${id}/cancel`);
});

const login = { kind: "header", name: "Authorization", value: "Bearer very-secret" };

async function addTarget(target: string): Promise<string> {
  return (await server.api<{ data: { id: string } }>("POST", "/v1/targets", { target })).body.data.id;
}

test("a login is kept encrypted, is never given out again, and can be forgotten", async () => {
  const id = await addTarget("10.2.0.4");
  expect((await server.api("GET", `/v1/targets/${id}/auth`)).status).toBe(404);
  const known = { data: { kind: "header", name: "Authorization", updated_at: expect.stringMatching(/^20/) } };
  for (const body of [login, { ...login, value: "Bearer newer-secret" }])
    expect(await server.api("PUT", `/v1/targets/${id}/auth`, body)).toEqual({ status: 200, body: known });
  expect((await server.api("GET", `/v1/targets/${id}/auth`)).body).toEqual(known);
  const connection = new pg.Client({ connectionString: server.databaseUrl });
  await connection.connect();
  const { rows } = await connection.query<{ value: Buffer }>("select value from target_login where target_id = $1", [id]);
  await connection.end();
  const value = rows[0]?.value ?? Buffer.alloc(0);
  expect(value.toString("latin1")).not.toContain("secret");
  const secrets = openSecrets(server.folder);
  expect(secrets.decrypt(value, id)).toBe("Bearer newer-secret");
  expect(() => secrets.decrypt(value, "another target")).toThrow();
  expect(statSync(join(server.folder, "secret-key")).mode & 0o777).toBe(0o600);
  expect(readFileSync(join(server.folder, "secret-key")).byteLength).toBe(32);
  expect((await server.api("DELETE", `/v1/targets/${id}/auth`)).status).toBe(200);
  expect((await server.api("DELETE", `/v1/targets/${id}/auth`)).status).toBe(404);
});

test.each([
  [{ ...login, kind: "basic" }, "kind"],
  [{ ...login, name: "A: b" }, "name"],
  [{ ...login, value: "a\r\nHost: elsewhere" }, "value"],
  [{ ...login, value: "" }, "value"],
  [{ ...login, realm: "x" }, "realm"],
])("a login that is none is refused: %j", async (body, field) => {
  const id = await addTarget(`login-${field}-${JSON.stringify(body).length}.example`);
  const answer = await server.api<{ error: { field: string } }>("PUT", `/v1/targets/${id}/auth`, body);
  expect(answer).toMatchObject({ status: 400, body: { error: { field } } });
});

test("a scan that was to use logins skips a target without one, and all where its engine cannot use them", async () => {
  const created = await startScan(server, { type: "NMAP", targets: ["10.2.0.5"], use_authentication: true });
  expect(created).toMatchObject({ state: "FAILED", skipped_targets: [{ skipped_reason: expect.stringContaining("cannot use a login") }] });
});
