import { execFile, execFileSync } from "node:child_process";
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { request as httpRequest } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Outcome } from "@periscan/contract/outcome.ts";
import type { ScanType } from "@periscan/contract/scan.ts";
import type { TargetLogin } from "@periscan/contract/target.ts";
import { afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { startFaultySite } from "../../test/targets/faulty-site.ts";
import { makeTestCertificate } from "../../test/targets/make-test-certificate.ts";
import type { EngineEvent, PinnedTarget, RunContext } from "../kit/engine.ts";
import { makeRunFolder } from "../kit/run-folder.ts";
import { pinForTest, runForTest, testEnginesFolder } from "../kit/testing.ts";
import { readRuleAddOn } from "./build-zap.ts";
import { readCoverage } from "./coverage.ts";
import { findZap } from "./find-zap.ts";
import { zap, zapActive } from "./index.ts";
import { listLoginSettings } from "./log-in.ts";
import type { ZapOptions } from "./options.ts";
import { readZapJson } from "./read-zap-json.ts";
import { createRunner } from "./runner.ts";
import { startProxy } from "./start-proxy.ts";
import { startZap } from "./start-zap.ts";
import { answerApp, answerLinks, serveSilence, serveSite } from "./test-site.ts";

const runner = createRunner("OWASP_ZAP");
/** Of another name than the target has: whose certificate it is does not matter to a scan. */
const certificate = makeTestCertificate("other.test");
const seconds = 1000;

beforeAll(async () => {
  if (!(await runner.probe({ enginesFolder: testEnginesFolder })).ready)
    await runner.install({ enginesFolder: testEnginesFolder, signal: new AbortController().signal, say: () => {} });
}, 600 * seconds);

const open: { close(): Promise<void> }[] = [];
const keep = <T extends { close(): Promise<void> }>(site: T): T => {
  open.push(site);
  return site;
};
afterEach(async () => {
  vi.unstubAllEnvs();
  for (const site of open.splice(0)) await site.close();
});

interface Scan {
  type?: ScanType;
  options?: Partial<ZapOptions>;
  targets: PinnedTarget[];
  context?: Partial<RunContext>;
}

async function scan({ type = "OWASP_ZAP", options = {}, targets, context = {} }: Scan) {
  const engine = type === "OWASP_ZAP" ? zap : zapActive;
  const task = { type, options: { ...engine.options.parse({}), ...options }, targets };
  const events = await runForTest(createRunner(type), task, { limits: { ...limits, memoryBytes: engine.memoryMegabytes * 1024 ** 2 }, ...context });
  return { events, outcomes: events.filter((event) => event.kind === "outcome") };
}

const limits = { packetsPerSecond: Number.POSITIVE_INFINITY, outputBytes: 2 ** 30, memoryBytes: 900 * 1024 ** 2 };
const outcomeOf = (events: EngineEvent[]) => {
  const [event] = events.filter((each) => each.kind === "outcome");
  if (!event) throw new Error("there is no outcome");
  return event.outcome;
};
const scanOne = async (url: string, rest: Omit<Scan, "targets"> = {}, address = "127.0.0.1") =>
  outcomeOf((await scan({ ...rest, targets: [pinForTest(url, address)] })).events);

/** Processes of a ZAP whose home is below this machine's folder for temporary files. */
const listZaps = () =>
  readdirSync("/proc").filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("org.zaproxy.zap.ZAP");
    } catch {
      return false;
    }
  });

