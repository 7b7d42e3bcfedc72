import type { Risk } from "@periscan/contract/risk.ts";
import type { Scan } from "@periscan/contract/scan.ts";
import type { Target } from "@periscan/contract/target.ts";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { claim, claimSome, finishTask, startScan, startTestServer, type TestServer, tcpOutcome } from "../testing/start-test-server.ts";

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
});

interface Refusal {
  error: { code: string; message: string; field?: string; request_id: string };
}

const url = (path: string, filters: object | string) =>
  `${path}?filters=${encodeURIComponent(typeof filters === "string" ? filters : JSON.stringify(filters))}`;

describe("a bad request starts nothing and names the field at fault", () => {
  const targets = ["10.2.0.1"];
  const cases: [string, unknown, number, string | undefined][] = [
    ["no targets", { type: "NMAP" }, 400, "targets"],
    ["empty targets and ids", { type: "NMAP", targets: [], target_ids: [] }, 400, "targets"],
    ["no type", { targets }, 400, "type"],
    ["an unknown type", { type: "MASSCAN", targets }, 400, "type"],
    ["an option of the command line", { type: "NMAP", targets: ["10.2.0.1", "-oN /tmp/x"] }, 400, "targets[1]"],
    ["a separator of a shell", { type: "NMAP", targets: ["a;b"] }, 400, "targets[0]"],
    ["a substitution of a shell", { type: "NMAP", targets: ["$(id)"] }, 400, "targets[0]"],
    ["a block that is too large", { type: "NMAP", targets: ["10.0.0.0/8"] }, 400, "targets[0]"],
    ["10,000 targets", { type: "NMAP", targets: Array.from({ length: 10_000 }, (_, index) => `10.3.${index >> 8}.${index & 255}`) }, 400, "targets"],
    ["many blocks", { type: "NMAP", targets: ["10.3.0.0/22", "10.3.4.0/22", "10.3.8.0/22", "10.3.12.0/22", "10.3.16.0/22"] }, 400, "targets"],
    ["targets of the wrong type", { type: "NMAP", targets: "10.2.0.1" }, 400, "targets"],
    ["a target of the wrong type", { type: "NMAP", targets: [7] }, 400, "targets[0]"],
    ["an unknown field", { type: "NMAP", targets, speed: "fast" }, 400, "speed"],
    ["an unknown option", { type: "NMAP", targets, options: { script: "vuln" } }, 400, "options.script"],
    ["an option of the wrong type", { type: "NMAP", targets, options: { ports: 80 } }, 400, "options.ports"],
    ["a port list that is an option", { type: "NMAP", targets, options: { ports: "80 -oN /tmp/x" } }, 400, "options.ports"],
    ["an unknown target id", { type: "NMAP", target_ids: ["0190b1a2-0000-7000-8000-000000000000"] }, 404, "target_ids[0]"],
    ["a target id that is none", { type: "NMAP", target_ids: ["123"] }, 404, "target_ids[0]"],
    ["a tag of no target", { type: "NMAP", tags: ["nobody"] }, 400, "tags"],
    ["a NUL character", { type: "NMAP", targets: ["10.2.0.1\0"] }, 400, "targets[0]"],
    ["an array", [], 400, undefined],
  ];
  test.each(cases)("%s", async (_, body, status, field) => {
    const { status: answered, body: refusal } = await server.api<Refusal>("POST", "/v1/scans", body);
    expect([answered, refusal.error.field]).toEqual([status, field]);
    expect(refusal.error).toMatchObject({
      code: expect.stringMatching(/^[a-z]+\.[a-z_]+$/),
      message: expect.stringMatching(/\S\.$/),
      request_id: expect.any(String),
    });
    expect((await server.api<{ data: [] }>("GET", "/v1/scans")).body.data).toEqual([]);
    expect((await server.api<{ data: [] }>("GET", "/v1/targets")).body.data).toEqual([]);
  });
});

