import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { createInterface } from "node:readline";
import type { Observation } from "@periscan/contract/outcome.ts";
import type { ScanType } from "@periscan/contract/scan.ts";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { EngineEvent, PinnedTarget, RunContext } from "../kit/engine.ts";
import { countPorts, formatPorts, hasPort, parsePorts } from "../kit/port-list.ts";
import { runSelfTest } from "../kit/self-test.ts";
import { pinForTest, runForTest, serviceForTest, testEnginesFolder } from "../kit/testing.ts";
import { describeCoverage, readCoverage } from "./coverage.ts";
import { nmap, nmapUdp } from "./index.ts";
import { TcpOptions } from "./options.ts";
import type { NmapHost } from "./read-nmap-xml.ts";
import { connectNote, isSilentWhereKnown, joinLooks } from "./read-outcome.ts";
import { buildArguments } from "./run.ts";
import { createRunner } from "./runner.ts";

describe("a port list", () => {
  test("is sorted and merged", () => {
    expect(formatPorts(parsePorts(" 443, 22,80-90,85-100,101 ") ?? [])).toBe("22,80-101,443");
    expect(countPorts(parsePorts("1-65535") ?? [])).toBe(65_535);
    expect(hasPort(parsePorts("22,80-90") ?? [], 85)).toBe(true);
  });
  test.each(["", "0", "65536", "90-80", "22,,80", "-", "1-", "http", "T:22", "22 -oN /tmp/x", "1e3", "+22", "22;id"])("%j is refused", (text) => {
    expect(parsePorts(text)).toBeUndefined();
  });
});

describe("coverage", () => {
  const looked = (change = {}) => ({ protocol: "tcp", ports: "1-1000", answered: true, unsure: "", ...change });
  test("is of the ports that were probed on a host that answered", () => {
    expect(readCoverage(looked())("tcp/443")).toBe(true);
    expect(readCoverage(looked())("tcp/8080")).toBe(false);
    expect(readCoverage(looked())("udp/443")).toBe(false);
    expect(readCoverage(looked({ answered: false }))("tcp/443")).toBe(false);
    expect(readCoverage(looked({ unsure: "400-500" }))("tcp/443")).toBe(false);
    expect(readCoverage(undefined)("tcp/443")).toBe(false);
    expect(readCoverage(looked())("anything")).toBe(false);
  });
  test("is told in words", () => {
    expect(describeCoverage(looked({ ports: "1-65535" }))).toBe("All 65,535 TCP ports");
    expect(describeCoverage(looked({ ports: "22" }))).toBe("TCP port 22");
    expect(describeCoverage(looked({ protocol: "udp", ports: "1,3,5,7,9,11,13" }))).toBe("7 UDP ports");
  });
});

test("the native file of a scan claims no port for a host that was not asked there", async () => {
  const look = (ports: string, notes: string[] = []) => ({ coverage: { protocol: "udp", ports, answered: true, unsure: "" }, notes });
  const facts = { engineVersion: "Nmap 7.93", startedAt: new Date(0), finishedAt: new Date(1000), reached: 2, unreached: 0, succeeded: true };
  const scopeOf = (type: ScanType, looks: ReturnType<typeof look>[]) => /<scaninfo .*\/>/.exec(nmap.native.head({ ...facts, type, looks }))?.[0];
  expect(scopeOf("NMAP_UDP", [look("1-100,161"), look("53,90-200"), look("1-100,161")])).toBe(
    '<scaninfo type="udp" protocol="udp" numservices="13" services="53,90-100,161"/>',
  );
  expect(scopeOf("NMAP", [look("22")])).toContain('type="syn" protocol="tcp"');
  expect(scopeOf("NMAP", [look("22", [connectNote])])).toContain('type="connect" protocol="tcp"');
  expect(scopeOf("NMAP", [])).toContain('numservices="0" services=""');
});

const options = (given = {}) => TcpOptions.parse(given);

test("Nmap gets addresses alone, behind the end of its options", () => {
  const task = { type: "NMAP" as const, options: options(), targets: [pinForTest("example.com", "192.0.2.1")] };
  const args = buildArguments({
    task,
    options: options({ ports: "22" }),
    addresses: ["192.0.2.1"],
    packetsPerSecond: 500,
    privilege: { raw: true, flag: undefined },
  });
  expect(args.slice(args.indexOf("--"))).toEqual(["--", "192.0.2.1"]);
  expect(args.join(" ")).toContain("-sS -sV");
  expect(args.join(" ")).toContain("--max-rate 500");
  expect(args).toContain("-n");
});

