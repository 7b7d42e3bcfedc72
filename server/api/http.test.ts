import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { request as httpRequest } from "node:http";
import { connect } from "node:net";
import type { Scan } from "@periscan/contract/scan.ts";
import Fastify from "fastify";
import { afterAll, beforeAll, expect, test } from "vitest";
import { answerFile } from "../http/send-file.ts";
import { maxFiltersBytes } from "../page.ts";
import { claimSome, finishTask, getScan, startScan, startTestServer, type TestServer, tcpOutcome } from "../testing/start-test-server.ts";

let server: TestServer;
let scan: Scan;
beforeAll(async () => {
  server = await startTestServer({
    http: { corsOrigins: ["https://dashboard.example"], sampleData: true, allowedHosts: ["periscan.test"], metricsToken: undefined },
  });
  const { id } = await startScan(server, { type: "NMAP", targets: ["10.4.0.1"], options: { ports: "1-1000" } });
  await finishTask(server, await claimSome(server), tcpOutcome({ ports: "1-1000", open: [21, 22, 23, 25, 80, 110, 143, 443] }));
  scan = await getScan(server, id);
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
});

/** What came over the wire, not decompressed. */
function send(method: string, path: string, headers: Record<string, string> = {}): Promise<{ status: number; headers: Record<string, string>; body: Buffer }> {
  return new Promise((resolve, reject) => {
    const sent = httpRequest(new URL(path, server.url), { method, headers: { ...server.own, ...headers } }, async (response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of response) chunks.push(chunk as Buffer);
      resolve({ status: response.statusCode ?? 0, headers: response.headers as Record<string, string>, body: Buffer.concat(chunks) });
    });
    sent.on("error", reject).end();
  });
}

const fileOf = (type: string) => `/v1/results/${scan.results.find(({ content_type }) => content_type === type)?.result_id}`;

test("a file has a tag, and who has it already gets 304 without a body", async () => {
  const whole = await send("GET", fileOf("application/pdf"));
  const { etag = "" } = whole.headers;
  expect([whole.status, etag]).toEqual([200, expect.stringMatching(/^"[\w-]{27}"$/)]);
  expect((await send("GET", fileOf("text/html"))).headers.etag).not.toBe(etag);
  for (const header of [etag, `W/${etag}`, `"other", ${etag}`, "*"]) {
    const again = await send("GET", fileOf("application/pdf"), { "if-none-match": header });
    expect([again.status, again.body.length, again.headers.etag], header).toEqual([304, 0, etag]);
  }
  expect((await send("GET", fileOf("application/pdf"), { "if-none-match": '"other"' })).status).toBe(200);
});

test("a range is that part of the file, and the parts are the whole", async () => {
  const path = fileOf("application/pdf");
  const { body: whole, headers } = await send("GET", path);
  const size = whole.length;
  const part = async (range: string, more = {}) => {
    const { status, body, headers } = await send("GET", path, { range, ...more });
    return { status, body, range: headers["content-range"], length: Number(headers["content-length"]) };
  };
  const cases: [string, number, number][] = [
    ["bytes=0-0", 0, 0],
    ["bytes=10-99", 10, 99],
    ["bytes=100-", 100, size - 1],
    ["bytes=-7", size - 7, size - 1],
    [`bytes=-${size * 2}`, 0, size - 1],
    [`bytes=5-${size * 2}`, 5, size - 1],
    ["BYTES=1-2", 1, 2],
  ];
  for (const [header, start, end] of cases)
    expect(await part(header), header).toEqual({
      status: 206,
      body: whole.subarray(start, end + 1),
      range: `bytes ${start}-${end}/${size}`,
      length: end - start + 1,
    });
  for (const header of ["bytes=0-1,3-4", "bytes=9-3", "bytes=-", "pages=1-2", "bytes=a-b", "bytes=0-1x", `bytes=${"9".repeat(400)}-`])
    expect((await part(header)).status, header).toBe(200);
  for (const header of [`bytes=${size}-`, "bytes=-0", "bytes=99999999999999-"]) {
    const { status, body, range } = await part(header);
    expect([status, range, JSON.parse(body.toString()).error.code], header).toEqual([416, `bytes */${size}`, "range.not_satisfiable"]);
  }
  expect((await part("bytes=0-4", { "if-range": headers.etag })).status).toBe(206);
  for (const changed of ['"other"', `W/${headers.etag}`, "Tue, 24 Nov 2026 12:00:00 GMT"])
    expect((await part("bytes=0-4", { "if-range": changed })).status, changed).toBe(200);
  expect((await part("bytes=0-4", { "if-none-match": headers.etag })).status).toBe(304);
});