describe("a passive scan", () => {
  test("follows the links of its path alone, by the pinned address and the target's name, and attacks nothing", async () => {
    const site = keep(await serveSite(answerApp));
    const { events, outcomes } = await scan({ targets: [pinForTest(`http://site.test:${site.port}/app/`, "127.0.0.1")] });
    const outcome = outcomeOf(events);
    expect(outcome).toMatchObject({ kind: "complete", coverage: { origin: `http://site.test:${site.port}` } });
    expect(outcome.detections.map(({ key }) => key)).toContain("910001");
    expect(outcome.detections.filter(({ key }) => key.startsWith("92"))).toEqual([]);
    expect(site.asked).toContain("GET /app/plain");
    expect(site.asked.filter((each) => !each.startsWith("GET /app"))).toEqual([]);
    expect(new Set(site.requests.map(({ headers }) => headers.host))).toEqual(new Set([`site.test:${site.port}`]));
    for (const { scope } of [...outcome.detections, ...(outcome.observations ?? [])]) expect(readCoverage(outcome.coverage)(scope), scope).toBe(true);
    const progress = events.flatMap((event) => (event.kind === "progress" ? [event.fraction] : []));
    expect(progress).toEqual(progress.toSorted((a, b) => a - b));
    expect(progress.at(-1)).toBe(1);
    // The part of the native output reads as the same outcome, and with head and tail as a whole report of ZAP's.
    const facts = {
      type: "OWASP_ZAP" as const,
      engineVersion: "ZAP 2.17.0",
      startedAt: new Date(0),
      finishedAt: new Date(1),
      reached: 1,
      unreached: 0,
      succeeded: true,
      looks: [],
    };
    const file = `${zap.native.head(facts)}${Buffer.from(outcomes[0]?.native ?? "").toString()}${zap.native.tail(facts)}`;
    const { observations: _, ...rest } = outcome;
    const read: Outcome[] = [];
    for await (const each of readZapJson(oneChunk(file))) read.push(each.outcome);
    expect(read).toEqual([rest]);
  });

  test("closes no risk of a page that it did not fetch, and none of a rule that it did not have", async () => {
    const site = keep(await serveSite(answerApp));
    const whole = await scanOne(`http://127.0.0.1:${site.port}/app/`);
    const part = await scanOne(`http://127.0.0.1:${site.port}/app/plain`);
    const risk = whole.detections.find(({ key }) => key === "910001");
    expect([whole.kind, part.kind]).toEqual(["complete", "complete"]);
    expect(readCoverage(part.coverage)(risk?.scope ?? "")).toBe(false);
    const coverage = whole.coverage as { rules: string[] };
    expect(readCoverage({ ...coverage, rules: coverage.rules.filter((id) => id !== "910001") })(risk?.scope ?? "")).toBe(false);
  });

  test("looks at a page that has a NUL in it, as at any other", async () => {
    const site = keep(await serveSite((_request, response) => void response.setHeader("content-type", "text/html").end("<html>\u0000<p>Page</p></html>")));
    expect((await scanOne(`http://127.0.0.1:${site.port}/`)).detections.map(({ key }) => key)).toContain("910001");
  });

  test("of two targets gives each its own, in one ZAP", async () => {
    const sites = [keep(await serveSite(answerApp)), keep(await serveSite(answerLinks([])))];
    const started: unknown[] = [];
    const { outcomes } = await scan({
      targets: sites.map(({ port }) => pinForTest(`http://127.0.0.1:${port}/app/`)),
      context: { log: (message) => started.push(message) },
    });
    expect(outcomes.map(({ targetId, outcome }) => [targetId, outcome.kind])).toEqual(sites.map(({ port }) => [`http://127.0.0.1:${port}/app/`, "complete"]));
    const urls = outcomes.map(({ outcome }) => outcome.observations?.filter(({ kind }) => kind === "url").length ?? 0);
    expect(urls[0]).toBeGreaterThan(urls[1] ?? 0);
    expect(started.filter((message) => message === "zap is up")).toHaveLength(1);
  });

  test("of a port without a scheme finds TLS out, and says what it scanned", async () => {
    const site = keep(await serveSite(answerLinks([]), certificate));
    const outcome = await scanOne(`site.test:${site.port}`);
    expect(outcome).toMatchObject({ kind: "complete", coverage: { origin: `https://site.test:${site.port}` } });
    expect(outcome.notes.join()).toContain(`https://site.test:${site.port}/ was scanned`);
    const plain = keep(await serveSite(answerLinks([])));
    expect(await scanOne(`127.0.0.1:${plain.port}`)).toMatchObject({ kind: "complete", coverage: { origin: `http://127.0.0.1:${plain.port}` } });
  });
});

