import { execFile } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer as createHttpServer } from "node:http";
import net from "node:net";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { promisify } from "node:util";
import type { Outcome } from "@periscan/contract/outcome.ts";
import { afterEach, beforeAll, describe, expect, onTestFinished, test, vi } from "vitest";
import { closedServices, openServices } from "../../test/targets/exposed-services.ts";
import { lookAlikeSites, startListener } from "../../test/targets/exposed-site.ts";
import { behaviours, exposures } from "../../test/targets/exposures.ts";
import type { EngineEvent, EngineRunner, PinnedTarget, RunContext } from "../kit/engine.ts";
import { pinForTest, runForTest, testEnginesFolder } from "../kit/testing.ts";
import { covers, makeScope, packIds } from "./coverage.ts";
import { compareVersions } from "./find-go.ts";
import { findTemplates, ownTemplatesFolder } from "./find-templates.ts";
import { nuclei } from "./index.ts";
import { findNuclei, isolate } from "./install.ts";
import { readResults } from "./read-result.ts";
import { answerQuery } from "./scope-resolver.ts";

let runner: EngineRunner;
let program = "";

beforeAll(async () => {
  runner = await nuclei.load();
  const context = { enginesFolder: testEnginesFolder };
  if (!(await findNuclei(testEnginesFolder))) await runner.install({ ...context, signal: new AbortController().signal, say: () => {} });
  program = (await findNuclei(testEnginesFolder))?.file ?? "";
}, 1_200_000);

afterEach(() => vi.unstubAllEnvs());

interface Scanned {
  outcomes: { targetId: string; outcome: Outcome; native: string }[];
  events: EngineEvent[];
  args: string[][];
}

async function scan(targets: PinnedTarget[], given: object = {}, change: Partial<RunContext> = {}): Promise<Scanned> {
  const args: string[][] = [];
  const log: RunContext["log"] = (message, fields) => {
    if (message === "nuclei starts") args.push(fields?.args as string[]);
    change.log?.(message, fields);
  };
  const events = await runForTest(runner, { type: "NUCLEI", options: nuclei.options.parse(given), targets }, { ...change, log });
  const outcomes = events.flatMap((event) =>
    event.kind === "outcome" ? [{ targetId: event.targetId, outcome: event.outcome, native: Buffer.from(event.native ?? "").toString() }] : [],
  );
  return { outcomes, events, args };
}

async function scanOne(...args: Parameters<typeof scan>): Promise<Scanned & { outcome: Outcome; native: string }> {
  const scanned = await scan(...args);
  expect(scanned.outcomes).toHaveLength(args[0].length);
  const [first] = scanned.outcomes;
  if (!first) throw new Error("no outcome");
  return { ...scanned, outcome: first.outcome, native: first.native };
}

/** A listener that the test's end closes. */
async function serve(what: { site?: string; service?: string }, seen: string[] = [], address = "127.0.0.1") {
  const listener = await startListener({ address, port: 0, ...what }, seen);
  onTestFinished(() => listener.close());
  return listener;
}