test("HEAD answers what GET would, without the body", async () => {
  for (const path of ["/v1/scans", `/v1/scans/${scan.id}`, "/v1/targets", "/v1/risks", fileOf("application/pdf"), fileOf("text/html"), "/healthz"]) {
    const [get, head] = [await send("GET", path), await send("HEAD", path)];
    expect([head.status, head.body.length], path).toEqual([200, 0]);
    for (const name of ["content-type", "content-length", "etag", "content-disposition"]) expect(head.headers[name], `${path} ${name}`).toBe(get.headers[name]);
  }
  // A range is for GET alone (RFC 9110, 14.2).
  const pdf = fileOf("application/pdf");
  const part = await send("HEAD", pdf, { range: "bytes=0-9" });
  expect([part.status, part.headers["content-length"]]).toEqual([200, (await send("GET", pdf)).headers["content-length"]]);
  for (const path of ["/v1/risks", fileOf("text/html")]) {
    const [get, head] = [await send("GET", path, { "accept-encoding": "gzip" }), await send("HEAD", path, { "accept-encoding": "gzip" })];
    expect([head.headers.etag, head.headers.vary, head.headers["content-length"]], path).toEqual([get.headers.etag, get.headers.vary, undefined]);
  }
  expect((await send("HEAD", "/v1/scans/none")).status).toBe(404);
});

test("JSON and HTML are compressed for who asks for it, a PDF and a range never, and the tag says that the bytes differ", async () => {
  const asking = { "accept-encoding": "gzip, br;q=0.5" };
  const list = await send("GET", "/v1/risks", asking);
  expect([list.headers["content-encoding"], list.headers.vary]).toEqual(["gzip", expect.stringContaining("accept-encoding")]);
  expect(await (await fetch(new URL("/v1/risks", server.url), { headers: { ...server.own, ...asking } })).json()).toEqual(
    JSON.parse((await send("GET", "/v1/risks")).body.toString()),
  );
  const html = fileOf("text/html");
  const plain = await send("GET", html);
  const small = await send("GET", html, asking);
  expect([small.headers["content-encoding"], small.headers.etag]).toEqual(["gzip", `W/${plain.headers.etag}`]);
  expect(small.body.length).toBeLessThan(plain.body.length / 2);
  expect((await send("GET", html, { ...asking, "if-none-match": small.headers.etag ?? "" })).status).toBe(304);
  const part = await send("GET", html, { ...asking, range: "bytes=0-2000" });
  expect([part.status, part.headers["content-encoding"], part.headers.etag]).toEqual([206, undefined, plain.headers.etag]);
  expect(part.body).toEqual(plain.body.subarray(0, 2001));
  expect((await send("GET", fileOf("application/pdf"), asking)).headers["content-encoding"]).toBeUndefined();
  expect((await send("GET", "/v1/risks")).headers["content-encoding"]).toBeUndefined();
});

test("a known path with another method is 405 with what is allowed; an unknown one is 404", async () => {
  const refused = async (method: string, path: string) => {
    const { status, headers, body } = await send(method, path);
    return [status, headers.allow, JSON.parse(body.toString()).error.code];
  };
  expect(await refused("DELETE", "/v1/scans")).toEqual([405, "GET, HEAD, POST", "operation.method_not_allowed"]);
  expect(await refused("PATCH", "/v1/targets/x?y=1")).toEqual([405, "DELETE, GET, HEAD, PUT", "operation.method_not_allowed"]);
  expect(await refused("POST", "/v1/scans/results/x")).toEqual([405, "GET, HEAD", "operation.method_not_allowed"]);
  expect(await refused("GET", "/v1/scans/x/cancel")).toEqual([405, "POST", "operation.method_not_allowed"]);
  expect(await refused("DELETE", "/v1/nothing")).toEqual([404, undefined, "operation.not_found"]);
});

test("every answer names its request, also an error's, and no two are the same", async () => {
  const answers = await Promise.all(
    ["/v1/scans", "/v1/scans/x", "/v1/nothing", "/v1/scans?page_size=x", "/v1/scans/%E0%A4%A", `/v1/scans/${"x".repeat(300)}`].map((path) => send("GET", path)),
  );
  expect(answers.map(({ status }) => status)).toEqual([200, 404, 404, 400, 400, 414]);
  const ids = answers.map(({ headers }) => headers["x-request-id"]);
  expect(new Set(ids).size).toBe(answers.length);
  for (const [index, { status, body }] of answers.entries()) if (status !== 200) expect(JSON.parse(body.toString()).error.request_id).toBe(ids[index]);
});