test("a body that is no JSON, too large, or of another type is refused with a sentence", async () => {
  const headers = { "x-hostedscan-api-key": "" };
  const { key } = await server.keys.createApiKey({ name: "raw" });
  headers["x-hostedscan-api-key"] = key;
  const send = async (body: string, type: string) => {
    const response = await fetch(new URL("/v1/scans", server.url), { method: "POST", body, headers: { ...headers, "content-type": type } });
    return [response.status, ((await response.json()) as Refusal).error.code];
  };
  expect(await send("{", "application/json")).toEqual([400, "request.invalid_json"]);
  expect(await send("", "application/json")).toEqual([400, "request.invalid"]);
  expect(await send(`"${"x".repeat(5_000_000)}"`, "application/json")).toEqual([413, "request.too_large"]);
  expect(await send("type=NMAP", "text/plain")).toEqual([415, "request.unsupported_media_type"]);
  expect(await send('{"__proto__": {"type": "NMAP"}, "targets": ["10.2.0.1"]}', "application/json")).toEqual([400, "request.invalid"]);
});

test("without a key, with a wrong or a revoked one, the answer is 401", async () => {
  const { id, key } = await server.keys.createApiKey({ name: "short-lived" });
  const status = async (headers: Record<string, string>) => (await server.api("GET", "/v1/scans", undefined, headers)).status;
  expect(await status({})).toBe(401);
  expect(await status({ "X-HOSTEDSCAN-API-KEY": "wrong" })).toBe(401);
  expect(await status({ "X-HostedScan-Api-Key": key })).toBe(200);
  expect(await status({ Authorization: `Bearer ${key}` })).toBe(200);
  await server.keys.revoke(id);
  expect(await status({ "X-HOSTEDSCAN-API-KEY": key })).toBe(401);
});

test("the worker protocol takes no API key, and the API no worker token", async () => {
  const { key } = await server.keys.createApiKey({ name: "client" });
  const { token } = await server.keys.createWorkerToken({ name: "worker" });
  const claimed = await server.api("POST", "/worker/v1/claim", { worker: { version: "0" }, engines: [], wait_seconds: 0 }, { authorization: `Bearer ${key}` });
  expect(claimed.status).toBe(401);
  expect((await server.api("GET", "/v1/scans", undefined, { authorization: `Bearer ${token}` })).status).toBe(401);
});

test("filters are taken in every encoding that clients send", async () => {
  const { id } = await startScan(server, { type: "NMAP", targets: ["10.2.1.1"], options: { ports: "1-1000" } });
  await finishTask(server, await claimSome(server), tcpOutcome({ ports: "1-1000", open: [22] }));
  const encodings = [
    url("/v1/risks", { status: ["OPEN"], "risk_definition.scan_type": ["NMAP"], scan_id: [id] }),
    url("/v1/risks", { status: "OPEN", "risk_definition.scan_type": "NMAP", scan_id: id }),
    `/v1/risks?filters[status][]=OPEN&filters[risk_definition.scan_type][]=NMAP&filters[scan_id][]=${id}`,
    `/v1/risks?filters[status][0]=OPEN&filters[status][1]=CLOSED&filters[scan_id][0]=${id}`,
    `/v1/risks?filters%5Bstatus%5D%5B%5D=OPEN&filters%5Brisk_definition.scan_type%5D%5B%5D=NMAP&filters%5Bscan_id%5D=${id}`,
    `/v1/risks?filters[status]=OPEN&filters[scan_id]=${id}`,
  ];
  for (const path of encodings) expect((await server.api<{ data: Risk[] }>("GET", path)).body.data, path).toMatchObject([{ status: "OPEN" }]);
  const empty = [{ status: ["CLOSED"] }, { "risk_definition.threat_level": ["HIGH"] }, { target_id: ["none"] }, { tags: ["none"] }, { is_accepted: ["true"] }];
  for (const filters of empty) expect((await server.api<{ data: Risk[] }>("GET", url("/v1/risks", filters))).body.data, JSON.stringify(filters)).toEqual([]);
  expect((await server.api<{ data: Scan[] }>("GET", url("/v1/scans", { state: ["SUCCEEDED"], type: ["NMAP"] }))).body.data).toMatchObject([{ id }]);
});