test("an active scan finds what is given back unescaped, by GET and by POST, and shows the answer with the hit marked", async () => {
  const site = keep(await serveSite(answerApp));
  const outcome = await scanOne(`http://127.0.0.1:${site.port}/app/`, { type: "OWASP_ZAP_ACTIVE", options: { spider_depth: 2 } });
  expect(outcome.kind).toBe("complete");
  const scripting = outcome.detections.find(({ key }) => key === "920001");
  expect(scripting).toMatchObject({ threat_level: "HIGH", additional_info: { cwe: "CWE-79", instances: 2 } });
  expect(readCoverage(outcome.coverage)(scripting?.scope ?? "")).toBe(true);
  const code = zapActive.view(scripting?.detail).flatMap((block) => (block.type === "code" ? [block.text] : []));
  expect(code.some((text) => /^▶ .*You (?:looked for|sent) .*</m.test(text))).toBe(true);
});

test("an active scan listens for the calls of a server that fetches any address, unless it is told not to", async () => {
  const site = keep(await startFaultySite({ address: "127.0.0.1", port: 0, kind: "faulty" }));
  const url = `http://127.0.0.1:${site.port}/active/920012/fault?url=https%3A%2F%2Fshop.faulty.test%2Fnews.xml`;
  const listening = await scanOne(url, { type: "OWASP_ZAP_ACTIVE" });
  expect([listening.kind, listening.detections.map(({ key }) => key)]).toEqual(["complete", ["920012"]]);
  const deaf = await scanOne(url, { type: "OWASP_ZAP_ACTIVE", options: { callback_listener: false } });
  expect([deaf.kind, deaf.detections]).toEqual(["complete", []]);
  expect(readCoverage(deaf.coverage)(listening.detections[0]?.scope ?? "")).toBe(false);
});

describe("nothing but the target is reached", () => {
  test("by links, redirects, forms, frames, scripts and attacks of a page that names other places", async () => {
    const elsewhere = keep(await serveSite((_request, response) => void response.end("seen")));
    const other = `http://127.0.0.1:${elsewhere.port}`;
    const site = keep(
      await serveSite((request, response) => {
        if (request.url?.startsWith("/away")) return void response.writeHead(302, { location: `${other}/redirect` }).end();
        response
          .setHeader("content-type", "text/html")
          .setHeader("refresh", `0; url=${other}/refresh`)
          .setHeader("link", `<${other}/header>; rel=preload`)
          .end(`<base href="${other}/"><meta http-equiv="refresh" content="0;url=${other}/meta"><script src="${other}/script.js"></script><iframe src="${other}/frame"></iframe>
            <a href="${other}/link">a</a><a href="//127.0.0.1:${elsewhere.port}/relative">b</a><a href="http://site.test:${site.port}/away?to=${other}">c</a><a href="/away">d</a>
            <form action="${other}/form" method="post"><input name="q"></form><a href="http://user@127.0.0.1:${elsewhere.port}/login">e</a>
            <a href="http://site.test:${site.port}@127.0.0.1:${elsewhere.port}/trick">f</a><a href="http://zap/JSON/core/action/shutdown/">g</a>`);
      }),
    );
    const outcome = await scanOne(`http://site.test:${site.port}/`, { type: "OWASP_ZAP_ACTIVE", options: { spider_depth: 3, submit_forms: true } });
    expect(outcome.kind).toBe("complete");
    expect(site.asked.length).toBeGreaterThan(2);
    expect(elsewhere.asked).toEqual([]);
  });

  test("by a start page that leads elsewhere, and the outcome says so", async () => {
    const elsewhere = keep(await serveSite(answerLinks([])));
    const site = keep(await serveSite((_request, response) => void response.writeHead(302, { location: `http://127.0.0.1:${elsewhere.port}/` }).end()));
    const outcome = await scanOne(`http://127.0.0.1:${site.port}/`);
    expect(outcome).toMatchObject({ kind: "partial", reason: expect.stringContaining(`leads to http://127.0.0.1:${elsewhere.port}/`) });
    expect(elsewhere.asked).toEqual([]);
  });
});

