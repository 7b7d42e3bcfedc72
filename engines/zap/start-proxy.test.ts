import { connect } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { type AllowProxy, type ProxySettings, startProxy } from "./start-proxy.ts";
import { serveSite, type TestSite } from "./test-site.ts";

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

async function setUp(change: Partial<ProxySettings> = {}): Promise<{ site: TestSite; proxy: AllowProxy; authorization: string }> {
  const site = await serveSite((request, response) => {
    let body = "";
    request.on("data", (chunk: Buffer) => {
      body += chunk;
    });
    request.on("end", () => response.end(`${request.method} ${request.url} ${body}.`));
  });
  const proxy = await startProxy({ host: "site.test", port: site.port, address: "127.0.0.1", log: () => {}, ...change });
  closing.push(proxy.close, site.close);
  return { site, proxy, authorization: `Proxy-Authorization: Basic ${Buffer.from(`${proxy.user}:${proxy.password}`).toString("base64")}\r\n` };
}

/** Sends text and answers all that comes until `enough` has come or the connection ends. */
async function say(port: number, text: string, enough: RegExp = /never/): Promise<string> {
  const socket = connect(port, "127.0.0.1");
  let answer = "";
  socket
    .on("error", () => {})
    .on("data", (chunk: Buffer) => {
      answer += chunk.toString("latin1");
      if (enough.test(answer)) socket.destroy();
    });
  socket.write(text, "latin1");
  const { promise, resolve } = Promise.withResolvers<void>();
  socket.once("close", () => resolve());
  await promise;
  return answer;
}

/** One request after the other on one connection; answers how much came in all. */
async function sayTwice(port: number, first: string, second: string, enough: RegExp): Promise<number> {
  const socket = connect(port, "127.0.0.1");
  let bytes = 0;
  let asked = 1;
  socket
    .on("error", () => {})
    .on("data", (chunk: Buffer) => {
      bytes += chunk.byteLength;
      if (!enough.test(chunk.toString("latin1"))) return;
      if (asked === 2) socket.destroy();
      else socket.write(second);
      asked += 1;
    });
  socket.write(first);
  const { promise, resolve } = Promise.withResolvers<void>();
  socket.once("close", () => resolve());
  await promise;
  return bytes;
}

