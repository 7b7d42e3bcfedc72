import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { createConnection, createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { createServer as createTlsServer } from "node:tls";
import type { Observation } from "@periscan/contract/outcome.ts";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { makeTestCertificate } from "../../test/targets/make-test-certificate.ts";
import { labPlugins, labTlsTest, noHost, type OpenvasLab, startOpenvasLab } from "../../test/targets/openvas/openvas-lab.ts";
import { certificateKinds, type Identity, makeAuthority } from "../../test/targets/tls-certificates.ts";
import { type EngineEvent, ParseError, type RunContext } from "../kit/engine.ts";
import { pinForTest, runForTest, serviceForTest, testEnginesFolder } from "../kit/testing.ts";
import { readCoverage, type ScanCoverage, scopeOf } from "./coverage.ts";
import { openvas } from "./index.ts";
import { Options } from "./options.ts";
import { askOsp, type OspAddress } from "./osp-client.ts";
import { type ReportOutcome, readOpenvasXml } from "./read-openvas-xml.ts";
import { writeStart } from "./remote-scan.ts";
import { runner } from "./runner.ts";
import { sweep } from "./scanner.ts";
import { recordedAnswer, serveOsp } from "./testing.ts";
import { rateScore, readScore } from "./threat-levels.ts";
import { stopScanner } from "./use-scanner.ts";

const isRoot = process.geteuid?.() === 0;
if (!isRoot) console.log("Skipped, because it needs root: the tests of the real OpenVAS scanner.");

const oid = (number: number) => `1.3.6.1.4.1.32473.1.${number}`;
const web = "HTTP/1.0 200 OK\r\nServer: Example/1.2.3 <b>\r\nContent-Length: 0\r\n\r\n";
const quiet = "HTTP/1.0 200 OK\r\nServer: quiet\r\nContent-Length: 0\r\n\r\n";

/** The index of the feed is kept in the engines' folder: a folder of the tests' own has none of another feed. */
const folder = mkdtempSync(join(tmpdir(), "periscan-openvas-test-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const settings = [
  "PERISCAN_OPENVAS",
  "PERISCAN_OPENVAS_FEED",
  "PERISCAN_OPENVAS_MEMORY_MB",
  "PERISCAN_OPENVAS_CERT",
  "PERISCAN_OPENVAS_KEY",
  "PERISCAN_OPENVAS_CA",
] as const;
afterEach(() => {
  for (const name of settings) delete process.env[name];
});

async function scan(addresses: string[], given: object, change: Partial<RunContext> = {}, known: Observation[] = []): Promise<EngineEvent[]> {
  const options = Options.parse({ ports: "8070-8100", ...given });
  return runForTest(
    runner,
    { type: "OPENVAS", options, targets: addresses.map((address) => ({ ...pinForTest(address), known })) },
    { enginesFolder: folder, ...change },
  );
}
const outcomes = (events: EngineEvent[]) => events.flatMap((event) => (event.kind === "outcome" ? [event] : []));
const brief = (events: EngineEvent[]) =>
  outcomes(events).map(({ targetId, outcome }) => [targetId, outcome.kind, outcome.detections.map(({ key }) => key).sort()]);

beforeAll(async () => {
  if (!isRoot) return;
  const { ready } = await runner.probe({ enginesFolder: testEnginesFolder });
  // Of a mirror that lags behind, too, as `./periscan test` does.
  process.env.PERISCAN_ALLOW_OLD_DEBIAN_LIST ??= "1";
  if (!ready) await runner.install({ enginesFolder: testEnginesFolder, signal: new AbortController().signal, say: () => {} });
}, 600_000);

/** Every process in the pid namespace of the scanner, by what it is. */
function listProcesses(scannerPid: number): { pid: number; command: string }[] {
  const [first] = readFileSync(`/proc/${scannerPid}/task/${scannerPid}/children`, "utf8").trim().split(" ");
  const namespace = readlinkSync(`/proc/${first}/ns/pid`);
  return listNamespace(namespace);
}
function listNamespace(namespace: string): { pid: number; command: string }[] {
  return readdirSync("/proc").flatMap((name) => {
    try {
      if (!/^\d+$/.test(name) || readlinkSync(`/proc/${name}/ns/pid`) !== namespace) return [];
      return [{ pid: Number(name), command: readFileSync(`/proc/${name}/comm`, "utf8").trim() }];
    } catch {
      return [];
    }
  });
}

async function until(what: string, isTrue: () => boolean | Promise<boolean>): Promise<void> {
  for (let tries = 0; !(await isTrue()); tries++) {
    if (tries > 600) throw new Error(`it never came to this: ${what}`);
    await sleep(50);
  }
}

describe("what a scan looked at", () => {
  const feed = {
    name: "Feed",
    version: "202601010000",
    tests: 100,
    origin: "user" as const,
    set: "a".repeat(16),
    includes: ["a".repeat(16)],
    dropped: [],
    since: "202501010000",
  };
  const looked = (change: Partial<ScanCoverage> = {}): ScanCoverage => {
    const { tcp = "1-1000", udp = "" } = change;
    return { source: "scan", tcp, udp, sure: { tcp, udp }, answered: true, feed, below: [], ...change };
  };
  const scope = scopeOf("1.2.3", "443/tcp", looked());
  test("is its ports, on a host that answered", () => {
    expect(readCoverage(looked())(scope)).toBe(true);
    expect(readCoverage(looked({ tcp: "1-442,444-1000" }))(scope)).toBe(false);
    expect(readCoverage(looked({ answered: false }))(scope)).toBe(false);
    expect(readCoverage(looked())("443/tcp")).toBe(true);
    expect(readCoverage(looked())("443/udp")).toBe(false);
    for (const value of [undefined, {}, { source: "scan" }]) expect(readCoverage(value)(scope)).toBe(false);
  });
  test("is no port of which it is not known what is there, and of what was stored before that was told, none", () => {
    expect(readCoverage(looked({ sure: { tcp: "1-442,444-1000", udp: "" } }))(scope)).toBe(false);
    expect(readCoverage(looked({ udp: "161", sure: { tcp: "1-1000", udp: "" } }))("161/udp")).toBe(false);
    const { sure: _, ...before } = looked({ udp: "161" });
    for (const each of [scope, "443/tcp", "161/udp", scopeOf("1.2.3", "general/tcp", looked())]) expect(readCoverage(before)(each)).toBe(false);
  });
  test("is all ports together where a test has none", () => {
    const general = scopeOf("1.2.3", "general/tcp", looked({ tcp: "22,80" }));
    expect(readCoverage(looked({ tcp: "22,80,443" }))(general)).toBe(true);
    expect(readCoverage(looked({ tcp: "22,443" }))(general)).toBe(false);
    const many = scopeOf("1.2.3", "general/tcp", looked({ tcp: Array.from({ length: 100 }, (_, index) => 2 * index + 1).join(",") }));
    expect(many.length).toBeLessThan(500);
    expect(readCoverage(looked({ tcp: "1-1000" }))(many)).toBe(false);
    expect(readCoverage(looked({ tcp: "1-65535" }))(many)).toBe(true);
  });
  test("is not what another feed may lack", () => {
    const other = { ...feed, set: "b".repeat(16), includes: ["b".repeat(16)] };
    expect(readCoverage(looked({ feed: other }))(scope)).toBe(false);
    expect(readCoverage(looked({ feed: { ...other, includes: ["b".repeat(16), "a".repeat(16)] } }))(scope)).toBe(true);
    expect(readCoverage(looked({ feed: { ...other, includes: ["b".repeat(16), "a".repeat(16)], dropped: ["1.2.3"] } }))(scope)).toBe(false);
  });
  test("goes by the version of Greenbone's feed where the sets are not known", () => {
    const old = { ...feed, origin: "official" as const };
    const found = scopeOf("1.2.3", "443/tcp", looked({ feed: old }));
    const next = { ...old, set: "b".repeat(16), includes: ["b".repeat(16)], version: "202601020000" };
    expect(readCoverage(looked({ feed: next }))(found)).toBe(true);
    expect(readCoverage(looked({ feed: { ...next, version: "202512010000" } }))(found)).toBe(false);
    expect(readCoverage(looked({ feed: { ...next, tests: 99 } }))(found)).toBe(false);
    expect(readCoverage(looked({ feed: { ...next, name: "Another" } }))(found)).toBe(false);
    // It lost more tests than are named since it was found, or it is not known whether it did.
    for (const since of ["202601020000", undefined]) expect(readCoverage(looked({ feed: { ...next, since } }))(found)).toBe(false);
  });
  test("is not what is still there below the asked quality", () => {
    expect(readCoverage(looked({ below: ["1.2.3:443/tcp"] }))(scope)).toBe(false);
  });
});

test("a CVSS score is rated by the specification's scale, and anything else is none", () => {
  expect([0, 0.1, 3.9, 4, 6.9, 7, 8.9, 9, 10].map(rateScore)).toEqual(["NONE", "LOW", "LOW", "MEDIUM", "MEDIUM", "HIGH", "HIGH", "CRITICAL", "CRITICAL"]);
  expect(["", "None", "-1", "11", "5,3", "1e1"].map(readScore)).toEqual(Array(6).fill(undefined));
});

test("a scan names addresses alone, all families but brute force, and one port scan of Greenbone's", () => {
  const options = Options.parse({ ports: "22,80", udp_ports: "53" });
  const families = ["A & B", "Brute force attacks", "Port scanners"];
  const own = writeStart("id", { index: { families, tests: [] }, options, addresses: ["192.0.2.1", "2001:db8::1"] });
  expect(own).toContain("<hosts>192.0.2.1,2001:db8::1</hosts><ports>T:22,80,U:53</ports>");
  expect(own).toContain('<vt_group filter="family=A &#38; B"/><vt_group filter="family=Port scanners"/>');
  expect(own).not.toContain("Brute");
  const official = writeStart("id", { index: { families, tests: ["1.3.6.1.4.1.25623.1.0.14259"] }, options, addresses: ["192.0.2.1"] });
  expect(official).toContain('<vt_single id="1.3.6.1.4.1.25623.1.0.14259"/>');
  expect(official).not.toContain("family=Port scanners");
});

test.each([{ ports: "T:22" }, { ports: "" }, { ports: "22</ports>" }, { min_qod: 101 }, { alive_test: "no" }, { threads: 1 }])(
  "the options %j are refused",
  (given) => {
    expect(Options.safeParse(given).success).toBe(false);
  },
);

test("an engine that is missing says what installs it", async () => {
  expect(await runner.probe({ enginesFolder: folder })).toMatchObject({ ready: false, missing: expect.stringContaining("engines install openvas") });
  await expect(scan(["127.0.0.1"], {})).rejects.toMatchObject({ code: "engine.missing" });
});

describe("a scanner that answers badly", () => {
  let server: Server;
  let answer: (request: string) => string | undefined = () => undefined;
  const socket = join(folder, "fake.sock");
  beforeAll(async () => {
    server = await serveOsp(socket, (request) => answer(request));
  });
  afterAll(() => server.close());
  const limits = { signal: new AbortController().signal, seconds: 1, bytes: 100_000 };
  const address: OspAddress = { kind: "unix", path: socket };

  test.each([
    ["cut off", () => recordedAnswer("get_vts").slice(0, 900)],
    ["not XML", () => "Segmentation fault"],
    ["with an entity bomb", () => '<!DOCTYPE a [<!ENTITY a "aa">]><get_version_response status="200">&a;</get_version_response>'],
    ["too large", () => `<get_version_response status="200" status_text="${"x".repeat(200_000)}"/>`],
    ["without a status", () => "<get_version_response/>"],
  ])("%s is refused", async (_, text) => {
    answer = text;
    await expect(askOsp(address, "<get_version/>", limits)).rejects.toThrow(ParseError);
  });
  test.each([
    ["ends at the deadline", () => undefined, "within 1 s"],
    ["and hangs up is said", () => "", "closed the connection without an answer"],
  ])("not at all %s", async (_, text, message) => {
    answer = text;
    await expect(askOsp(address, "<get_version/>", limits)).rejects.toMatchObject({ code: "engine.no_answer", message: expect.stringContaining(message) });
  });
  test.each([["get_version"], ["get_vts"], ["start_scan"], ["get_scans"]])(
    "with an answer to %s that is cut fails the scan, and nothing is an outcome",
    async (cut) => {
      process.env.PERISCAN_OPENVAS = socket;
      answer = (request) => {
        const [, name = ""] = /^<(\w+)/.exec(request) ?? [];
        const id = /scan_id="([^"]*)"/.exec(request)?.[1] ?? "";
        const full =
          name === "start_scan"
            ? `<start_scan_response status="200" status_text="OK"><id>${id}</id></start_scan_response>`
            : name === "get_scans"
              ? `<get_scans_response status="200" status_text="OK"><scan id="${id}" target="" progress="0" status="running" start_time="0" end_time="0"><results /></scan></get_scans_response>`
              : name === "delete_scan"
                ? '<delete_scan_response status="200" status_text="OK" />'
                : recordedAnswer(name);
        return name === cut ? full.slice(0, -10) : full;
      };
      await expect(scan(["::1"], {}, { enginesFolder: mkdtempSync(join(folder, "engines-")) })).rejects.toMatchObject({ code: "engine.output_cut" });
      expect((await runner.probe({ enginesFolder: folder })).ready).toBe(cut !== "get_version");
    },
  );
});