describe("a login", () => {
  const logins: TargetLogin[] = [
    { kind: "header", name: "Authorization", value: "Bearer secret-of-the-target" },
    { kind: "cookie", name: "session", value: "secret-of-the-target" },
    { kind: "header", name: "Cookie", value: "lang=en; session=secret-of-the-target; more=x-secret-of-the-target" },
  ];
  const isLoggedIn = ({ headers }: { headers: Record<string, string | string[] | undefined> }) =>
    headers.authorization === "Bearer secret-of-the-target" || String(headers.cookie ?? "").includes("session=secret-of-the-target");
  const answer: Parameters<typeof serveSite>[0] = (request, response) => {
    if (!isLoggedIn(request)) return void response.writeHead(401).end("no");
    response
      .setHeader("set-cookie", "theme=dark")
      .setHeader("content-type", "text/html")
      .end(`<a href="/inside">Inside</a><a href="/logout">Out</a> ${request.headers.cookie ?? ""} you are secret-of-the-target`);
  };

  test.each(logins.flatMap((login) => (["http", "https"] as const).map((scheme) => ({ login, scheme }))))(
    "by $login.kind ($login.name) over $scheme goes with every request, and into no text",
    async ({ login, scheme }) => {
      const site = keep(await serveSite(answer, scheme === "https" ? certificate : undefined));
      const { outcomes } = await scan({ targets: [{ ...pinForTest(`${scheme}://site.test:${site.port}/`, "127.0.0.1"), login }] });
      expect(outcomes[0]?.outcome).toMatchObject({ kind: "complete" });
      expect(site.asked).toContain("GET /inside");
      expect(site.asked).not.toContain("GET /logout");
      expect(site.requests.filter((request) => !isLoggedIn(request))).toEqual([]);
      expect(JSON.stringify(outcomes[0]?.outcome) + Buffer.from(outcomes[0]?.native ?? "").toString()).not.toContain("secret-of-the-target");
    },
  );

  test("that the site refuses makes the outcome partial", async () => {
    const site = keep(await serveSite(answer));
    const { outcomes } = await scan({
      targets: [{ ...pinForTest(`http://127.0.0.1:${site.port}/`), login: { kind: "cookie", name: "session", value: "old" } }],
    });
    expect(outcomes[0]?.outcome).toMatchObject({ kind: "partial", reason: expect.stringContaining("login") });
  });
});

test("a limit of requests holds, over TLS too", async () => {
  const times: number[] = [];
  const site = keep(
    await serveSite((_request, response) => {
      times.push(performance.now());
      response.setHeader("content-type", "text/html").end('<a href="/1">1</a><a href="/2">2</a><a href="/3">3</a>');
    }, certificate),
  );
  expect((await scanOne(`https://127.0.0.1:${site.port}/`, { options: { requests_per_second: 4 } })).kind).toBe("complete");
  const gaps = times.slice(1).map((time, index) => time - (times[index] ?? 0));
  // The pacer lets one through each 250 ms; what lies between it and the server may come a little sooner or later.
  expect(gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length).toBeGreaterThan(200);
});