test("only pages of the origins that the operator named may read answers", async () => {
  const allowed = await send("GET", "/v1/scans", { origin: "https://dashboard.example" });
  expect([allowed.headers["access-control-allow-origin"], allowed.headers.vary]).toEqual(["https://dashboard.example", expect.stringContaining("Origin")]);
  expect((await send("GET", "/v1/scans", { origin: "https://other.example" })).headers["access-control-allow-origin"]).toBeUndefined();
  const asked = { "access-control-request-method": "POST", "access-control-request-headers": "x-hostedscan-api-key,content-type,idempotency-key" };
  const preflight = await send("OPTIONS", "/v1/scans", { origin: "https://dashboard.example", ...asked });
  expect([preflight.status, preflight.headers["access-control-allow-origin"]]).toEqual([204, "https://dashboard.example"]);
  expect(preflight.headers["access-control-allow-headers"]).toContain("x-hostedscan-api-key");
  const wrongKey = await send("GET", "/v1/scans", { origin: "https://dashboard.example", "x-hostedscan-api-key": "wrong" });
  expect([wrongKey.status, wrongKey.headers["access-control-allow-origin"]]).toEqual([401, "https://dashboard.example"]);
  await using plain = await startTestServer();
  const answer = await fetch(new URL("/v1/scans", plain.url), { headers: { ...plain.own, origin: "https://dashboard.example" } });
  expect([answer.status, answer.headers.get("access-control-allow-origin")]).toEqual([200, null]);
  expect((await fetch(new URL("/v1/scans", plain.url), { method: "OPTIONS", headers: { origin: "https://dashboard.example", ...asked } })).status).toBe(405);
});

test("a file without a byte is answered as such", async () => {
  const app = Fastify();
  const file = {
    identity: "empty",
    bytes: 0,
    contentType: "application/json",
    fileName: "empty.json",
    read: () => {
      throw new Error("there is nothing to read");
    },
  };
  app.get("/", (_request, reply) => answerFile(reply, file));
  const { statusCode, headers, body } = await app.inject("/");
  expect([statusCode, headers["content-length"], body]).toEqual([200, "0", ""]);
});

test("only files may be kept, by their reader alone; an answer of another form is named", async () => {
  for (const path of ["/v1/scans", "/v1/scans/none", "/v1/risks?page_size=x"])
    expect((await send("GET", path)).headers["cache-control"], path).toBe("no-store");
  const file = await send("GET", fileOf("text/html"));
  expect([file.headers["cache-control"], file.headers.vary]).toEqual(["private, no-cache", "Origin, accept-encoding"]);
  expect((await send("GET", fileOf("application/pdf"))).headers.vary).toBe("Origin");
});

test("an empty body needs no content type, whatever it is called", async () => {
  const empty = (type: string) => send("POST", `/v1/scans/${scan.id}/cancel`, { "content-type": type, "content-length": "0" });
  for (const type of ["application/x-www-form-urlencoded", "application/json", "text/plain"]) expect((await empty(type)).status, type).toBe(409);
});

test("the tag of a file is of that file alone", async () => {
  const tags = await Promise.all(scan.results.map(async ({ result_id }) => (await send("HEAD", `/v1/results/${result_id}`)).headers.etag));
  expect(new Set(tags).size).toBe(scan.results.length);
  const bodies = await Promise.all([1, 2].map(() => send("GET", fileOf("application/pdf"))));
  expect(new Set(bodies.map(({ body }) => createHash("sha256").update(body).digest("hex"))).size).toBe(1);
});

/** Bytes as they are, and what came back. */
function sendRaw(bytes: string): Promise<{ status: number; id: string | undefined; body: string }> {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(server.url);
    const socket = connect(Number(port), hostname, () => socket.write(bytes));
    const chunks: Buffer[] = [];
    socket.on("data", (chunk) => chunks.push(chunk));
    socket.on("error", reject);
    socket.on("close", () => {
      const [head = "", body = ""] = Buffer.concat(chunks).toString().split("\r\n\r\n");
      resolve({ status: Number(head.split(" ")[1]), id: /^x-request-id: (\S+)/im.exec(head)?.[1], body });
    });
  });
}