describe.skipIf(!isRoot)("the real scanner", () => {
  let lab: OpenvasLab;
  const startLab = async () => {
    lab = await startOpenvasLab({ enginesFolder: testEnginesFolder, signal: new AbortController().signal });
    await lab.serve([
      { address: "127.0.0.2", tcp: { 8080: web, 8081: quiet } },
      { address: "127.0.0.3", tcp: { 8080: quiet } },
      { address: "::1", tcp: { 8080: web } },
    ]);
  };
  beforeAll(startLab, 120_000);
  afterAll(async () => lab?.[Symbol.asyncDispose]());
  const use = () => {
    process.env.PERISCAN_OPENVAS = lab.socket;
  };
  const ask = (request: string) => askOsp({ kind: "unix", path: lab.socket }, request, { signal: new AbortController().signal, seconds: 10, bytes: 1_000_000 });

  /** Starts a scan, and answers it once the slow test of the target runs: the results before it have been read then. */
  async function startSlow(addresses: string[], given: object = {}, change: Partial<RunContext> = {}, known: Observation[] = []) {
    use();
    const ids: string[] = [];
    const log: RunContext["log"] = (_, fields) => {
      if (typeof fields?.scanId === "string") ids.push(fields.scanId);
    };
    const running = scan(addresses, given, { log, ...change }, known);
    running.catch(() => {});
    await until(
      "the scan runs its slow test",
      () => ids.length > 0 && listProcesses(lab.scanner.pid).some(({ command }) => command === "openvas") && isSlow(ids[0] ?? ""),
    );
    return { running, id: ids[0] ?? "" };
  }
  const isSlow = async (id: string) => {
    const answer = await ask(`<get_scans scan_id="${id}" details="0"/>`);
    return Number(answer.children[0]?.attributes.progress) >= 50;
  };

  test("finds what is there and nothing else, host by host, and its report reads back the same", async () => {
    use();
    expect(await runner.probe({ enginesFolder: folder })).toMatchObject({ ready: true, version: expect.stringMatching(/^OpenVAS \d/) });
    const events = await scan(["127.0.0.2", "127.0.0.3", "::1", noHost], {});
    const found = new Map(brief(events).map(([target, ...rest]) => [target, rest]));
    expect(Object.fromEntries(found)).toEqual({
      "127.0.0.2": ["complete", [`${oid(3)}:8080/tcp`, `${oid(5)}:general/tcp`]],
      "127.0.0.3": ["complete", []],
      "::1": ["complete", [`${oid(3)}:8080/tcp`]],
      [noHost]: ["unreachable", []],
    });
    const progress = events.flatMap((event) => (event.kind === "progress" ? [event.fraction] : []));
    expect(progress).toEqual(progress.toSorted((a, b) => a - b));
    await expectReadBack(events);
    const content = { name: "Periscan Test Feed", version: "202601020000", count: 6, origin: "ours" };
    expect(await runner.probe({ enginesFolder: folder })).toMatchObject({ content: [content] });
  });

  test("takes a result of low quality for a risk only where that is asked for", async () => {
    use();
    const low = `${oid(4)}:8080/tcp`;
    const [without] = outcomes(await scan(["127.0.0.3"], {}));
    expect(without?.outcome.notes.join()).toContain("1 result has a quality of detection below 70 %");
    const [all] = outcomes(await scan(["127.0.0.3"], { min_qod: 0 }));
    expect(all?.outcome.detections.map(({ key, threat_level }) => [key, threat_level])).toEqual([[low, "HIGH"]]);
    // It is still there, so a scan that does not list it must not close it.
    expect(readCoverage(without?.outcome.coverage)(all?.outcome.detections[0]?.scope ?? "")).toBe(false);
  });

  test("knows nothing of the ports of a host on which none answers", async () => {
    use();
    const [seen] = outcomes(await scan(["127.0.0.2"], {}));
    const [closed] = outcomes(await scan(["127.0.0.9"], {}));
    expect(closed?.outcome).toMatchObject({ kind: "complete", detections: [], notes: [expect.stringContaining("no scanned port answered")] });
    for (const { scope } of seen?.outcome.detections ?? []) expect(readCoverage(closed?.outcome.coverage)(scope)).toBe(false);
  });

  test("that finds a host taken for alive silent calls it unreachable", async () => {
    use();
    expect(brief(await scan([noHost], { alive_test: "consider_alive" }))).toEqual([[noHost, "unreachable", []]]);
  });

  test("whose test runs out of time makes the host's outcome partial, and names the test", async () => {
    use();
    const stop = await lab.serve([{ address: "127.0.0.6", tcp: { 8080: web, 8099: "" } }]);
    const [cut] = outcomes(await scan(["127.0.0.6"], { test_timeout_seconds: 5 }));
    expect(cut?.outcome).toMatchObject({ kind: "partial", reason: expect.stringContaining("Sleeps where port 8099 is open: NVT timed out after 5 seconds") });
    expect(cut?.outcome.detections.map(({ key }) => key)).toEqual([`${oid(3)}:8080/tcp`]);
    await stop();
  });

  test("ends a host that hangs at its time-out with what it has, and looks at the others", async () => {
    use();
    const stop = await lab.serve([{ address: "127.0.0.6", tcp: { 8080: web, 8099: "" } }]);
    const found = new Map(outcomes(await scan(["127.0.0.6", "127.0.0.3"], { host_timeout_minutes: 0.15 })).map((each) => [each.targetId, each.outcome]));
    expect(found.get("127.0.0.6")).toMatchObject({ kind: "partial", reason: expect.stringContaining("host_timeout_minutes") });
    expect(found.get("127.0.0.3")?.kind).toBe("complete");
    await stop();
  });

  test("whose target dies half-way tells nothing clean of it", async () => {
    const stop = await lab.serve([{ address: "127.0.0.6", tcp: { 8080: quiet, 8099: "" } }]);
    const { running } = await startSlow(["127.0.0.6"]);
    await stop();
    const [died] = outcomes(await running);
    expect(died?.outcome).toMatchObject({ kind: "partial", reason: expect.stringContaining("stopped answering during the scan") });
  }, 120_000);

  /** On a busy machine the scanner's own look whether a host is there may miss it, which is not what is asked here. */
  const takenForAlive = { alive_test: "consider_alive" };

  test("whose target loses a port half-way names it, and closes nothing there", async () => {
    const stop = await lab.serve([{ address: "127.0.0.6", tcp: { 8080: web } }]);
    const stopSlow = await lab.serve([{ address: "127.0.0.6", tcp: { 8081: quiet, 8099: "" } }]);
    const { running } = await startSlow(["127.0.0.6"], takenForAlive);
    await stop();
    const [lost] = outcomes(await running);
    expect(lost?.outcome).toMatchObject({ kind: "complete", notes: expect.arrayContaining([expect.stringContaining("TCP port 8080.")]) });
    expect(["8080/tcp", "8081/tcp", "8090/tcp"].filter((port) => readCoverage(lost?.outcome.coverage)(port))).toEqual(["8081/tcp", "8090/tcp"]);
    await stopSlow();
  }, 120_000);

  test("whose port scan missed a known port looks there again, and the outcome is partial", async () => {
    const stop = await lab.serve([{ address: "127.0.0.6", tcp: { 8081: quiet, 8099: "" } }]);
    const known = [8080, 8090].map((port) => serviceForTest(port));
    const { running } = await startSlow(["127.0.0.6"], takenForAlive, {}, known);
    const stopLate = await lab.serve([{ address: "127.0.0.6", tcp: { 8080: web } }]);
    const [missed] = outcomes(await running);
    expect(missed?.outcome).toMatchObject({ kind: "partial", reason: expect.stringContaining("did not see TCP port 8080, known from before") });
    expect(["8080/tcp", "8081/tcp", "8090/tcp"].filter((port) => readCoverage(missed?.outcome.coverage)(port))).toEqual(["8081/tcp", "8090/tcp"]);
    await stop();
    await stopLate();
  }, 120_000);

  test("loses a scan to a cancel: it ends, and is gone in the scanner", async () => {
    const stop = await lab.serve([{ address: "127.0.0.6", tcp: { 8099: "" } }]);
    const abort = new AbortController();
    const { running, id } = await startSlow(["127.0.0.6"], {}, { signal: abort.signal });
    abort.abort(new Error("cancelled"));
    await expect(running).rejects.toThrow("cancelled");
    await expect(ask(`<get_scans scan_id="${id}"/>`)).rejects.toMatchObject({ status: "404" });
    await until("no process of the scan is left", () => listProcesses(lab.scanner.pid).every(({ command }) => command !== "openvas"));
    await stop();
  });

  test("that is killed while it runs fails the attempt, for another", async () => {
    const stop = await lab.serve([{ address: "127.0.0.6", tcp: { 8099: "" } }]);
    const { running } = await startSlow(["127.0.0.6"]);
    for (const { pid, command } of listProcesses(lab.scanner.pid)) if (command === "openvas") process.kill(pid, "SIGKILL");
    await expect(running).rejects.toMatchObject({
      code: "engine.interrupted",
      retry: true,
      message: expect.stringContaining("unexpectedly stopped or killed"),
    });
    await stop();
  });

  test("that hangs is given up at the deadline of a request, and goes on when it wakes", async () => {
    const daemons = listProcesses(lab.scanner.pid).filter(({ command }) => command.startsWith("python3") || command.startsWith("ospd"));
    expect(daemons.length).toBeGreaterThan(0);
    const address: OspAddress = { kind: "unix", path: lab.socket };
    for (const { pid } of daemons) process.kill(pid, "SIGSTOP");
    const limits = { signal: new AbortController().signal, seconds: 1, bytes: 1000 };
    await expect(askOsp(address, "<get_version/>", limits)).rejects.toMatchObject({ code: "engine.no_answer" });
    use();
    expect(await runner.probe({ enginesFolder: folder })).toMatchObject({ ready: false, missing: expect.stringContaining("did not answer") });
    for (const { pid } of daemons) process.kill(pid, "SIGCONT");
    expect((await runner.probe({ enginesFolder: folder })).ready).toBe(true);
  });

  test("with a feed that lost a test closes nothing that this test found, though others came", async () => {
    use();
    const [before] = outcomes(await scan(["127.0.0.2"], {}));
    const scopes = before?.outcome.detections.map(({ scope }) => scope) ?? [];
    await lab[Symbol.asyncDispose]();
    const change = (plugins: string) => {
      rmSync(join(plugins, "lab_http_version_disclosure.nasl"));
      const other = readFileSync(join(plugins, "lab_general.nasl"), "utf8").replaceAll(oid(5), oid(50)).replaceAll("ports/tcp/8081", "ports/tcp/1");
      writeFileSync(join(plugins, "lab_other.nasl"), other.replaceAll("Ports/tcp/8081", "Ports/tcp/1"));
      const info = join(plugins, "plugin_feed_info.inc");
      writeFileSync(info, readFileSync(info, "utf8").replace("202601020000", "202601030000"));
    };
    lab = await startOpenvasLab({ enginesFolder: testEnginesFolder, signal: new AbortController().signal, change });
    await lab.serve([{ address: "127.0.0.2", tcp: { 8080: web } }]);
    use();
    const [after] = outcomes(await scan(["127.0.0.2"], {}));
    expect(after?.outcome).toMatchObject({ kind: "complete", detections: [] });
    // The test of the port is gone; that of the host ran again, and did not see it.
    expect(scopes.map((scope) => readCoverage(after?.outcome.coverage)(scope))).toEqual(scopes.map((scope) => scope.includes("general")));
  }, 120_000);
});