describe("silence", () => {
  const run = { type: "NMAP" as const, options: options({}), ports: "1-1000", usesConnect: false };
  const port = (number: number, state: string) => ({ protocol: "tcp" as const, number, state, reason: "" });
  const host = (change: Partial<NmapHost>): NmapHost => ({
    address: "192.0.2.1",
    addressText: "192.0.2.1",
    isUp: true,
    upReason: "echo-reply",
    timedOut: false,
    ports: [],
    otherPorts: [],
    extraPorts: [],
    ...change,
  });

  test("is asked twice where a service was seen before; not where all of the host is silent, nor where the port answered", () => {
    const silent = (change: Partial<NmapHost>, known = serviceForTest(80), type: ScanType = "NMAP") =>
      isSilentWhereKnown(host(change), { ...run, type }, [known]);
    const filtered = { ports: [port(22, "open"), port(80, "filtered")] };
    expect(silent({ isUp: false })).toBe(true);
    expect(silent({ isUp: false }, serviceForTest(80), "NMAP_UDP")).toBe(true);
    expect(silent(filtered)).toBe(true);
    expect(silent({ ports: [port(22, "open")], extraPorts: [{ state: "filtered", count: 998, ports: "1-21,23-1000" }] })).toBe(true);
    expect(silent({ ports: [port(80, "open")] })).toBe(false);
    expect(silent({ extraPorts: [{ state: "closed", count: 1000, ports: "1-1000" }] })).toBe(false);
    expect(silent({ ports: [port(80, "filtered")] })).toBe(false);
    expect(silent({ ...filtered, timedOut: true })).toBe(false);
    expect(silent(filtered, serviceForTest(80), "NMAP_UDP")).toBe(false);
    expect(silent(filtered, serviceForTest(80, { scope: "tcp/80/service" }))).toBe(false);
    expect(isSilentWhereKnown(host({ isUp: false }), run, [])).toBe(false);
  });

  test("at the second look takes nothing back that answered at the first, and then no port is known to be closed", () => {
    const first = host({ ports: [port(80, "open"), port(443, "filtered"), port(22, "open")] });
    const join = (change: Partial<NmapHost>) => {
      const { kind, reason, coverage, detections, observations } = joinLooks(first, host(change), run);
      return {
        kind,
        reason,
        closes443: readCoverage(coverage)("tcp/443"),
        scopes: detections.map(({ scope }) => scope),
        seen: observations?.map(({ key }) => key),
      };
    };
    const all = ["tcp/443", "tcp/80", "tcp/22"];
    expect(join({ ports: [port(443, "open"), port(80, "filtered"), port(22, "filtered")] })).toMatchObject({
      kind: "partial",
      reason: expect.stringContaining("2 were silent"),
      closes443: false,
      scopes: all,
      seen: all,
    });
    for (const gone of [{ isUp: false }, { timedOut: true }])
      expect(join(gone)).toMatchObject({ kind: "partial", closes443: false, scopes: ["tcp/80", "tcp/22"] });
    const answered = { ports: [port(443, "filtered"), port(80, "closed"), port(22, "open")] };
    expect(join(answered)).toMatchObject({ kind: "complete", closes443: true, scopes: ["tcp/22"] });
  });
});

/** A listening port whose queue is full, which Linux answers with silence, until `empty` lets it accept. */
async function startFullPort(): Promise<AsyncDisposable & { number: number; empty(): void }> {
  const program = `
import socket, sys
port = socket.create_server(("127.0.0.1", 0), backlog=0)
waiting = socket.create_connection(port.getsockname())
print(port.getsockname()[1], flush=True)
if sys.stdin.readline():
    while True:
        port.accept()[0].close()
`;
  const child = spawn("python3", ["-c", program], { stdio: ["pipe", "pipe", "inherit"] });
  const [line] = (await once(createInterface({ input: child.stdout }), "line")) as [string];
  return {
    number: Number(line),
    empty: () => child.stdin.write("\n"),
    [Symbol.asyncDispose]: async () => {
      const gone = once(child, "exit");
      child.kill("SIGKILL");
      await gone;
    },
  };
}

