import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { EngineEvent, PinnedTarget, RunContext } from "../kit/engine.ts";
import { makeRunFolder } from "../kit/run-folder.ts";
import { pinForTest, testEnginesFolder } from "../kit/testing.ts";
import { sslyze } from "./index.ts";
import { pythonOf } from "./install.ts";
import { SslyzeOptions } from "./options.ts";
import { runner } from "./runner.ts";
import { address, findProcesses, installForTest, outcomeOf, outcomesOf, pinServer, risksOf, scan, serve, serverName } from "./testing.ts";

beforeAll(installForTest, 300_000);

const folder = makeRunFolder(tmpdir(), "periscan-sslyze-bad-days-");
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A port that accepts and stays silent, and tells when somebody came. */
async function startTarpit() {
  const sockets: Socket[] = [];
  const server: Server = createServer((socket) => {
    sockets.push(socket.on("error", () => {}));
  });
  await once(server.listen(0, address), "listening");
  return {
    server,
    port: (server.address() as { port: number }).port,
    [Symbol.dispose]: () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

const run = (targets: PinnedTarget[], change: Partial<RunContext> = {}): AsyncIterable<EngineEvent> => {
  const limits = { memoryBytes: 2 ** 31, packetsPerSecond: 1, outputBytes: 2 ** 30 };
  const context = { signal: new AbortController().signal, limits, enginesFolder: testEnginesFolder, folder, log: () => {}, ...change };
  return runner.run({ type: "SSLYZE", options: SslyzeOptions.parse({}), targets }, context);
};

/** What stands where SSLyze's Python would be: output that the real one gives on no good day. */
function standIn(name: string, script: string): string {
  const enginesFolder = join(folder, name);
  const python = pythonOf(enginesFolder);
  mkdirSync(join(python, ".."), { recursive: true });
  writeFileSync(python, `#!/bin/sh\n${script}\n`);
  chmodSync(python, 0o755);
  return enginesFolder;
}

const sample = (name: string) => fileURLToPath(new URL(`samples/${name}.json`, import.meta.url));

describe("a target that cannot be reached", () => {
  test("a closed port is unreachable, and says so", async () => {
    const target = pinServer(1);
    expect(outcomeOf(await scan([target]), target)).toMatchObject({ kind: "unreachable", reason: "Port 1: It is closed.", detections: [] });
  });

  test("a closed port among those that were asked for is named, and the others make the target complete", async () => {
    await using servers = await serve([{}, {}]);
    const target = pinForTest(address);
    const outcome = outcomeOf(await scan([target], { ports: [...servers.ports, 1].join(",") }), target);
    expect([outcome.kind, outcome.reason]).toEqual(["complete", undefined]);
    expect(outcome.notes.join()).toContain("Port 1: It is closed, so nothing serves there.");
    expect(sslyze.readCoverage(outcome.coverage)("tcp/1/service")).toBe(false);
    expect(servers.ports.map((port) => sslyze.readCoverage(outcome.coverage)(`tcp/${port}/service`))).toEqual([true, true]);
  });

  test.runIf(process.geteuid?.() === 0)("a host without a way to it is unreachable, and says so", async () => {
    const host = "198.19.77.1";
    execFileSync("ip", ["route", "replace", "unreachable", `${host}/32`]);
    try {
      const target = pinForTest(host);
      expect(outcomeOf(await scan([target]), target)).toMatchObject({
        kind: "unreachable",
        reason: expect.stringContaining("could not be connected to"),
        detections: [],
      });
    } finally {
      execFileSync("ip", ["route", "delete", "unreachable", `${host}/32`]);
    }
  });

  test("STARTTLS that is never answered is no refusal", async () => {
    await using servers = await serve([{ instead: "tarpit" }]);
    const target = pinServer(servers.ports[0] ?? 0, { startTls: "smtp" });
    expect(outcomeOf(await scan([target]), target)).toMatchObject({ kind: "unreachable", detections: [] });
  });
});

test("a target that dies half-way is partial, keeps no false absence, and says what to do", async () => {
  await using servers = await serve([
    { fails: { after: 60, how: "close" } },
    { fails: { after: 60, how: "reset" } },
    { fails: { after: 300, how: "reset" } },
    { fails: { after: 60, how: "silence" } },
  ]);
  const targets = servers.ports.map((port) => pinServer(port));
  const events = await scan(targets, { timeout_seconds: 20 });
  for (const target of targets) {
    const outcome = outcomeOf(events, target);
    expect([outcome.kind, risksOf(outcome)], target.targetId).toEqual(["partial", []]);
    expect(outcome.reason).toMatch(/option slow_connection|options\.timeout_seconds/);
  }
});

test("a target that hangs ends by its deadline, and the others do not wait for it", async () => {
  using tarpit = await startTarpit();
  await using servers = await serve([{}]);
  const targets = [pinServer(tarpit.port), pinServer(servers.ports[0] ?? 0)] as const;
  const events = await scan([...targets], { timeout_seconds: 10 });
  expect(outcomesOf(events).map(({ targetId }) => targetId)).toEqual([targets[1].targetId, targets[0].targetId]);
  expect(outcomeOf(events, targets[0])).toMatchObject({ kind: "partial", reason: expect.stringContaining("not done after 10 seconds"), detections: [] });
  expect(outcomeOf(events, targets[0]).coverage).toEqual({ ports: [] });
  expect(outcomeOf(events, targets[1]).kind).toBe("complete");
  expect(findProcesses(tarpit.port)).toEqual([]);
});

test("without the engine nothing runs, and the mend is named", async () => {
  const enginesFolder = join(folder, "nothing");
  expect(await runner.probe({ enginesFolder })).toMatchObject({ ready: false, missing: expect.stringContaining("engines install sslyze") });
  await expect(scan([pinServer(1)], {}, { enginesFolder })).rejects.toMatchObject({ code: "engine.missing", retry: true });
});

test.each([
  ["does not see SSLyze", "echo 'No module named sslyze' >&2; exit 1"],
  ["has another SSLyze", "echo 6.2.0"],
])("an environment whose Python %s is not ready, and says what to do", async (title, script) => {
  const enginesFolder = standIn(title.replaceAll(" ", "-"), script);
  expect(await runner.probe({ enginesFolder })).toMatchObject({ ready: false, missing: expect.stringMatching(/remove .*sslyze-6\.3\.1-2 and run/) });
});

test("an engine that is killed costs its own target alone, which has no outcome and is tried again", async () => {
  using tarpit = await startTarpit();
  await using servers = await serve([{}]);
  tarpit.server.once("connection", () => {
    for (const pid of findProcesses(tarpit.port)) process.kill(pid, "SIGKILL");
  });
  const targets = [pinServer(tarpit.port), pinServer(servers.ports[0] ?? 0)];
  const seen: string[] = [];
  const reading = async () => {
    for await (const event of run(targets)) if (event.kind === "outcome") seen.push(`${event.targetId} ${event.outcome.kind}`);
  };
  await expect(reading()).rejects.toMatchObject({ code: "engine.killed", retry: true });
  expect(seen).toEqual([`${targets[1]?.targetId} complete`]);
});

test("cancelling ends every process, leaves no file, and nothing is said of what was not finished", async () => {
  using tarpit = await startTarpit();
  const abort = new AbortController();
  tarpit.server.once("connection", () => abort.abort(new Error("cancelled")));
  const own = makeRunFolder(folder, "cancelled-");
  const seen: EngineEvent[] = [];
  const reading = async () => {
    for await (const event of run([pinServer(tarpit.port), pinServer(tarpit.port)], { signal: abort.signal, folder: own })) seen.push(event);
  };
  await expect(reading()).rejects.toThrow("cancelled");
  expect([seen, findProcesses(tarpit.port), readdirSync(own)]).toEqual([[], [], []]);
});

test("a reader that stops listening leaves no process", async () => {
  using tarpit = await startTarpit();
  for await (const event of run([pinServer(1), pinServer(tarpit.port)])) if (event.kind === "outcome") break;
  expect(findProcesses(tarpit.port)).toEqual([]);
});

describe("output that is not whole", () => {
  test.each([
    ["cut in half", `head -c 20000 ${sample("none")}`, "engine.output_cut"],
    ["empty", "exit 0", "engine.output_cut"],
    ["of a crash", "echo 'Traceback: it broke' >&2; exit 1", "engine.failed"],
    ["of another server", `cat ${sample("none")}`, "engine.output_cut"],
    ["of no server", `cat ${sample("unresolvable")}`, "engine.output_cut"],
    ["words", "echo '  Command line error: no'", "engine.output_cut"],
    ["nested without end", "yes '[' | head -n 100000 | tr -d '\\n'", "engine.output_cut"],
  ])("%s: fails, may be tried again, and gives no outcome", async (_title, script, code) => {
    const enginesFolder = standIn(code + script.length, script);
    await expect(scan([pinServer(443)], {}, { enginesFolder })).rejects.toMatchObject({ code, retry: true });
  });

  test("beyond the ceilings of output and memory it is stopped, and the target is partial with the ceiling's name", async () => {
    await using servers = await serve([{}]);
    const target = pinServer(servers.ports[0] ?? 0);
    const limits = { memoryBytes: 2 ** 31, packetsPerSecond: 1, outputBytes: 2 ** 30 };
    const loud = outcomeOf(await scan([target], {}, { limits: { ...limits, outputBytes: 1000 } }), target);
    expect(loud).toMatchObject({ kind: "partial", reason: expect.stringContaining("printed more than 1,000 bytes"), coverage: { ports: [] }, detections: [] });
    const large = outcomeOf(await scan([target], {}, { limits: { ...limits, memoryBytes: 4 * 2 ** 20 } }), target);
    expect(large).toMatchObject({ kind: "partial", reason: expect.stringContaining("1 MB of memory"), coverage: { ports: [] }, detections: [] });
    expect(findProcesses(servers.ports[0] ?? 0)).toEqual([]);
  });
});

test.each([
  ["no/absolute/path", "no absolute path"],
  ["/no/such/file", "cannot be read"],
  ["/dev/null", "no certificate in it"],
])("a CA file that is %s fails the scan by name, and never trusts less in silence", async (file, why) => {
  process.env.PERISCAN_CA_FILE = file;
  try {
    await expect(scan([pinForTest(serverName, address)])).rejects.toMatchObject({
      code: "engine.ca_file",
      retry: false,
      message: expect.stringContaining(why),
    });
  } finally {
    delete process.env.PERISCAN_CA_FILE;
  }
});