describe.skipIf(!isRoot)("the real scanner, with TLS", () => {
  let lab: OpenvasLab;
  const authority = makeAuthority("OpenVAS test authority");
  const service = certificateKinds.good(authority);
  beforeAll(async () => {
    const change = (plugins: string) => cpSync(labTlsTest, join(plugins, "lab_tls_service.nasl"));
    lab = await startOpenvasLab({ enginesFolder: testEnginesFolder, signal: new AbortController().signal, change });
    await lab.serve([{ address: "127.0.0.2", tcp: { 8080: web }, tls: { 8090: { greeting: web, ...service }, 8091: { greeting: quiet, ...service } } }]);
  }, 120_000);
  afterAll(async () => lab?.[Symbol.asyncDispose]());
  const found = ["complete", [`${oid(3)}:8080/tcp`, `${oid(7)}:8090/tcp`]];

  test("on the target finds what is behind it, and tells the other engines which ports speak it", async () => {
    process.env.PERISCAN_OPENVAS = lab.socket;
    const events = await scan(["127.0.0.2"], {});
    expect(brief(events)).toEqual([["127.0.0.2", ...found]]);
    const services = outcomes(events)[0]?.outcome.observations?.flatMap((each) => (each.kind === "service" ? [[each.port, each.tls]] : [])) ?? [];
    expect(new Map(services as [number, boolean][])).toEqual(
      new Map([
        [8080, false],
        [8090, true],
        [8091, true],
      ]),
    );
    await expectReadBack(events);
  });

  test("on its own socket scans as over the local one, and takes no scanner of another authority and no client that the scanner does not know", async () => {
    const client = makeTestCertificate("worker");
    await using door = await openTlsDoor(lab.socket, { ...certificateKinds.good(authority), ca: client.cert });
    const use = (identity: Identity, ca: string) => Object.assign(process.env, door.name(identity, ca));
    use(client, authority.cert);
    expect(await runner.probe({ enginesFolder: folder })).toMatchObject({ ready: true, version: expect.stringMatching(/^OpenVAS \d/) });
    expect(brief(await scan(["127.0.0.2"], {}))).toEqual([["127.0.0.2", ...found]]);
    const refused = { ready: false, missing: expect.stringMatching(/^The OpenVAS scanner at tls:\/\/127\.0\.0\.1:\d+ cannot be reached/) };
    use(client, makeAuthority("Another authority").cert);
    expect(await runner.probe({ enginesFolder: folder })).toMatchObject(refused);
    use(makeTestCertificate("stranger"), authority.cert);
    expect(await runner.probe({ enginesFolder: folder })).toMatchObject({ ...refused, missing: expect.stringContaining("PERISCAN_OPENVAS_CERT") });
    await expect(scan(["127.0.0.2"], {})).rejects.toMatchObject({ code: "engine.no_answer", retry: true });
  });
});