test("an unknown filter, a wrong value and an unknown parameter are refused by name", async () => {
  const refusal = async (path: string) => {
    const { status, body } = await server.api<Refusal>("GET", path);
    return [status, body.error.field];
  };
  expect(await refusal(url("/v1/risks", { state: ["OPEN"] }))).toEqual([400, "filters.state"]);
  expect(await refusal("/v1/risks?filters[state][]=OPEN")).toEqual([400, "filters.state"]);
  expect(await refusal(url("/v1/risks", { status: ["open"] }))).toEqual([400, "filters.status[0]"]);
  expect(await refusal(url("/v1/risks", "{"))).toEqual([400, "filters"]);
  for (const list of [null, [null], [{ a: 1 }], [["x"]]]) {
    const said = JSON.stringify(list);
    for (const key of ["tags", "target.target", "scan_id"]) expect((await refusal(url("/v1/risks", { [key]: list })))[0], `${key} ${said}`).toBe(400);
    expect((await refusal(url("/v1/targets", { label: list })))[0], said).toBe(400);
  }
  expect(await refusal("/v1/risks?status=OPEN")).toEqual([400, "status"]);
  expect(await refusal("/v1/risks?page_size=501")).toEqual([400, "page_size"]);
  expect(await refusal("/v1/risks?page_token=abc")).toEqual([400, "page_token"]);
});

test("pages hold every row once, and the last has no token", async () => {
  await startScan(server, { type: "NMAP", targets: ["10.2.2.0/28"], options: { ports: "80" } });
  const seen: Target[] = [];
  for (let token: string | undefined = ""; token !== undefined; ) {
    const path: string = `/v1/targets?page_size=5${token && `&page_token=${token}`}`;
    const { body } = await server.api<{ data: Target[]; next_page_token?: string }>("GET", path);
    seen.push(...body.data);
    expect(Object.keys(body)).toEqual(body.next_page_token === undefined ? ["data"] : ["data", "next_page_token"]);
    token = body.next_page_token;
  }
  const all = (await server.api<{ data: Target[] }>("GET", "/v1/targets")).body.data;
  expect(seen).toEqual(all);
  expect(new Set(seen.map(({ id }) => id)).size).toBe(seen.length);
  for (let task = await claim(server); task; task = await claim(server, { waitSeconds: 0 }))
    await finishTask(server, task, tcpOutcome({ ports: "80", open: [] }));
});

test("a target is made once, changed, found in any spelling, scanned by tag, and deleted", async () => {
  const make = (body: object, query = "") => server.api<{ data: Target }>("POST", `/v1/targets${query}`, body);
  const { body: made } = await make({ target: "WWW.Example.com.", label: "Site", tags: ["web", "web"] });
  expect(made.data).toEqual({ id: expect.any(String), target: "www.example.com", label: "Site", tags: ["web"] });
  expect((await make({ target: "www.example.com" })).status).toBe(409);
  expect((await make({ target: "www.example.com", label: "New" }, "?upsert")).body.data).toEqual({ ...made.data, label: "New" });
  for (const query of ["?upsert=true", "?upsert=True", "?upsert=1"])
    expect((await make({ target: "www.example.com", label: "New" }, query)).status, query).toBe(200);
  for (const query of ["?upsert=false", "?upsert=0"]) expect((await make({ target: "www.example.com" }, query)).status, query).toBe(409);
  expect((await make({ target: "10.0.0.0/24" })).status).toBe(400);
  expect((await make({ target: "x.example", tags: Array.from({ length: 11 }, (_, index) => `t${index}`) })).status).toBe(400);
  const path = `/v1/targets/${made.data.id}`;
  expect((await server.api<{ data: Target }>("PUT", path, { tags: ["production"] })).body.data).toEqual({ ...made.data, label: "New", tags: ["production"] });
  expect((await server.api("PUT", path, {})).status).toBe(400);
  expect((await server.api<{ data: Target[] }>("GET", url("/v1/targets", { target: ["www.EXAMPLE.com"], tags: ["production"] }))).body.data).toHaveLength(1);
  const scan = await startScan(server, { type: "NMAP", tags: ["production"], options: { ports: "80" } });
  expect(scan.requested_targets).toEqual([{ target_id: made.data.id, target: "www.example.com" }]);
  expect(await server.api("DELETE", path)).toEqual({ status: 200, body: "" });
  expect((await server.api("GET", path)).status).toBe(404);
  expect((await server.api("POST", `/v1/scans/${scan.id}/cancel`)).status).toBe(200);
});

test("an unknown path is a 404 of the same shape, and the pages for people and machines answer", async () => {
  expect((await server.api<Refusal>("GET", "/v2/scans")).body.error.code).toBe("operation.not_found");
  for (const path of ["/healthz", "/readyz", "/metrics", "/openapi.json", "/docs"]) expect((await fetch(new URL(path, server.url))).status, path).toBe(200);
});