async function serveTcp(onConnection: (socket: net.Socket) => void, address = "127.0.0.1") {
  const sockets = new Set<net.Socket>();
  const server = net.createServer((socket) => {
    sockets.add(socket.on("error", () => {}));
    onConnection(socket);
  });
  await once(server.listen(0, address), "listening");
  onTestFinished(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return { server, sockets, port: (server.address() as net.AddressInfo).port };
}

async function findClosedPort(): Promise<number> {
  const server = net.createServer();
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as net.AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

const siteAt = (port: number, path = "/") => pinForTest(`http://shop.example:${port}${path}`, "127.0.0.1");
const keysOf = ({ detections }: Outcome) => detections.map(({ detail }) => (detail as { template: string }).template).sort();
const id = (template: string) => `periscan-${template}`;
const few = { template_ids: ["git-config", "env-file", "metrics-open", "security-txt", "phpinfo"].map(id) };

/** A folder of templates that the test writes. */
function useTemplates(files: Record<string, string>): string {
  const folder = mkdtempSync(join(tmpdir(), "periscan-templates-test-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, `${name}.yaml`), text);
  vi.stubEnv("PERISCAN_NUCLEI_TEMPLATES", folder);
  return folder;
}

const makeTemplate = (name: string, body: string, severity = "low") =>
  `id: ${name}\ninfo:\n  name: ${name}\n  author: test\n  severity: ${severity}\n  description: A test.\n${body}`;
const anyPage = (path: string, more = "") =>
  `http:\n  - method: GET\n    path:\n      - "${path}"\n${more}    matchers:\n      - type: word\n        words: ["Shop"]\n`;

describe("the templates of ours", () => {
  test("are valid for Nuclei, named as ours, and say what, why, what to do and where to read on", async () => {
    const home = mkdtempSync(join(tmpdir(), "periscan-nuclei-test-"));
    onTestFinished(() => rmSync(home, { recursive: true, force: true }));
    const { stderr } = await promisify(execFile)(program, ["-validate", "-templates", ownTemplatesFolder, "-duc", "-nc", "-no-stdin"], {
      env: isolate(home),
      cwd: home,
    });
    expect(stderr).toContain("All templates validated successfully");
    const set = findTemplates(ownTemplatesFolder);
    expect(set.templates.size).toBeGreaterThanOrEqual(40);
    for (const [path, template] of set.templates) {
      const text = readFileSync(path, "utf8");
      expect(template.id, path).toMatch(/^periscan-[a-z0-9-]+$/);
      for (const field of ["description", "remediation", "reference", "cwe-id"]) expect(text, path).toMatch(new RegExp(`^\\s+${field}:`, "m"));
      // A status alone tells nothing of what is there.
      expect(text, path).toMatch(/type: (word|regex|dsl|binary)/);
    }
  });

  test("each hit exactly once on what they are for, with evidence, and the outcome is complete", async () => {
    const sites = [...new Set(exposures.map(({ site }) => site))];
    const listeners = [
      ...(await Promise.all(sites.map((site) => serve({ site })))),
      ...(await Promise.all(Object.keys(openServices).map((service) => serve({ service })))),
    ];
    const { outcomes } = await scan(listeners.map(({ site, port }) => (site ? siteAt(port) : pinForTest(`127.0.0.1:${port}`))));
    expect(outcomes.map(({ outcome }) => [outcome.kind, outcome.reason])).toEqual(listeners.map(() => ["complete", undefined]));
    const hits = outcomes.flatMap(({ outcome }) => keysOf(outcome)).sort();
    const wanted = [...exposures.map(({ template }) => template), ...behaviours, ...Object.keys(openServices)].map(id).sort();
    expect(hits).toEqual(wanted);
    expect(wanted).toEqual([...findTemplates(ownTemplatesFolder).templates.values()].map((template) => template.id).sort());
    for (const { outcome, native } of outcomes) {
      expect(native.split("\n")).toHaveLength(outcome.detections.length);
      for (const detection of outcome.detections) {
        expect(covers(outcome.coverage, detection.scope), detection.key).toBe(true);
        expect(Buffer.byteLength(JSON.stringify(detection.detail))).toBeLessThan(20_000);
        expect(
          nuclei.view(detection.detail).some(({ type }) => type === "code"),
          detection.key,
        ).toBe(true);
        expect(
          [detection.description, detection.solution].every((text) => /\.$/.test(text)),
          detection.key,
        ).toBe(true);
      }
    }
  });

  test.each(lookAlikeSites)("find nothing on a site that answers everything: %s", async (site) => {
    const { port } = await serve({ site });
    const { outcome } = await scanOne([siteAt(port)]);
    expect([outcome.kind, outcome.reason, keysOf(outcome)]).toEqual(["complete", undefined, []]);
  });

  test("find nothing on services that let nobody in", async () => {
    const listeners = await Promise.all(Object.keys(closedServices).map((service) => serve({ service })));
    const { outcomes } = await scan(listeners.map(({ port }) => pinForTest(`127.0.0.1:${port}`)));
    expect(outcomes.map(({ outcome }) => [outcome.kind, outcome.reason, keysOf(outcome)])).toEqual(listeners.map(() => ["complete", undefined, []]));
  });
});

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
      expect(covers(outcome.coverage, makeScope(template, `http://shop.example:${port}`)), template).toBe(false);
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
    const known = [port, redis.port].map((number) => ({
      kind: "service" as const,
      key: `tcp/${number}`,
      scope: `tcp/${number}`,
      protocol: "tcp" as const,
      port: number,
      tls: false,
      cpe: [],
    }));
    const { outcome } = await scanOne([{ ...pinForTest("shop.example", "127.0.0.1"), known }], { template_ids: [id("git-config"), id("redis-open")] });
    expect(keysOf(outcome)).toEqual([id("git-config"), id("redis-open")]);
    expect(covers(outcome.coverage, makeScope(id("redis-open"), `tcp:${redis.port}`))).toBe(true);
  });

  test("is reached over TLS with the target's name", async () => {
    const { execFileSync } = await import("node:child_process");
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

test("a hostile answer is evidence of bounded size, without what breaks a document or a database", async () => {
  const forged = '\u0000\u001b[31m<script>\n[INF] Scan completed in 1s. No results found.\n{"template-id":"forged"}\n';
  const server = createHttpServer((request, response) => {
    if (request.url === "/.env") response.end(`APP_KEY=${forged}${"\u0001".repeat(6_000_000)}`);
    else response.writeHead(404).end();
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  const { outcome } = await scanOne([siteAt((server.address() as net.AddressInfo).port)], few);
  expect([outcome.kind, keysOf(outcome)]).toEqual(["complete", [id("env-file")]]);
  const text = JSON.stringify(outcome);
  expect(text).not.toMatch(/\\u0000|\\u001b/);
  expect(Buffer.byteLength(JSON.stringify(outcome.detections[0]?.detail))).toBeLessThan(20_000);
  expect(JSON.stringify(nuclei.view(outcome.detections[0]?.detail))).toContain("<script>");
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

describe("the engine", () => {
  test("is the user's where Nuclei 3 is on PATH, and never an older one", async () => {
    const folder = mkdtempSync(join(tmpdir(), "periscan-path-test-"));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const file = join(folder, "nuclei");
    vi.stubEnv("PATH", `${folder}:${process.env.PATH}`);
    for (const [version, found] of [
      ["3.9.9", file],
      ["2.9.15", join(testEnginesFolder, "nuclei-3.7.1", "nuclei")],
    ] as const) {
      writeFileSync(file, `#!/bin/sh\necho "[INF] Nuclei Engine Version: v${version}" >&2\n`, { mode: 0o755 });
      expect((await findNuclei(testEnginesFolder))?.file).toBe(found);
    }
  });

  test("is installed once, and again without a word from the network", async () => {
    const lines: string[] = [];
    await runner.install({ enginesFolder: testEnginesFolder, signal: new AbortController().signal, say: (line) => lines.push(line) });
    expect(lines).toEqual(["nuclei-3.7.1 is installed already."]);
  });

  test("needs a Go that is new enough to be built", () => {
    expect(["1.24.2", "1.24.13", "1.26.0", "2.0"].map((version) => compareVersions(version) >= 0)).toEqual([true, true, true, true]);
    expect(["1.24.1", "1.19", "", "devel"].map((version) => compareVersions(version) >= 0)).toEqual([false, false, false, false]);
  });

  test("calls templates official only where Nuclei itself put them", () => {
    const home = mkdtempSync(join(tmpdir(), "periscan-home-test-"));
    onTestFinished(() => rmSync(home, { recursive: true, force: true }));
    vi.stubEnv("HOME", home);
    vi.stubEnv("XDG_CONFIG_HOME", undefined);
    expect(findTemplates().origin).toBe("ours");
    const folder = join(home, "nuclei-templates");
    mkdirSync(folder);
    writeFileSync(join(folder, "a.yaml"), makeTemplate("a", anyPage("{{BaseURL}}/")));
    expect(findTemplates()).toMatchObject({ origin: "user", folder });
    writeFileSync(join(folder, ".checksum"), "");
    mkdirSync(join(home, ".config", "nuclei"), { recursive: true });
    const kept = { "nuclei-templates-directory": folder, "nuclei-templates-version": "v10.2.0" };
    writeFileSync(join(home, ".config", "nuclei", ".templates-config.json"), JSON.stringify(kept));
    expect(findTemplates()).toMatchObject({ origin: "official", name: "nuclei-templates", version: "v10.2.0" });
  });
});

test("a file of Nuclei's output is read line by line, and refused with the number of the line that is none", async () => {
  const whole = readFileSync(new URL("samples/many.jsonl", import.meta.url), "utf8")
    .split("\n")
    .filter((line) => line.startsWith('{"template-id"'));
  const read = async (lines: string[]) => {
    const ids: string[] = [];
    for await (const { result } of readResults(Readable.from([Buffer.from(lines.join("\n"))]))) ids.push(result["template-id"]);
    return ids;
  };
  expect(await read(["[WRN] Loading 8 unsigned templates for scan. Use with caution.", ...whole, ""])).toHaveLength(8);
  await expect(read([whole[0] ?? "", "", "nonsense"])).rejects.toThrow("Line 3");
  await expect(read([whole[0] ?? "", '{"template-id":"x","type":"http","matched-at":"x"}'])).rejects.toThrow("Line 2");
  await expect(read([(whole[0] ?? "").slice(0, -10)])).rejects.toThrow("Line 1");
  await expect(read([`{"template-id":"${"x".repeat(5_000_000)}"}`])).rejects.toThrow("Line 1");
});

describe("templates of the user's", () => {
  test("are named as the user's; one of unknown severity makes the outcome partial, a broken one is told", async () => {
    const { port } = await serve({ site: "main" });
    useTemplates({ shop: makeTemplate("shop", anyPage("{{BaseURL}}/"), "unknown"), broken: makeTemplate("broken", "http:\n  - method: GET\n    nonsense: [") });
    expect(await runner.probe({ enginesFolder: testEnginesFolder })).toMatchObject({ ready: true, content: [{ origin: "user" }] });
    const { outcome } = await scanOne([siteAt(port)]);
    expect([outcome.kind, keysOf(outcome)]).toEqual(["partial", ["shop"]]);
    expect(outcome.reason).toContain("shop");
    expect(outcome.notes.join(" ")).toContain("left out 1 template");
    expect(covers(outcome.coverage, makeScope("broken", `http://shop.example:${port}`))).toBe(false);
  });

  test("with tags that are dangerous run only where the scan asks for it, and never where they stop services", async () => {
    const tagged = (name: string) => makeTemplate(name, anyPage("{{BaseURL}}/")).replace("info:\n", `info:\n  tags: ${name}\n`);
    useTemplates({ dos: tagged("dos"), intrusive: tagged("intrusive"), bruteforce: tagged("bruteforce"), tame: tagged("tame") });
    const { port } = await serve({ site: "main" });
    expect(keysOf((await scanOne([siteAt(port)])).outcome)).toEqual(["tame"]);
    const { outcome } = await scanOne([siteAt(port)], { allow_intrusive: true, allow_brute_force: true });
    expect(keysOf(outcome)).toEqual(["bruteforce", "intrusive", "tame"]);
  });
});

test("a scan with fewer templates closes nothing that another template found", async () => {
  const { port } = await serve({ site: "default" });
  const { outcome } = await scanOne([siteAt(port)], few);
  const place = `http://shop.example:${port}`;
  expect(covers(outcome.coverage, makeScope(id("env-file"), place))).toBe(true);
  expect(covers(outcome.coverage, makeScope(id("jupyter-open"), place))).toBe(false);
  expect(covers(outcome.coverage, makeScope(id("env-file"), `http://shop.example:${port + 1}`))).toBe(false);
});

test("a port that the host closed closes what was found there; a port that is silent does not", () => {
  const templates = { name: "x", version: "1" };
  const coverage = { templates, checks: [], closed: { ports: [6379], ids: packIds([id("redis-open"), id("git-config")]) } };
  expect(covers(coverage, makeScope(id("redis-open"), "tcp:6379"))).toBe(true);
  expect(covers(coverage, makeScope(id("git-config"), "http://shop.example:6379/app"))).toBe(true);
  expect(covers(coverage, makeScope(id("redis-open"), "tcp:6380"))).toBe(false);
  expect(covers(coverage, makeScope(id("ftp-anonymous"), "tcp:6379"))).toBe(false);
});

test("the target's login goes to the target, and is nowhere in arguments, evidence or native output", async () => {
  const secret = 's3cr<t-"value"-\'of-the-login';
  const got = new Set<string | undefined>();
  const server = createHttpServer((request, response) => {
    got.add(request.headers.authorization);
    response.writeHead(200, { "content-type": "text/plain" }).end(`[core]\nrepositoryformatversion = 0\nurl = ${request.headers.authorization}\n`);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  const { port } = server.address() as net.AddressInfo;
  const target = { ...siteAt(port), login: { kind: "header" as const, name: "Authorization", value: secret } };
  const { outcome, native, args } = await scanOne([target], { template_ids: [id("git-config")] });
  expect(got).toEqual(new Set([secret]));
  expect(keysOf(outcome)).toEqual([id("git-config")]);
  for (const text of [native, JSON.stringify(outcome), JSON.stringify(args)])
    for (const form of [secret, JSON.stringify(secret).slice(1, -1), "s3cr"]) expect(text).not.toContain(form);
  expect(native).toContain("[the target's login]");
});

test("progress never runs backwards and ends at 1", async () => {
  const { port } = await serve({ site: "main" });
  const { events } = await scan([siteAt(port), pinForTest("127.0.0.1:1")]);
  const progress = events.flatMap((event) => (event.kind === "progress" ? [event.fraction] : []));
  expect(progress).toEqual(progress.toSorted((a, b) => a - b));
  expect(progress.at(-1)).toBe(1);
});

test("the self-test sees what is there", async () => {
  const folder = mkdtempSync(join(tmpdir(), "periscan-self-test-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const limits = { memoryBytes: 2 ** 31, packetsPerSecond: Number.POSITIVE_INFINITY, outputBytes: 2 ** 30 };
  const context = { signal: new AbortController().signal, limits, enginesFolder: testEnginesFolder, folder, log: () => {} };
  expect(await runner.selfTest(context)).toContain("saw");
});

/** The processes of Nuclei that the run started, by its log; afterwards each of them must be gone. */
function watchProcesses(onStart: (pid: number) => void = () => {}) {
  const pids: number[] = [];
  const log: RunContext["log"] = (_message, fields) => {
    if (typeof fields?.pid !== "number") return;
    pids.push(fields.pid);
    onStart(fields.pid);
  };
  const expectGone = () => {
    expect(pids.length).toBeGreaterThan(0);
    for (const pid of pids) expect(existsSync(`/proc/${pid}`), `process ${pid}`).toBe(false);
  };
  return { log, expectGone };
}

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
    const covered = [...findTemplates(ownTemplatesFolder).templates.values()].filter((template) => covers(outcome.coverage, makeScope(template.id, place)));
    expect(covered.length).toBeLessThan(15);
  });

  test("a missing engine is an error that says what to do", async () => {
    vi.stubEnv("PATH", "/nonexistent");
    expect(await runner.probe({ enginesFolder: "/nonexistent" })).toMatchObject({ ready: false, missing: expect.stringContaining("engines install nuclei") });
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

  test("a service that accepts and never speaks is not clean", async () => {
    const { port } = await serveTcp(() => {});
    const { outcome } = await scanOne([pinForTest(`127.0.0.1:${port}`)], { protocols: ["tcp"] });
    expect(outcome.kind).not.toBe("complete");
    expect(covers(outcome.coverage, makeScope(id("redis-open"), `tcp:${port}`))).toBe(false);
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

  test("without any template the scan fails", async () => {
    useTemplates({});
    expect(await runner.probe({ enginesFolder: testEnginesFolder })).toMatchObject({
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
    expect(readdirSync(tmpdir()).filter((name) => /^(periscan-nuclei-|nuclei)/.test(name))).toEqual([]);
  });
});