describe("on a bad day", () => {
  test("a closed port and a host without a web server are unreachable", async () => {
    const site = await serveSite(answerLinks([]));
    await site.close();
    for (const target of [`http://127.0.0.1:${site.port}/`, `127.0.0.1:${site.port}`])
      expect(await scanOne(target)).toMatchObject({ kind: "unreachable", reason: expect.stringMatching(/\.$/), detections: [] });
  });

  test("a target that accepts and never answers ends, and is unreachable", async () => {
    const site = keep(await serveSilence());
    for (const target of [`http://127.0.0.1:${site.port}/`, `https://127.0.0.1:${site.port}/`])
      expect(await scanOne(target), target).toMatchObject({ kind: "unreachable", reason: expect.stringContaining("no answer") });
  }, 300_000);

  test("a site that dies half-way is partial", async () => {
    const site = keep(
      await serveSite((request, response) => {
        response.setHeader("content-type", "text/html").end('<a href="/1">1</a><a href="/2">2</a>');
        if (request.url === "/1") void site.close();
      }),
    );
    const outcome = await scanOne(`http://127.0.0.1:${site.port}/`, { type: "OWASP_ZAP_ACTIVE" });
    expect(outcome).toMatchObject({ kind: "partial", reason: expect.stringMatching(/could not be fetched|had no answer/) });
    expect(outcome.reason).toContain("no longer answered");
  });

  test.each([
    ["refuses", 403],
    ["limits", 429],
    ["leads to a guard's page", 302],
  ])("a site that %s in the middle is partial", async (_what, status) => {
    let requests = 0;
    const site = keep(
      await serveSite((_request, response) => {
        requests += 1;
        if (requests > 12) return void response.writeHead(status, status === 302 ? { location: "/captcha" } : {}).end();
        response.setHeader("content-type", "text/html").end('<form action="/search"><input name="q" value="word"></form>');
      }),
    );
    const outcome = await scanOne(`http://127.0.0.1:${site.port}/`, { type: "OWASP_ZAP_ACTIVE" });
    expect(outcome).toMatchObject({ kind: "partial", reason: expect.stringMatching(new RegExp(`answered 200 at the start and answered ${status}`)) });
  });

  test("a site whose pages hang is cut off at its time, and is partial", async () => {
    const site = keep(
      await serveSite((request, response) => {
        if (request.url === "/") response.setHeader("content-type", "text/html").end('<a href="/1">1</a>');
      }),
    );
    expect(await scanOne(`http://127.0.0.1:${site.port}/`, { options: { max_minutes: 0.05 } })).toMatchObject({
      kind: "partial",
      reason: expect.stringContaining("options.max_minutes"),
    });
  }, 180_000);

  test("a site that fails is not clean", async () => {
    const site = keep(await serveSite((_request, response) => void response.writeHead(503).end("down")));
    expect(await scanOne(`http://127.0.0.1:${site.port}/`)).toMatchObject({ kind: "partial", reason: expect.stringContaining("503") });
  });

  test("a page that somebody named and that is not there is not clean; a host without a page at its root is noted", async () => {
    const site = keep(await serveSite((_request, response) => void response.writeHead(404).end("nothing")));
    expect(await scanOne(`http://127.0.0.1:${site.port}/app/`)).toMatchObject({ kind: "partial", reason: expect.stringContaining("no such page") });
    expect(await scanOne(`http://127.0.0.1:${site.port}/`)).toMatchObject({ kind: "complete", notes: [expect.stringContaining("404")] });
  });

  test("a site that holds the scan off, and one whose answers do not end, are not clean", async () => {
    const links =
      (page: (url: string) => string | undefined): Parameters<typeof serveSite>[0] =>
      (request, response) => {
        const body = page(request.url ?? "");
        if (body !== undefined) return void response.setHeader("content-type", "text/html").end(body);
        response.writeHead(429).end();
      };
    const limiting = keep(await serveSite(links((url) => (url === "/" ? '<a href="/1">1</a>' : undefined))));
    const huge = keep(await serveSite(links((url) => (url === "/1" ? "x".repeat(20 * 1024 ** 2) : '<a href="/1">1</a>'))));
    const { outcomes } = await scan({ targets: [limiting, huge].map(({ port }) => pinForTest(`http://127.0.0.1:${port}/`)) });
    expect(outcomes.map(({ outcome }) => outcome)).toMatchObject([
      { kind: "partial", reason: expect.stringContaining("429") },
      { kind: "partial", reason: expect.stringContaining("cut off") },
    ]);
  });

  test("a missing engine is said to be missing, with the mend", async () => {
    const enginesFolder = mkdtempSync(join(tmpdir(), "periscan-none-"));
    try {
      expect(await runner.probe({ enginesFolder })).toMatchObject({ ready: false, missing: expect.stringContaining("engines install zap") });
      await expect(scan({ targets: [pinForTest("http://127.0.0.1:9/")], context: { enginesFolder } })).rejects.toMatchObject({
        code: "engine.missing",
        retry: true,
      });
      vi.stubEnv("ZAP_HOME", enginesFolder);
      expect(await runner.probe({ enginesFolder })).toMatchObject({ ready: false, missing: expect.stringContaining("ZAP_HOME") });
    } finally {
      rmSync(enginesFolder, { recursive: true });
    }
  });

  test.each(["killed", "cancelled"])("a scan that is %s throws, says nothing of its target and leaves nothing", async (how) => {
    const abort = new AbortController();
    let pid = 0;
    const site = keep(
      await serveSite((_request, response) => {
        response.setHeader("content-type", "text/html").end('<a href="/1">1</a>');
        if (how === "killed") process.kill(pid, "SIGKILL");
        else abort.abort(new Error("cancelled"));
      }),
    );
    const folder = makeRunFolder(tmpdir(), "periscan-zap-test-");
    const context: RunContext = {
      signal: abort.signal,
      limits,
      enginesFolder: testEnginesFolder,
      folder,
      log: (_message, fields) => {
        if (typeof fields?.pid === "number") pid = fields.pid;
      },
    };
    const events: EngineEvent[] = [];
    const running = async () => {
      const task = { type: "OWASP_ZAP" as const, options: zap.options.parse({}), targets: [pinForTest(`http://127.0.0.1:${site.port}/`)] };
      for await (const event of runner.run(task, context)) events.push(event);
    };
    await expect(running()).rejects.toThrow(how === "killed" ? "ZAP was killed (SIGKILL)" : "cancelled");
    expect(events.filter(({ kind }) => kind === "outcome")).toEqual([]);
    expect(listZaps()).not.toContain(`${pid}`);
    expect(readdirSync(folder)).toEqual([]);
    rmSync(folder, { recursive: true });
  });

  test("a ZAP without rules fails the scan, and one that is the user's is used with the rules that it has", async () => {
    const home = mkdtempSync(join(tmpdir(), "periscan-zap-home-"));
    chmodSync(home, 0o755);
    const site = keep(await serveSite(answerLinks([])));
    try {
      layOut(home, { rules: false });
      vi.stubEnv("ZAP_HOME", home);
      expect(findZap(testEnginesFolder)).toMatchObject({ kind: "full", folder: home });
      await expect(scan({ targets: [pinForTest(`http://127.0.0.1:${site.port}/`)] })).rejects.toMatchObject({ code: "engine.content_empty", retry: false });
      expect(site.asked).toEqual([]);
      expect(await runner.probe({ enginesFolder: testEnginesFolder })).toMatchObject({ content: [{ count: 0 }] });
      layOut(home, { rules: true });
      expect(await scanOne(`http://127.0.0.1:${site.port}/`)).toMatchObject({ kind: "complete" });
      expect(await runner.probe({ enginesFolder: testEnginesFolder })).toMatchObject({ ready: true, content: [{ origin: "user" }] });
    } finally {
      rmSync(home, { recursive: true });
    }
  });

  test("too little memory ends it with what to do", async () => {
    const site = keep(await serveSite(answerLinks([])));
    const context = { limits: { ...limits, memoryBytes: 60 * 1024 ** 2 } };
    await expect(scan({ targets: [pinForTest(`http://127.0.0.1:${site.port}/`)], context })).rejects.toMatchObject({
      code: "engine.memory_limit",
      retry: false,
    });
  });
});

