import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { expect, test } from "vitest";
import { ApiError, ConnectionError, createClient } from "./client.ts";

type Answer = [status: number, body: unknown, headers?: Record<string, string>] | "break";

/** A server that gives these answers, one after the other, and keeps what it was asked. */
async function startScripted(answers: Answer[]) {
  const asked: { method: string; url: string; key: string | undefined; at: number; body: string }[] = [];
  const server = createServer(async (request: IncomingMessage, response: ServerResponse) => {
    const [at, body] = [performance.now(), await text(request)];
    asked.push({ method: request.method ?? "", url: request.url ?? "", key: request.headers["idempotency-key"] as string | undefined, at, body });
    const answer = answers.shift() ?? [500, "no more answers"];
    if (answer === "break") return request.socket.destroy();
    response.writeHead(answer[0], { "content-type": "application/json", ...answer[2] }).end(JSON.stringify(answer[1]));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    asked,
    client: createClient({ server: url, apiKey: "k" }),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const scan = { data: { id: "s1", state: "SUCCEEDED" } };
const problem = (code: string) => ({ error: { code, message: "No.", request_id: "r" } });
const newScan = { type: "NMAP", targets: ["198.51.100.7"] } as const;

test("a new scan is sent again under the same key, until it is answered", async () => {
  await using scripted = await startScripted(["break", [503, problem("x")], [429, problem("x")], [409, problem("idempotency.in_progress")], [200, scan]]);
  expect(await scripted.client.scans.create({ ...newScan, targets: [...newScan.targets] })).toEqual(scan.data);
  expect(scripted.asked).toHaveLength(5);
  const keys = new Set(scripted.asked.map(({ key }) => key));
  expect([...keys]).toEqual([expect.stringMatching(/^[0-9a-f]{32}$/)]);
});

test("each scan has a key of its own, or the caller's", async () => {
  await using scripted = await startScripted([
    [200, scan],
    [200, scan],
    [200, scan],
  ]);
  for (const options of [{}, {}, { idempotencyKey: "mine" }]) await scripted.client.scans.create({ type: "NMAP", tags: ["a"] }, options);
  const keys = scripted.asked.map(({ key }) => key);
  expect([new Set(keys).size, keys[2]]).toEqual([3, "mine"]);
});

test("an import is sent again whole under the same key, and a report too", async () => {
  await using scripted = await startScripted(["break", [503, problem("x")], [200, scan], [503, problem("x")], [200, { data: { id: "r1" } }]]);
  const file = new Blob(["<nmaprun/>"]);
  expect(await scripted.client.results.import({ type: "NMAP", sourceId: "s", file, fileName: "office.xml" })).toEqual(scan.data);
  expect(await scripted.client.reports.create({ report_format: "PDF" })).toEqual({ id: "r1" });
  const [imports, reports] = [scripted.asked.slice(0, 3), scripted.asked.slice(3)];
  for (const { url, body } of imports) {
    expect(url).toBe("/v1/results");
    for (const part of ['name="scan_type"', 'name="source_id"', 'filename="office.xml"', "<nmaprun/>"]) expect(body).toContain(part);
  }
  expect(new Set(imports.map(({ key }) => key)).size).toBe(1);
  expect(new Set(reports.map(({ key }) => key)).size).toBe(1);
  expect(imports[0]?.key).toMatch(/^[0-9a-f]{32}$/);
  expect(reports[0]?.key).not.toBe(imports[0]?.key);
});

test("what is not safe to repeat is sent once", async () => {
  await using scripted = await startScripted([[503, problem("x")], "break", [503, problem("x")]]);
  await expect(scripted.client.targets.create({ target: "x.example" })).rejects.toThrow(ApiError);
  await expect(scripted.client.targets.delete("t")).rejects.toThrow(ConnectionError);
  await expect(scripted.client.scans.cancel("s")).rejects.toThrow(ApiError);
  expect(scripted.asked).toHaveLength(3);
});

test("a refusal is an error with code, field and request, and is not tried again", async () => {
  await using scripted = await startScripted([
    [400, { error: { code: "request.invalid", message: "type: no.", field: "type", request_id: "r1" } }],
    [409, problem("scan.ended")],
  ]);
  const refused = await scripted.client.scans.get("s").catch((error: unknown) => error);
  expect(refused).toMatchObject({ name: "ApiError", status: 400, code: "request.invalid", field: "type", requestId: "r1", message: "type: no." });
  await expect(scripted.client.scans.create({ type: "NMAP", tags: ["a"] })).rejects.toMatchObject({ code: "scan.ended" });
  expect(scripted.asked).toHaveLength(2);
});

test("Retry-After is waited for, in seconds or as a date", async () => {
  await using scripted = await startScripted([
    [503, problem("x"), { "retry-after": "1" }],
    [200, scan],
    [503, problem("x"), { "retry-after": "Thu, 01 Jan 1970 00:00:00 GMT" }],
    [200, scan],
  ]);
  await scripted.client.scans.get("s");
  await scripted.client.scans.get("s");
  const [first, second] = scripted.asked;
  // The timer may be a millisecond early; without Retry-After it would be about 200.
  expect((second?.at ?? 0) - (first?.at ?? 0)).toBeGreaterThan(900);
});

test("a server that stays away is given up after six tries, and an aborted wait at once", async () => {
  await using scripted = await startScripted([]);
  const gone = new AbortController();
  const waiting = scripted.client.waitForScan("s", { signal: gone.signal });
  gone.abort(new Error("enough"));
  await expect(waiting).rejects.toThrow("enough");
  const instant = { "retry-after": "0" };
  await using busy = await startScripted(Array.from({ length: 9 }, () => [503, problem("busy.now"), instant] as Answer));
  await expect(busy.client.scans.get("s")).rejects.toMatchObject({ code: "busy.now" });
  expect(busy.asked).toHaveLength(6);
});

test("onChange hears of the scan at first and of each change, not of each look", async () => {
  const at = (state: string, progress: number) => [200, { data: { id: "s1", state, progress } }] as Answer;
  await using scripted = await startScripted([at("QUEUED", 0), at("QUEUED", 0), at("RUNNING", 0), at("RUNNING", 40), at("RUNNING", 40), at("SUCCEEDED", 100)]);
  const heard: string[] = [];
  await scripted.client.waitForScan("s1", { intervalMilliseconds: 1, onChange: ({ state, progress }) => heard.push(`${state} ${progress}`) });
  expect(heard).toEqual(["QUEUED 0", "RUNNING 0", "RUNNING 40", "SUCCEEDED 100"]);
  expect(scripted.asked).toHaveLength(6);
});

test("a server without a scheme is named before anything is sent", () => {
  for (const server of ["127.0.0.1:7700", "localhost:7700", "periscan.example", "ftp://periscan.example", "//periscan.example", ""])
    expect(() => createClient({ server, apiKey: "k" }), server).toThrow(
      new TypeError(`server must be an address that begins with http:// or https://, such as http://127.0.0.1:7700; it is ${JSON.stringify(server)}`),
    );
  expect(() => createClient({ server: "HTTPS://periscan.example", apiKey: "k" })).not.toThrow();
});

test("a list is fetched page by page, as far as it is read", async () => {
  await using scripted = await startScripted([
    [200, { data: [{ id: "1" }, { id: "2" }], next_page_token: "t" }],
    [200, { data: [{ id: "3" }] }],
    [200, { data: [{ id: "1" }], next_page_token: "t" }],
  ]);
  const ids: string[] = [];
  for await (const { id } of scripted.client.risks.list({ status: ["OPEN"] })) ids.push(id);
  expect(ids).toEqual(["1", "2", "3"]);
  for await (const _ of scripted.client.risks.list()) break;
  expect(scripted.asked.map(({ url }) => new URL(url, "http://x").searchParams.get("page_token"))).toEqual([null, "t", null]);
});
