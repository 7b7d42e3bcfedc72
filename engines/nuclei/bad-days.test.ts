import { once } from "node:events";
import { readdirSync } from "node:fs";
import { createServer as createHttpServer } from "node:http";
import type net from "node:net";
import { tmpdir } from "node:os";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { pinForTest, serviceForTest, testEnginesFolder } from "../kit/testing.ts";
import { makeScope, readCoverage } from "./coverage.ts";
import { findTemplates, ownTemplatesFolder } from "./find-templates.ts";
import { nuclei } from "./index.ts";
import { few, findClosedPort, id, makeTemplate, scan, scanOne, serve, serveTcp, siteAt, useNuclei, useTemplates, watchProcesses } from "./run-for-test.ts";

useNuclei();

describe("on a bad day", () => {
  const limits = { memoryBytes: 2 ** 31, packetsPerSecond: Number.POSITIVE_INFINITY, outputBytes: 2 ** 30 };

  test("a closed port is unreachable", async () => {
    const port = await findClosedPort();
    const { outcomes } = await scan([siteAt(port), pinForTest(`127.0.0.1:${port}`)]);
    expect(outcomes.map(({ outcome }) => [outcome.kind, outcome.reason?.includes(`${port}`)])).toEqual([
      ["unreachable", true],
      ["unreachable", true],
    ]);
  });

  test("a target that dies half-way is partial, says so, and keeps what was found", async () => {
    let requests = 0;
    const server = createHttpServer((request, response) => {
      requests += 1;
      response.writeHead(request.url === "/.env" ? 200 : 404, { "content-type": "text/plain" }).end("DB_PASSWORD=x\n");
      if (requests === 12) {
        server.close();
        server.closeAllConnections();
      }
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as net.AddressInfo;
    const { outcome } = await scanOne([siteAt(port)], { concurrency: 1, retries: 0 });
    expect(outcome.kind).toBe("partial");
    expect(outcome.reason).toMatch(/got no answer.*no longer accepted connections/);
    const place = `http://shop.example:${port}`;
    const covers = readCoverage(outcome.coverage);
    const covered = [...findTemplates(ownTemplatesFolder).templates.values()].filter((template) => covers(makeScope(template.id, place)));
    expect(covered.length).toBeLessThan(15);
  });

  test("a missing engine is an error that says what to do", async () => {
    vi.stubEnv("PATH", "/nonexistent");
    expect(await (await nuclei.load()).probe({ enginesFolder: "/nonexistent" })).toMatchObject({
      ready: false,
      missing: expect.stringContaining("engines install nuclei"),
    });
    await expect(scan([siteAt(1)], {}, { enginesFolder: "/nonexistent" })).rejects.toMatchObject({ code: "engine.missing", retry: true });
  });

  test("an engine that is killed is an error, to be tried again", async () => {
    const watched = watchProcesses((pid) => process.kill(-pid, "SIGKILL"));
    const { port } = await serve({ site: "main" });
    await expect(scan([siteAt(port)], {}, { log: watched.log })).rejects.toMatchObject({ code: "engine.killed", retry: true });
    watched.expectGone();
  });

  test("a site that accepts and never answers ends by a limit of ours", async () => {
    const { port } = await serveTcp(() => {});
    const watched = watchProcesses();
    const { outcome } = await scanOne([siteAt(port)], { timeout_seconds: 1, concurrency: 50 }, { log: watched.log });
    expect([outcome.kind, outcome.reason]).toEqual(["unreachable", expect.stringContaining("stopped answering")]);
    watched.expectGone();
  });

  test.each([429, 503, 403])("a site that answers everything with %i from some time on is partial, and closes nothing", async (status) => {
    let requests = 0;
    const server = createHttpServer((_request, response) => {
      requests += 1;
      response.writeHead(requests > 20 ? status : 404).end();
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    onTestFinished(() => void server.close());
    const { port } = server.address() as net.AddressInfo;
    const { outcome } = await scanOne([siteAt(port)]);
    expect([outcome.kind, outcome.reason]).toEqual(["partial", expect.stringMatching(new RegExp(`404 before.*${status} afterwards`))]);
    const covers = readCoverage(outcome.coverage);
    const place = `http://shop.example:${port}`;
    expect([...findTemplates(ownTemplatesFolder).templates.values()].filter((template) => covers(makeScope(template.id, place)))).toEqual([]);
  });

  test.each([
    ["closes", (socket: net.Socket) => void socket.end()],
    ["resets", (socket: net.Socket) => void socket.resetAndDestroy()],
  ])("a service that accepts and then %s every connection is not clean", async (_how, hangUp) => {
    const { port } = await serveTcp((socket) => socket.once("data", () => hangUp(socket)));
    const { outcome } = await scanOne([pinForTest(`127.0.0.1:${port}`)], { protocols: ["tcp"] });
    expect(outcome.kind).not.toBe("complete");
    expect(readCoverage(outcome.coverage)(makeScope(id("redis-open"), `tcp:${port}`))).toBe(false);
  });

  test("a service that is silent on one template closes nothing of that one", async () => {
    const { port } = await serveTcp((socket) => socket.on("data", (asked) => void (asked.includes("INFO") || socket.end("-ERR unknown command\r\n"))));
    const { outcome } = await scanOne([pinForTest(`127.0.0.1:${port}`)], { template_ids: [id("redis-open"), id("memcached-open")] });
    const covers = readCoverage(outcome.coverage);
    expect([id("redis-open"), id("memcached-open")].map((template) => covers(makeScope(template, `tcp:${port}`)))).toEqual([false, true]);
    expect(outcome.notes.join()).toContain("did not answer all that 1 network template sent");
  });

  test("a port that refused once and then accepts is not closed, and the outcome is partial", async () => {
    const late = await findClosedPort();
    const site = createHttpServer((request, response) => {
      response.writeHead(404).end();
      // By the first template, not by what looks for sites before.
      if (request.url !== "/" && !opened.listening) opened.listen(late, "127.0.0.1");
    }).listen(0, "127.0.0.1");
    const opened = createHttpServer();
    await once(site, "listening");
    onTestFinished(() => {
      site.close();
      opened.close();
    });
    const ports = [(site.address() as net.AddressInfo).port, late];
    const known = ports.map((port) => serviceForTest(port));
    const { outcome } = await scanOne([{ ...pinForTest("127.0.0.1"), known }], few);
    expect([outcome.kind, outcome.reason]).toEqual(["partial", expect.stringContaining(`TCP port ${late} refused`)]);
    expect(readCoverage(outcome.coverage)(makeScope(id("env-file"), `http://127.0.0.1:${late}`))).toBe(false);
  });

  test("a service that accepts and never speaks is not clean", async () => {
    const { port } = await serveTcp(() => {});
    const { outcome } = await scanOne([pinForTest(`127.0.0.1:${port}`)], { protocols: ["tcp"] });
    expect(outcome.kind).not.toBe("complete");
    expect(readCoverage(outcome.coverage)(makeScope(id("redis-open"), `tcp:${port}`))).toBe(false);
  });

  test("a site that falls silent in the middle is partial", async () => {
    let requests = 0;
    const { port } = await serveTcp((socket) =>
      socket.once("data", () => {
        requests += 1;
        if (requests <= 10) socket.end("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
      }),
    );
    const { outcome } = await scanOne([siteAt(port)], { timeout_seconds: 1, concurrency: 50 });
    expect([outcome.kind, outcome.reason]).toEqual(["partial", expect.stringContaining("stopped answering")]);
  });

  test("a service that dies between two templates is partial, and nothing of the later one is covered", async () => {
    const redis = await serveTcp(() => {});
    let connections = 0;
    redis.server.on("connection", (socket: net.Socket) => {
      connections += 1;
      // The first three look what the port is; the fourth is the first template.
      socket.once("data", () => socket.end("-ERR unknown\r\n"));
      if (connections === 4) redis.server.close();
    });
    const { outcome } = await scanOne([pinForTest(`127.0.0.1:${redis.port}`)], { concurrency: 1, template_ids: [id("redis-open"), id("memcached-open")] });
    expect([outcome.kind, outcome.reason]).toEqual(["partial", expect.stringContaining("did not accept every connection")]);
    const place = `tcp:${redis.port}`;
    expect([id("redis-open"), id("memcached-open")].filter((template) => readCoverage(outcome.coverage)(makeScope(template, place)))).toHaveLength(1);
  });

  test("without any template the scan fails", async () => {
    useTemplates({});
    expect(await (await nuclei.load()).probe({ enginesFolder: testEnginesFolder })).toMatchObject({
      ready: false,
      content: [{ count: 0 }],
      missing: expect.stringContaining("PERISCAN_NUCLEI_TEMPLATES"),
    });
    await expect(scan([siteAt(1)])).rejects.toMatchObject({ code: "engine.content_empty", retry: false });
  });

  test("with options that choose no template, or templates that Nuclei cannot read, the scan fails", async () => {
    const { port } = await serve({ site: "main" });
    await expect(scan([siteAt(port)], { tags: ["no-such-tag"] })).rejects.toMatchObject({ code: "engine.content_empty", retry: false });
    useTemplates({ broken: makeTemplate("broken", "http:\n  - method: GET\n    nonsense: [") });
    await expect(scan([siteAt(port)])).rejects.toMatchObject({ code: "engine.content_empty", retry: false });
  });

  test("a target that no chosen template is for is skipped, and the others are scanned", async () => {
    const [site, redis] = [await serve({ site: "default" }), await serve({ service: "redis-open" })];
    const { outcomes } = await scan([siteAt(site.port), pinForTest(`127.0.0.1:${redis.port}`)], { protocols: ["tcp"], template_ids: [id("redis-open")] });
    expect(outcomes.map(({ outcome }) => outcome.kind)).toEqual(["skipped", "complete"]);
  });

  test("output beyond its ceiling, or memory, is partial or unreachable with that reason", async () => {
    const { port } = await serve({ site: "main" });
    const printed = await scanOne([siteAt(port)], {}, { limits: { ...limits, outputBytes: 5000 } });
    expect([printed.outcome.kind, printed.outcome.reason]).toEqual(["partial", expect.stringContaining("printed more than")]);
    const large = await scanOne([siteAt(port)], { rate_limit: 1 }, { limits: { ...limits, memoryBytes: 2 ** 20 } });
    expect(large.outcome.kind).not.toBe("complete");
    expect(large.outcome.reason).toContain("memory");
  });

  test("cancel ends it, and leaves nothing", async () => {
    const abort = new AbortController();
    const watched = watchProcesses(() => abort.abort(new Error("cancelled")));
    const { port } = await serve({ site: "main" });
    await expect(scan([siteAt(port)], { rate_limit: 1 }, { signal: abort.signal, log: watched.log })).rejects.toThrow("cancelled");
    watched.expectGone();
    expect(readdirSync(tmpdir()).filter((name) => /^nuclei/.test(name))).toEqual([]);
  });
});