describe("the way out of ZAP", () => {
  test("lets requests to the target through, one after the other, by the address and not by the name", async () => {
    const { site, proxy, authorization } = await setUp();
    const request = (path: string, body: string) =>
      `POST http://site.test:${site.port}${path} HTTP/1.1\r\nHost: site.test:${site.port}\r\n${authorization}Content-Length: ${body.length}\r\n\r\n${body}`;
    const answer = await say(proxy.port, request("/a?x=<>", "one") + request("/c", "two"), /two\./);
    expect(answer).toContain("POST /c two.");
    expect(site.asked).toContain("POST /c");
    expect(proxy.counts).toMatchObject({ refused: 0, failed: 0 });
    expect(site.requests.every(({ headers }) => headers["proxy-authorization"] === undefined)).toBe(true);
  });

  test.each([
    (port: number) => `GET http://elsewhere.test:${port}/ HTTP/1.1`,
    (port: number) => `GET http://site.test:${port === 1 ? 2 : 1}/ HTTP/1.1`,
    (port: number) => `GET http://site.test.evil.test:${port}/ HTTP/1.1`,
    (port: number) => `GET http://site.test:${port}@evil.test/ HTTP/1.1`,
    (port: number) => `GET http://127.0.0.1:${port}/ HTTP/1.1`,
    (port: number) => `GET https://site.test:${port}/ HTTP/1.1`,
    () => "GET http://site.test/ HTTP/1.1",
    () => "GET / HTTP/1.1",
    () => "CONNECT evil.test:443 HTTP/1.1",
    () => "CONNECT site.test:443 HTTP/1.1",
    () => "nonsense",
  ])("refuses everything else, and counts it (%#)", async (line) => {
    const { site, proxy, authorization } = await setUp();
    const answer = await say(proxy.port, `${line(site.port)}\r\nHost: site.test:${site.port}\r\n${authorization}\r\n`, /\r\n\r\n/);
    expect(answer).toMatch(/^HTTP\/1\.1 403 /);
    expect(site.asked).toEqual([]);
    expect(proxy.counts).toMatchObject({ refused: 1, connected: 0 });
  });

  test("refuses a second request to elsewhere on a connection that has been let through", async () => {
    const { site, proxy, authorization } = await setUp();
    const first = `POST http://site.test:${site.port}/ HTTP/1.1\r\nHost: site.test\r\n${authorization}Content-Length: 3\r\n\r\nabc`;
    const second = `GET http://elsewhere.test/ HTTP/1.1\r\nHost: elsewhere.test\r\n${authorization}\r\n`;
    expect(await say(proxy.port, first + second, /403 Forbidden/)).toContain("403");
    expect(proxy.counts.refusedPlaces).toEqual(new Set(["elsewhere.test:80"]));
  });

  test("does nothing for who does not know its password", async () => {
    const { site, proxy } = await setUp({ login: { kind: "header", name: "Authorization", value: "secret" } });
    const asking = `GET http://site.test:${site.port}/ HTTP/1.1\r\nHost: site.test\r\n`;
    for (const head of ["", "Proxy-Authorization: Basic bm86bm8=\r\n"])
      expect(await say(proxy.port, `${asking}${head}\r\n`, /\r\n\r\n/)).toMatch(/^HTTP\/1\.1 407 /);
    expect(site.asked).toEqual([]);
  });

  test("sends the login with every request, in place of what has its name", async () => {
    const { site, proxy, authorization } = await setUp({ login: { kind: "cookie", name: "sid", value: "good" } });
    const request = `GET http://site.test:${site.port}/ HTTP/1.1\r\nHost: site.test\r\n${authorization}Cookie: a=1; sid=old\r\n\r\n`;
    await say(proxy.port, request + request, /\.[^.]*GET \/ \./s);
    expect(site.requests.map(({ headers }) => headers.cookie)).toEqual(["a=1; sid=good", "a=1; sid=good"]);
  });

  test("tunnels to the target alone", async () => {
    const { site, proxy, authorization } = await setUp();
    const inside = "GET /inside HTTP/1.1\r\nHost: site.test\r\n\r\n";
    const answer = await say(proxy.port, `CONNECT site.test:${site.port} HTTP/1.1\r\n${authorization}\r\n${inside}`, /inside \./);
    expect(answer).toMatch(/^HTTP\/1\.1 200 .*GET \/inside \./s);
  });

  test("cuts the connection where the target does not answer, for an answer of its own would pass for the target's", async () => {
    const { site, proxy, authorization } = await setUp();
    await site.close();
    expect(await say(proxy.port, `GET http://site.test:${site.port}/ HTTP/1.1\r\nHost: site.test\r\n${authorization}\r\n`)).toBe("");
    expect(proxy.counts.failed).toBe(1);
  });

  test("holds every request of a tunnel back to its rate, and not the first alone", async () => {
    const { site, proxy, authorization } = await setUp({ requestsPerSecond: 20 });
    const inside = "GET /inside HTTP/1.1\r\nHost: site.test\r\n\r\n";
    const begun = performance.now();
    await sayTwice(proxy.port, `CONNECT site.test:${site.port} HTTP/1.1\r\n${authorization}\r\n${inside}`, inside, /inside \.$/);
    expect(site.asked).toHaveLength(2);
    // The second waits 50 ms for its turn; a busy machine can only make it longer.
    expect(performance.now() - begun).toBeGreaterThanOrEqual(49);
  });

  test("cuts an answer off that is too long, each by itself", async () => {
    const site = await serveSite(
      (request, response) => void response.end(request.url === "/long" ? "x".repeat(9 * 1024 ** 2) : `${"y".repeat(5 * 1024 ** 2)}.`),
    );
    const proxy = await startProxy({ host: "site.test", port: site.port, address: "127.0.0.1", log: () => {} });
    closing.push(proxy.close, site.close);
    const ask = (path: string) =>
      `GET http://site.test:${site.port}${path} HTTP/1.1\r\nHost: site.test\r\nProxy-Authorization: Basic ${Buffer.from(`${proxy.user}:${proxy.password}`).toString("base64")}\r\n\r\n`;
    const first = await say(proxy.port, ask("/1"), /y\.$/);
    expect(first.length).toBeGreaterThan(5 * 1024 ** 2);
    const both = await sayTwice(proxy.port, ask("/1"), ask("/2"), /y\.$/);
    expect(both).toBeGreaterThan(10 * 1024 ** 2);
    expect(proxy.counts.cut).toBe(0);
    expect((await say(proxy.port, ask("/long"))).length).toBeLessThan(9 * 1024 ** 2);
    expect(proxy.counts.cut).toBe(1);
  });

  test("gives up a head that does not end", async () => {
    const { proxy } = await setUp();
    expect(await say(proxy.port, `GET / HTTP/1.1\r\n${"x: y\r\n".repeat(60_000)}`)).toBe("");
  });
});