describe("the real Nmap on loopback", () => {
  const servers = [createServer((socket) => socket.on("error", () => {}).end("220 ready\r\n")), createServer((socket) => socket.on("error", () => {}))];
  let ports: number[] = [];
  beforeAll(async () => {
    for (const server of servers) await once(server.listen(0, "127.0.0.1"), "listening");
    ports = servers.map((server) => (server.address() as { port: number }).port);
  });
  afterAll(() => {
    for (const server of servers) server.close();
  });

  const scan = (targets: PinnedTarget[], given: object, change: Partial<RunContext> = {}): Promise<EngineEvent[]> =>
    runForTest(createRunner({ needsRaw: false }), { type: "NMAP", options: options(given), targets }, change);
  const outcomes = (events: EngineEvent[]) => events.filter((event) => event.kind === "outcome");

  test("is found and says its version", async () => {
    const runner = await nmap.load();
    expect(await runner.probe({ enginesFolder: "/nonexistent" })).toMatchObject({ ready: true, version: expect.stringMatching(/^Nmap \d/) });
    expect((await nmapUdp.load()).probe).toBeTypeOf("function");
  });

  test("passes its own self-test", async () => {
    const { signal } = new AbortController();
    expect(await runSelfTest(testEnginesFolder, nmap, signal)).toMatchObject({ ok: true, message: expect.stringMatching(/^saw the open port tcp/) });
    expect((await runSelfTest(testEnginesFolder, nmapUdp, signal)).ok).toBe((await (await nmapUdp.load()).probe({ enginesFolder: "" })).ready);
  });

  test("finds the open ports, gives every target of one address its outcome, and its progress never runs backwards", async () => {
    const events = await scan([pinForTest("127.0.0.1"), pinForTest("localhost", "127.0.0.1"), pinForTest("::1")], {
      ports: ports.join(","),
      service_detection: false,
    });
    const found = outcomes(events).map(({ targetId, outcome }) => [targetId, outcome.kind, outcome.detections.map(({ scope }) => scope)]);
    const open = ports.toSorted((a, b) => a - b).map((port) => `tcp/${port}`);
    expect(found).toEqual([
      ["127.0.0.1", "complete", open],
      ["localhost", "complete", open],
      ["::1", "complete", []],
    ]);
    const seen = outcomes(events)[0]?.outcome.observations ?? [];
    expect(seen.map(({ kind, key }) => [kind, key])).toEqual(open.map((scope) => ["service", scope]));
    const progress = events.flatMap((event) => (event.kind === "progress" ? [event.fraction] : []));
    expect(progress).toEqual(progress.toSorted((a, b) => a - b));
    expect(Buffer.from(outcomes(events)[0]?.native ?? "").toString()).toMatch(/^<host .*<\/host>$/s);
  });

  test("that is aborted ends, and says nothing of what it had not finished", async () => {
    const abort = new AbortController();
    const scanning = scan(
      [pinForTest("127.0.0.1")],
      { ports: `${ports[1]}` },
      { signal: abort.signal, log: () => setImmediate(() => abort.abort(new Error("cancelled"))) },
    );
    await expect(scanning).rejects.toThrow("cancelled");
  });

  test("looks once more where a port that was open is silent, and then only at that host", async () => {
    await using port = await startFullPort();
    const open = (known: Observation[], log: RunContext["log"]) =>
      scan([{ ...pinForTest("127.0.0.1"), known }, pinForTest("::1")], { ports: `${port.number},${ports[0]}`, service_detection: false }, { log });
    const read = (events: EngineEvent[]) =>
      outcomes(events).map(({ targetId, outcome }) => [
        targetId,
        outcome.detections.length,
        outcome.notes.filter((note) => note.startsWith("Looked at twice")).length,
      ]);
    const said: string[] = [];
    expect(
      read(await open([serviceForTest(ports[0] ?? 0), serviceForTest(1), serviceForTest(port.number, { protocol: "udp" })], (message) => said.push(message))),
    ).toEqual([
      ["127.0.0.1", 1, 0],
      ["::1", 0, 0],
    ]);
    expect(read(await open([serviceForTest(port.number)], (message) => said.push(message)))).toEqual([
      ["127.0.0.1", 1, 1],
      ["::1", 0, 0],
    ]);
    const answersNow = (message: string) => message === "nmap looks once more" && port.empty();
    expect(read(await open([serviceForTest(port.number)], answersNow))).toEqual([
      ["127.0.0.1", 2, 1],
      ["::1", 0, 0],
    ]);
    expect(said.filter((message) => message === "nmap looks once more").length).toBe(1);
  });

  test("that reaches a ceiling of memory or output fails with what to do", async () => {
    const tiny = { memoryBytes: 2 ** 30, packetsPerSecond: Number.POSITIVE_INFINITY, outputBytes: 100 };
    await expect(scan([pinForTest("127.0.0.1")], { ports: "1" }, { limits: tiny })).rejects.toMatchObject({ code: "engine.output_limit" });
    const small = { ...tiny, outputBytes: 2 ** 30, memoryBytes: 2 ** 20 };
    await expect(scan([pinForTest("127.0.0.1")], { ports: `${ports[1]}` }, { limits: small })).rejects.toMatchObject({ code: "engine.memory_limit" });
  });
});