test("a ZAP that runs already is used one task at a time, goes on afterwards, and is left as it was", async () => {
  const found = findZap(testEnginesFolder);
  if (found.kind === "missing") throw new Error(found.reason);
  const key = "the-key-of-the-test";
  const homeFolder = mkdtempSync(join(tmpdir(), "periscan-zap-running-"));
  const signal = new AbortController().signal;
  const running = await startZap({ zap: found, enginesFolder: testEnginesFolder, homeFolder, memoryBytes: limits.memoryBytes, signal, key });
  try {
    vi.stubEnv("PERISCAN_ZAP_URL", running.url);
    vi.stubEnv("PERISCAN_ZAP_KEY", key);
    const sites = [keep(await serveSite(answerApp)), keep(await serveSite(answerApp))];
    const outcomes = await Promise.all(sites.map(({ port }) => scanOne(`http://127.0.0.1:${port}/app/`)));
    expect(outcomes.map(({ kind, coverage }) => [kind, (coverage as { origin: string }).origin])).toEqual(
      sites.map(({ port }) => ["complete", `http://127.0.0.1:${port}`]),
    );
    expect(await running.call("network/view/isHttpProxyEnabled")).toEqual({ isHttpProxyEnabled: "false" });
    expect(await running.call("core/view/mode")).toEqual({ mode: "standard" });
    vi.stubEnv("PERISCAN_ZAP_KEY", "wrong");
    expect(await runner.probe({ enginesFolder: testEnginesFolder })).toMatchObject({ ready: false, missing: expect.stringContaining("PERISCAN_ZAP_KEY") });
  } finally {
    await running.stop();
  }
  expect(existsSync(homeFolder)).toBe(false);
});