test("what the router, the parsers and Node itself refuse has the one shape too", async () => {
  const key = `Host: 127.0.0.1\r\nX-HOSTEDSCAN-API-KEY: ${server.apiKey}\r\nConnection: close\r\n`;
  const json = "Content-Type: application/json\r\n";
  const post = `POST /v1/scans HTTP/1.1\r\n${key}`;
  const cases: [string, number, string, string?][] = [
    ["GARBAGE\r\n\r\n", 400, "request.invalid"],
    ["NOBODY /v1/scans HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", 400, "request.invalid"],
    ["GET /v1/scans HTTP/1.1\r\nConnection: close\r\n\r\n", 400, "request.invalid", "Host"],
    [`GET /v1/scans HTTP/1.1\r\n${key}X-Long: ${"x".repeat(70_000)}\r\n\r\n`, 431, "request.headers_too_large"],
    [`GET /v1/scans/%E0%A4%A HTTP/1.1\r\n${key}\r\n`, 400, "request.invalid"],
    [`GET /v1/scans/${"x".repeat(300)} HTTP/1.1\r\n${key}\r\n`, 414, "request.address_too_long"],
    [`GET /v1/scans/%00 HTTP/1.1\r\n${key}\r\n`, 400, "request.invalid"],
    [`GET /nothing HTTP/1.1\r\n${key}\r\n`, 404, "operation.not_found"],
    [`QUERY /v1/scans HTTP/1.1\r\n${key}\r\n`, 405, "operation.method_not_allowed"],
    [`QUERY /v1/scans HTTP/1.1\r\n${key}Content-Length: 2\r\n\r\n{}`, 405, "operation.method_not_allowed"],
    [`PATCH /v1/scans HTTP/1.1\r\n${key}${json}Content-Length: 1\r\n\r\n{`, 405, "operation.method_not_allowed"],
    [`QUERY /nothing HTTP/1.1\r\n${key}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`, 404, "operation.not_found"],
    ["GET /v1/scans HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n", 421, "request.other_host", "Host"],
    ["GET /openapi.json HTTP/1.1\r\nHost: evil.example:7700\r\nConnection: close\r\n\r\n", 421, "request.other_host", "Host"],
    ["GET /v1/scans HTTP/1.1\r\nHost: a/b@127.0.0.1\r\nConnection: close\r\n\r\n", 400, "request.invalid", "Host"],
    [`PROPFIND /v1/scans HTTP/1.1\r\n${key}\r\n`, 405, "operation.method_not_allowed"],
    [`${post}${json}Content-Length: abc\r\n\r\n{`, 400, "request.invalid"],
    [`${post}${json}Content-Length: 99999999\r\n\r\n{`, 413, "request.too_large"],
    [`${post}${json}Transfer-Encoding: chunked\r\n\r\nZZ\r\n`, 400, "request.invalid"],
    [`${post}${json}Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}`, 415, "request.unsupported_media_type", "Content-Encoding"],
    [`${post}Content-Type: text/csv\r\nContent-Length: 2\r\n\r\n{}`, 415, "request.unsupported_media_type"],
    [`${post}${json}Content-Length: 2\r\n\r\n{]`, 400, "request.invalid_json"],
    [`${post}${json}Content-Length: 2\r\n\r\n{}`, 400, "request.invalid", "type"],
    ["GET /v1/scans HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n", 401, "key.missing"],
    ["POST /worker/v1/claim HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n", 401, "token.invalid"],
  ];
  for (const [bytes, status, code, field] of cases) {
    const answer = await sendRaw(bytes);
    const said = bytes.slice(0, 100);
    expect([answer.status, answer.id], said).toEqual([status, expect.any(String)]);
    const error = { code, message: expect.stringMatching(/^\S.*\.$/s), request_id: answer.id, ...(field === undefined ? {} : { field }) };
    expect(JSON.parse(answer.body), said).toEqual({ error });
  }
  const unknown = await sendRaw(`GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nExpect: something\r\nConnection: close\r\n\r\n`);
  expect(unknown.status).toBe(200);
});

test("the longest filters fit, however they are encoded, and longer ones are refused by name", async () => {
  const encode = (text: string) => Array.from(Buffer.from(text), (byte) => `%${byte.toString(16).padStart(2, "0")}`).join("");
  const longest = (bytes: number) => `/v1/risks?filters=${encode(JSON.stringify({ tags: ["ü"] }).padEnd(bytes - 1))}`;
  const headers = { ...server.own, "x-of-a-proxy": "x".repeat(15_000) };
  expect((await server.api("GET", longest(maxFiltersBytes), undefined, headers)).status).toBe(200);
  expect((await server.api("GET", longest(maxFiltersBytes + 1), undefined, headers)).body).toMatchObject({
    error: { field: "filters", message: "filters: has more than 16,000 bytes; ask in several requests." },
  });
});

