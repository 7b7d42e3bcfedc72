import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer as createHttpServer } from "node:http";
import net from "node:net";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { pinForTest, serviceForTest } from "../kit/testing.ts";
import { makeScope, readCoverage } from "./coverage.ts";
import { anyPage, few, id, keysOf, makeTemplate, scan, scanOne, serve, serveTcp, siteAt, useNuclei, useTemplates } from "./run-for-test.ts";
import { answerQuery } from "./scope-resolver.ts";

useNuclei();

describe("the scope", () => {
  test("is the pinned address: name, redirects, other hosts and other ports change nothing", async () => {
    let elsewhere = 0;
    const other = await serveTcp(() => {
      elsewhere += 1;
    });
    const otherUrl = `http://127.0.0.1:${other.port}`;
    const hosts: (string | undefined)[] = [];
    const server = createHttpServer((request, response) => {
      hosts.push(request.headers.host);
      if (request.url === "/away") response.writeHead(302, { location: `${otherUrl}/x` }).end();
      else if (request.url === "/aside") response.writeHead(302, { location: "/shop" }).end();
      else response.writeHead(200).end("<h1>Shop</h1>");
    }).listen(0, "127.0.0.2");
    await once(server, "listening");
    onTestFinished(() => {
      server.close();
      server.closeAllConnections();
    });
    const { port } = server.address() as net.AddressInfo;
    useTemplates({
      away: makeTemplate("away", anyPage("{{BaseURL}}/away", "    redirects: true\n")),
      aside: makeTemplate("aside", anyPage("{{BaseURL}}/aside", "    redirects: true\n")),
      other: makeTemplate("other", anyPage(`${otherUrl}/`)),
      raw: makeTemplate(
        "raw",
        `http:\n  - raw:\n      - |+\n        GET / HTTP/1.1\n        Host: {{Hostname}}\n\n    unsafe: true\n    matchers:\n      - type: word\n        words: ["Shop"]\n`,
      ),
      absolute: makeTemplate(
        "absolute",
        `http:\n  - raw:\n      - |\n        @Host: ${otherUrl}\n        GET / HTTP/1.1\n        Host: {{Hostname}}\n\n    matchers:\n      - type: word\n        words: ["Shop"]\n`,
      ),
    });
    const { outcome } = await scanOne([pinForTest(`http://shop.example:${port}/`, "127.0.0.2")]);
    expect(elsewhere).toBe(0);
    expect(keysOf(outcome)).toEqual(["aside", "raw"]);
    expect(new Set(hosts)).toEqual(new Set([`shop.example:${port}`]));
    expect(outcome.notes.join(" ")).toContain(`127.0.0.1:${other.port}`);
    for (const template of ["away", "other", "absolute"])
      expect(readCoverage(outcome.coverage)(makeScope(template, `http://shop.example:${port}`)), template).toBe(false);
  });

  test("of a port is that port, also for network templates that name another", async () => {
    let elsewhere = 0;
    const other = await serveTcp(() => {
      elsewhere += 1;
    });
    const { port } = await serve({ service: "redis-open" });
    const ping = (host: string) =>
      `tcp:\n  - inputs:\n      - data: "INFO\\r\\n"\n    host:\n      - "${host}"\n    matchers:\n      - type: word\n        words: ["redis_version"]\n`;
    useTemplates({
      own: makeTemplate("own", ping("{{Hostname}}")),
      beside: makeTemplate("beside", ping(`{{Host}}:${other.port}`)),
      secured: makeTemplate("secured", ping(`tls://{{Host}}:${other.port}`)),
    });
    const { outcome } = await scanOne([pinForTest(`shop.example:${port}`, "127.0.0.1")]);
    expect([outcome.kind, keysOf(outcome), elsewhere]).toEqual(["complete", ["own"], 0]);
  });

  // Nuclei asks again, by another client with a resolver of its own, where an answer looks like HTTP/2.
  test.each(["localhost", hostname()])("holds where a site makes Nuclei look up its name again: %s", async (name) => {
    const { port } = await serveTcp((socket) => socket.once("data", () => socket.end("HTTP/2 200\r\nX: 1\r\n\r\n")), "127.0.0.2");
    let elsewhere = 0;
    for (const host of ["127.0.0.1", "::1"]) {
      const server = net.createServer((socket) => {
        elsewhere += 1;
        socket.destroy();
      });
      server.listen(port, host);
      await once(server, "listening");
      onTestFinished(() => {
        server.close();
      });
    }
    const { outcome } = await scanOne([pinForTest(`http://${name}:${port}/`, "127.0.0.2")], few);
    expect([outcome.kind, elsewhere]).toEqual(["unreachable", 0]);
  });

  test("of a URL begins at its path, and of a bare host is what is open there", async () => {
    const seen: string[] = [];
    const { port } = await serve({ site: "main" }, seen);
    await scanOne([siteAt(port, "/shop/index.html?a=1,2")], { template_ids: [id("git-config")] });
    expect(seen).toContain("GET /shop/.git/config");
    const redis = await serve({ service: "redis-open" });
    const known = [port, redis.port].map((number) => serviceForTest(number));
    const { outcome } = await scanOne([{ ...pinForTest("shop.example", "127.0.0.1"), known }], { template_ids: [id("git-config"), id("redis-open")] });
    expect(keysOf(outcome)).toEqual([id("git-config"), id("redis-open")]);
    expect(readCoverage(outcome.coverage)(makeScope(id("redis-open"), `tcp:${redis.port}`))).toBe(true);
  });

  test("is reached over TLS with the target's name", async () => {
    const folder = mkdtempSync(join(tmpdir(), "periscan-tls-test-"));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const [key, cert] = [join(folder, "key.pem"), join(folder, "cert.pem")];
    execFileSync("openssl", ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", cert, "-days", "2", "-subj", "/CN=shop.example"], {
      stdio: "ignore",
    });
    const { createServer } = await import("node:https");
    const names = new Set<string | false | undefined>();
    const server = createServer({ key: readFileSync(key), cert: readFileSync(cert) }, (request, response) => {
      names.add((request.socket as import("node:tls").TLSSocket).servername ?? undefined);
      response.end(request.url === "/.git/HEAD" ? "ref: refs/heads/main\n" : "<html>Shop");
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    onTestFinished(() => {
      server.close();
      server.closeAllConnections();
    });
    const { port } = server.address() as net.AddressInfo;
    const { outcomes } = await scan([pinForTest(`https://shop.example:${port}/`, "127.0.0.1"), pinForTest(`shop.example:${port}`, "127.0.0.1")], {
      template_ids: [id("git-head")],
    });
    expect(outcomes.map(({ outcome }) => [outcome.kind, keysOf(outcome)])).toEqual([
      ["complete", [id("git-head")]],
      ["complete", [id("git-head")]],
    ]);
    expect(names).toEqual(new Set(["shop.example"]));
  });
});

test("an IPv6 target is scanned by its address, under its name or none", async () => {
  const site = await serve({ site: "default" }, [], "::1");
  const redis = await serve({ service: "redis-open" }, [], "::1");
  const { outcomes } = await scan([
    pinForTest(`http://[::1]:${site.port}/`),
    pinForTest(`http://shop.example:${site.port}/`, "::1"),
    pinForTest(`[::1]:${redis.port}`),
  ]);
  expect(outcomes.map(({ outcome }) => [outcome.kind, keysOf(outcome)])).toEqual([
    ["complete", [id("default-page")]],
    ["complete", [id("default-page")]],
    ["complete", [id("redis-open")]],
  ]);
});

describe("the scope's resolver", () => {
  /** A query of one question: type 1 is an IPv4 address, 28 an IPv6 one. */
  const makeQuery = (name: string, type: number) => {
    const labels = name.split(".").flatMap((label) => [label.length, ...Buffer.from(label)]);
    return Buffer.from([7, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, ...labels, 0, 0, type, 0, 1]);
  };
  const scope = { host: "shop.example", address: "192.0.2.7" };
  test("gives the pinned address for the target's name, and no other name an address", () => {
    expect(answerQuery(makeQuery("SHOP.example", 1), scope)?.subarray(-4)).toEqual(Buffer.of(192, 0, 2, 7));
    expect(answerQuery(makeQuery("shop.example", 28), scope)?.readUInt16BE(6)).toBe(0);
    expect((answerQuery(makeQuery("other.example", 1), scope)?.readUInt16BE(2) ?? 0) & 15).toBe(3);
    const six = answerQuery(makeQuery("shop.example", 28), { ...scope, address: "2001:db8::7" });
    expect(six?.subarray(-16).toString("hex")).toBe("20010db8000000000000000000000007");
  });
  test("answers nothing to what is no query", () => {
    for (const bytes of [Buffer.alloc(0), Buffer.alloc(20), makeQuery("shop.example", 1).subarray(0, 20), Buffer.alloc(600, 255)])
      expect(answerQuery(bytes, scope)).toBeUndefined();
  });
});