/** The scanner's socket behind TLS that asks for a certificate, as `ospd-openvas --port` opens it: the scanner itself has a loopback of its own. */
async function openTlsDoor(socketPath: string, identity: Identity & { ca: string }) {
  const server = createTlsServer({ ...identity, requestCert: true, rejectUnauthorized: true }, (client) => {
    const scanner = createConnection({ path: socketPath });
    client.on("error", () => scanner.destroy()).pipe(scanner);
    scanner.on("error", () => client.destroy()).pipe(client);
  });
  server.on("tlsClientError", () => {});
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as { port: number };
  const write = (text: string) => {
    const file = join(mkdtempSync(join(folder, "tls-")), "pem");
    writeFileSync(file, text);
    return file;
  };
  return {
    name: ({ key, cert }: Identity, ca: string) => ({
      PERISCAN_OPENVAS: `tls://127.0.0.1:${port}`,
      PERISCAN_OPENVAS_CERT: write(cert),
      PERISCAN_OPENVAS_KEY: write(key),
      PERISCAN_OPENVAS_CA: write(ca),
    }),
    [Symbol.asyncDispose]: async () => {
      server.close();
      await once(server, "close");
    },
  };
}

describe.skipIf(!isRoot)("the installed scanner", () => {
  const listener = createServer((socket) => socket.on("error", () => {}).end(web));
  let port = 0;
  beforeAll(async () => {
    await once(listener.listen(0, "127.0.0.1"), "listening");
    port = (listener.address() as { port: number }).port;
  });
  afterAll(async () => {
    listener.close();
    await stopScanner();
  });
  const enginesFolder = testEnginesFolder;
  const leftovers = () => readdirSync(tmpdir()).filter((name) => name.startsWith(`periscan-openvas-${process.pid}-`));

  test("without tests fails the scan", async () => {
    const empty = mkdtempSync(join(folder, "empty-"));
    process.env.PERISCAN_OPENVAS_FEED = empty;
    expect(await runner.probe({ enginesFolder })).toMatchObject({
      ready: false,
      content: [{ count: 0 }],
      missing: expect.stringContaining("greenbone-feed-sync"),
    });
    await expect(scan(["127.0.0.1"], {}, { enginesFolder })).rejects.toMatchObject({
      code: "engine.content_empty",
      retry: false,
      message: expect.stringContaining("greenbone-feed-sync"),
    });
    // A feed of that name with no test in it, too.
    cpSync(join(labPlugins, "plugin_feed_info.inc"), join(empty, "plugin_feed_info.inc"));
    expect(await runner.probe({ enginesFolder })).toMatchObject({ content: [{ count: 0 }] });
    await expect(scan(["127.0.0.1"], {}, { enginesFolder })).rejects.toMatchObject({ code: "engine.content_empty" });
    await stopScanner();
  });

  test("is started by the first scan, shared by the next, and leaves nothing when it is stopped", async () => {
    process.env.PERISCAN_OPENVAS_FEED = labPlugins;
    expect(await runner.probe({ enginesFolder })).toMatchObject({ ready: true, content: [{ name: "Periscan Test Feed", count: 6, origin: "ours" }] });
    const both = await Promise.all([
      scan(["127.0.0.1"], { ports: `${port}` }, { enginesFolder }),
      scan(["127.0.0.1"], { ports: `${port}` }, { enginesFolder }),
    ]);
    for (const events of both) expect(brief(events)).toEqual([["127.0.0.1", "complete", [`${oid(3)}:${port}/tcp`]]]);
    expect(leftovers()).toHaveLength(1);
    await stopScanner();
    expect(leftovers()).toEqual([]);
  });

  test("passes its self-test", async () => {
    process.env.PERISCAN_OPENVAS_FEED = labPlugins;
    const context = {
      signal: new AbortController().signal,
      limits: { memoryBytes: 2 ** 30, packetsPerSecond: 1000, outputBytes: 2 ** 30 },
      enginesFolder,
      folder,
      log: () => {},
    };
    expect(await runner.selfTest(context)).toMatch(/^saw the open port/);
  });

  test("that reaches its memory ceiling fails the scan with what to do", async () => {
    process.env.PERISCAN_OPENVAS_FEED = labPlugins;
    process.env.PERISCAN_OPENVAS_MEMORY_MB = "10";
    await stopScanner();
    await expect(scan(["127.0.0.1"], {}, { enginesFolder })).rejects.toMatchObject({ code: "engine.memory_limit" });
  });

  test("dies with its worker, however the worker dies", async () => {
    const module = new URL("scanner.ts", import.meta.url).href;
    const settings = { root: join(enginesFolder, "openvas-1/root"), plugins: labPlugins, memoryBytes: 2 ** 31 };
    const script = `import { startScanner } from ${JSON.stringify(module)};
      const scanner = startScanner(${JSON.stringify(settings)});
      await scanner.waitReady(new AbortController().signal);
      console.log(scanner.pid); setInterval(() => {}, 1000);`;
    const worker: ChildProcess = spawn(process.execPath, ["--input-type=module", "-e", script], { stdio: ["ignore", "pipe", "inherit"] });
    const [line] = (await once(worker.stdout as NodeJS.ReadableStream, "data")) as [Buffer];
    const processes = listProcesses(Number(line.toString()));
    const namespace = readlinkSync(`/proc/${processes[0]?.pid}/ns/pid`);
    expect(processes.map(({ command }) => command).join()).toMatch(/redis.*/);
    worker.kill("SIGKILL");
    await until("redis and ospd are gone", () => listNamespace(namespace).length === 0);
    // Its folder is left, and the next start of a scanner removes it.
    sweep();
    expect(readdirSync(tmpdir()).filter((name) => name.startsWith(`periscan-openvas-${worker.pid}-`))).toEqual([]);
  });
});