test("a ZAP whose spider does not start at once is asked again", async () => {
  const found = findZap(testEnginesFolder);
  if (found.kind === "missing") throw new Error(found.reason);
  const key = "the-key-of-the-test";
  const homeFolder = mkdtempSync(join(tmpdir(), "periscan-zap-again-"));
  const running = await startZap({
    zap: found,
    enginesFolder: testEnginesFolder,
    homeFolder,
    memoryBytes: limits.memoryBytes,
    signal: new AbortController().signal,
    key,
  });
  let starts = 0;
  const between = await serveSite((request, response) => {
    if (request.url === "/JSON/spider/action/scan/" && ++starts === 1)
      return void response.writeHead(500).end('{"code":"internal_error","message":"Internal Error"}');
    const forwarded = httpRequest(
      `${running.url}${request.url}`,
      { method: request.method ?? "GET", headers: { ...request.headers, host: new URL(running.url).host } },
      (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(response);
      },
    );
    request.pipe(forwarded);
  });
  try {
    vi.stubEnv("PERISCAN_ZAP_URL", `http://127.0.0.1:${keep(between).port}`);
    vi.stubEnv("PERISCAN_ZAP_KEY", key);
    const site = keep(await serveSite(answerApp));
    expect(await scanOne(`http://127.0.0.1:${site.port}/app/`)).toMatchObject({ kind: "complete" });
    expect(starts).toBe(2);
  } finally {
    await running.stop();
  }
});

test.each(["OWASP_ZAP", "OWASP_ZAP_ACTIVE"] as const)("the self-test of %s sees what is there", async (type) => {
  const folder = makeRunFolder(tmpdir(), "periscan-zap-test-");
  const context: RunContext = { signal: new AbortController().signal, limits, enginesFolder: testEnginesFolder, folder, log: () => {} };
  expect(await createRunner(type).selfTest(context)).toMatch(/^saw \d+ faults/);
  rmSync(folder, { recursive: true });
});