test("the description that is served is openapi.json, byte for byte", async () => {
  const served = await fetch(new URL("/openapi.json", server.url));
  expect([served.status, served.headers.get("content-type")]).toEqual([200, "application/json; charset=utf-8"]);
  expect(await served.text()).toBe(readFileSync(new URL("../../openapi.json", import.meta.url), "utf8"));
});

test("a refusal says what is missing, and every key that is not known", async () => {
  const refusal = async (path: string, body?: object) =>
    (await server.api<{ error: { message: string; field?: string } }>(body ? "POST" : "GET", path, body)).body.error;
  expect(await refusal("/v1/scans", { targets: ["10.4.0.1"] })).toMatchObject({ message: "type is missing.", field: "type" });
  expect(await refusal("/v1/reports", { report_format: null })).toMatchObject({ message: expect.not.stringContaining("missing"), field: "report_format" });
  expect(await refusal('/v1/risks?filters={"nobody":["x"],"status":["OPEN"],"nothing":["y"]}')).toMatchObject({
    message: "filters.nobody, filters.nothing are not known here.",
    field: "filters.nobody",
  });
  expect(await refusal('/v1/scans?filters={"state":["DONE"]}')).toMatchObject({ message: expect.stringContaining("SUCCEEDED"), field: "filters.state[0]" });
  expect((await fetch(new URL("/v1/scans", server.url))).headers.get("www-authenticate")).toBe("Bearer");
});

test("HEAD of an export does not claim a length, and an empty page_token is the first page", async () => {
  const head = await send("HEAD", "/v1/risks/export?format=csv");
  expect([head.status, head.headers["content-type"], head.headers["content-length"]]).toEqual([200, "text/csv; charset=utf-8; header=present", undefined]);
  expect(JSON.parse((await send("GET", "/v1/scans?page_token=")).body.toString()).data).toHaveLength(1);
});

test("a page that makes its own name mean this server's address gets nothing; its addresses and names are served, and health under any", async () => {
  const status = async (host: string, path = "/v1/scans") => (await send("GET", path, { host })).status;
  for (const host of ["127.0.0.1", "localhost:1", "LOCALHOST.", "192.0.2.7:7700", "[2001:db8::1]:7700", "periscan.test", "Periscan.TEST:8443"])
    expect(await status(host), host).toBe(200);
  for (const host of ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "sub.periscan.test"])
    for (const path of ["/v1/scans", "/docs", "/openapi.json", "/metrics", "/", "/nothing"]) expect(await status(host, path), `${host}${path}`).toBe(421);
  for (const path of ["/healthz", "/readyz"]) expect(await status("10.0.0.1.probe.example", path), path).toBe(200);
});

test("the documentation runs its own files alone, in no frame, and keeps no key", async () => {
  const page = await send("GET", "/docs/");
  const policy = page.headers["content-security-policy"] ?? "";
  for (const part of ["default-src 'none'", "script-src 'self';", "style-src 'self';", "frame-ancestors 'none'"]) expect(policy).toContain(part);
  expect(policy).not.toMatch(/unsafe|https:|\*/);
  expect(page.headers["x-content-type-options"]).toBe("nosniff");
  expect(page.body.toString()).not.toMatch(/<script(?![^>]*src=)|<style|\son\w+=/);
  expect((await send("GET", "/docs/static/swagger-initializer.js")).body.toString()).toMatch(/"persistAuthorization":\s*false/);
});

test("the metrics are open where only this machine reaches the server; elsewhere they need the operator's token", async () => {
  const http = { corsOrigins: [], sampleData: true, allowedHosts: [], metricsToken: undefined };
  const read = async (url: string, headers: Record<string, string> = {}) => (await fetch(new URL("/metrics", url), { headers })).status;
  expect(await read(server.url)).toBe(200);
  await using proxied = await startTestServer({ databaseUrl: server.databaseUrl, trustedProxies: ["127.0.0.1"] });
  expect([await read(proxied.url), await read(proxied.url, server.own)]).toEqual([403, 403]);
  const metricsToken = "0123456789abcdef";
  await using guarded = await startTestServer({ databaseUrl: server.databaseUrl, http: { ...http, metricsToken } });
  const tokens = [undefined, "Bearer wrong", "Bearer ", `Bearer ${server.apiKey}`, `Bearer ${metricsToken}`];
  const statuses = await Promise.all(tokens.map((authorization) => read(guarded.url, authorization === undefined ? {} : { authorization })));
  expect(statuses).toEqual([401, 401, 401, 401, 200]);
});