async function expectReadBack(events: EngineEvent[]): Promise<void> {
  const all = outcomes(events);
  const facts = {
    type: "OPENVAS" as const,
    engineVersion: "OpenVAS 1",
    startedAt: new Date(0),
    finishedAt: new Date(9000),
    reached: 3,
    unreached: 1,
    succeeded: true,
    looks: [],
  };
  const parts = all.map(({ native }) => Buffer.from(native ?? "").toString()).join(openvas.native.separator);
  const file = openvas.native.head(facts) + parts + openvas.native.tail(facts);
  const read = await readAll(file);
  const expected = all.map(({ targetId, outcome }) => ({ address: targetId, outcome }));
  expect(read).toEqual(expected);
  // As some libraries write it: the report without the wrapper around it.
  const bare = file.slice(0, file.indexOf("<report")) + file.slice(file.indexOf("<report", file.indexOf("<report") + 1)).replace(/<\/report>\s*$/, "");
  expect(await readAll(bare)).toEqual(expected);
}

/** When it was seen is the file's to say, and not the scan's. */
async function readAll(text: string): Promise<Omit<ReportOutcome, "observedAt">[]> {
  const all: Omit<ReportOutcome, "observedAt">[] = [];
  for await (const { observedAt: _, ...each } of readOpenvasXml(inOnePiece(text))) all.push(each);
  return all;
}

async function* inOnePiece(text: string): AsyncIterable<Uint8Array> {
  yield Buffer.from(text);
}