test("no secret stands on a command line, and the file with the key is this user's alone", async () => {
  const found = findZap(testEnginesFolder);
  if (found.kind === "missing") throw new Error(found.reason);
  const homeFolder = join(makeRunFolder(tmpdir(), "periscan-zap-test-"), "home");
  const running = await startZap({
    zap: found,
    enginesFolder: testEnginesFolder,
    homeFolder,
    memoryBytes: limits.memoryBytes,
    signal: new AbortController().signal,
  });
  try {
    const file = readFileSync(join(homeFolder, "periscan.properties"), "utf8");
    const key = /^api\.key=(\w+)$/m.exec(file)?.[1] ?? "none";
    expect(readFileSync(`/proc/${running.pid}/cmdline`, "utf8")).not.toContain(key);
    expect(execFileSync("stat", ["-c", "%a", homeFolder, join(homeFolder, "periscan.properties")], { encoding: "utf8" })).toBe("700\n600\n");
  } finally {
    await running.stop();
  }
  expect(listZaps()).not.toContain(`${running.pid}`);
});

test.each(["http", "https"] as const)("nobody gets a target's login through the port of ZAP, over %s", async (scheme) => {
  const found = findZap(testEnginesFolder);
  if (found.kind === "missing") throw new Error(found.reason);
  const site = keep(await serveSite(answerApp, scheme === "https" ? certificate : undefined));
  const origin = { scheme, host: "127.0.0.1", port: site.port, path: "/" };
  const login: TargetLogin = { kind: "header", name: "Authorization", value: "Bearer secret-of-the-target" };
  const folder = makeRunFolder(tmpdir(), "periscan-zap-test-");
  const environment = listLoginSettings(found.kind, origin, login);
  const settings = { zap: found, enginesFolder: testEnginesFolder, homeFolder: join(folder, "home"), environment, memoryBytes: limits.memoryBytes };
  const running = await startZap({ ...settings, signal: new AbortController().signal });
  const proxy = keep(await startProxy({ host: "127.0.0.1", port: site.port, address: "127.0.0.1", login, log: () => {} }));
  try {
    const { port, user: username, password } = proxy;
    await running.call("network/action/setHttpProxy", { host: "127.0.0.1", port, realm: "periscan", username, password });
    await running.call("network/action/setHttpProxyAuthEnabled", { enabled: true });
    await running.call("network/action/setHttpProxyEnabled", { enabled: true });
    const ask = (...more: string[]) =>
      promisify(execFile)("curl", ["-sk", "-o", "/dev/null", "-w", "%{http_code}", ...more, `${scheme}://127.0.0.1:${site.port}/`]);
    expect((await ask("-x", running.url)).stdout).toBe("403");
    // As through a tunnel, also plain.
    expect((await ask("-x", running.url, "--proxytunnel")).stdout).toBe("403");
    expect(site.asked).toEqual([]);
    // What it scans gets there all the same, with the login.
    await running.call("core/action/accessUrl", { url: `${scheme}://127.0.0.1:${site.port}/` });
    expect(site.requests.map(({ headers }) => headers.authorization)).toEqual([login.value]);
  } finally {
    await running.stop();
    rmSync(folder, { recursive: true });
  }
});

async function* oneChunk(text: string): AsyncIterable<Uint8Array> {
  yield Buffer.from(text);
}

/** A folder as a whole ZAP is unpacked to, from the parts of Periscan's build: its jar names the libraries, as ZAP's own does. */
function layOut(home: string, { rules }: { rules: boolean }): void {
  const built = join(testEnginesFolder, readRuleAddOn().folderName);
  for (const name of readdirSync(home)) rmSync(join(home, name), { recursive: true });
  symlinkSync(join(built, "lib"), join(home, "lib"));
  const jar = "zap-2.17.0.jar";
  const libraries = readdirSync(join(built, "lib")).filter((name) => name !== jar);
  writeFileSync(join(home, "manifest"), `Class-Path: . \n${libraries.map((name) => ` lib/${name} \n`).join("")}`);
  cpSync(join(built, "lib", jar), join(home, jar));
  execFileSync("jar", ["ufm", join(home, jar), join(home, "manifest")], { stdio: "ignore" });
  mkdirSync(join(home, "plugin"));
  for (const name of readdirSync(join(built, "plugin")))
    if (rules || !name.startsWith("periscanrules")) cpSync(join(built, "plugin", name), join(home, "plugin", name));
}
