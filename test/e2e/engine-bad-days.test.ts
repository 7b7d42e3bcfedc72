import { once } from "node:events";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer as createHttpServer } from "node:http";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Scan, ScanType } from "@periscan/contract/scan.ts";
import { recordedAnswer, serveOsp } from "@periscan/engines/openvas/testing.ts";
import { pythonOf } from "@periscan/engines/sslyze/install.ts";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { addressOf } from "../hosts/start-hosts.ts";
import { all, type FoundProcess, findProcesses, kill, startTestPlatform, type TestPlatform, until } from "../platform.ts";
import { labPlugins } from "../targets/openvas/openvas-lab.ts";
import { startTlsServers } from "../targets/tls-servers.ts";

// The same bad days for every engine, through the whole platform: the state, the reason and the risks tell the truth, and nothing is left behind.

const address = "127.0.0.1";

interface Row {
  type: ScanType;
  /** What is scanned of a host and port. */
  name(host: string, port: number): string;
  /** The options for that port, and those that end a hanging target soon. */
  options(port: number): Record<string, unknown>;
  hanging: Record<string, unknown>;
  /** The engine's processes that are the task's own. */
  process: RegExp;
}

const asSite = (host: string, port: number) => `http://${host}:${port}/`;
const sites = (type: ScanType, process: RegExp, hanging: Record<string, unknown>): Row => ({ type, name: asSite, options: () => ({}), hanging, process });

const rows: Row[] = [
  { type: "SSLYZE", name: (host, port) => `${host}:${port}`, options: () => ({}), hanging: { timeout_seconds: 10 }, process: /-m sslyze/ },
  sites("OWASP_ZAP", /org\.zaproxy/, { max_minutes: 1 }),
  sites("OWASP_ZAP_ACTIVE", /org\.zaproxy/, { max_minutes: 1 }),
  // Its version is asked all the time.
  sites("NUCLEI", /\/nuclei .*-jsonl/, { timeout_seconds: 1, retries: 0 }),
  ...(process.geteuid?.() === 0
    ? [
        {
          type: "OPENVAS" as const,
          name: (host: string) => host,
          options: (port: number) => ({ ports: `${port}` }),
          hanging: { host_timeout_minutes: 0.3 },
          // The scanner is all tasks', a scan's own processes call themselves `openvas: testing …`.
          process: /^openvas/,
        },
      ]
    : []),
];

const environment = { PERISCAN_OPENVAS_FEED: labPlugins };
let platform: TestPlatform;
beforeAll(async () => {
  platform = await startTestPlatform({ environment });
});
afterAll(async () => {
  await platform[Symbol.asyncDispose]();
});

/** Starts a scan of each row at once, and answers their ends. */
async function scanAll(
  chosen: Row[],
  describeTarget: (row: Row) => { target: string; options: Record<string, unknown> },
): Promise<{ row: Row; ended: Scan }[]> {
  const scans = await Promise.all(
    chosen.map(async (row) => {
      const { target, options } = describeTarget(row);
      return { row, id: (await platform.client.scans.create({ type: row.type, targets: [target], options })).id };
    }),
  );
  return Promise.all(scans.map(async ({ row, id }) => ({ row, ended: await platform.client.waitForScan(id) })));
}

const briefly = (ends: { row: Row; ended: Scan }[]) =>
  ends.map(({ row, ended }) => [row.type, ended.state, ended.targets[0]?.outcome, ended.error?.code, ended.risks.closed.length]);

async function listen(server: ReturnType<typeof createServer>, { host = address, port = 0 } = {}): Promise<number> {
  const sockets = new Set<Socket>();
  server.on("connection", (socket) => sockets.add(socket.on("error", () => {})));
  server.listen(port, host);
  await once(server, "listening");
  onTestFinished(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return (server.address() as AddressInfo).port;
}

/** A web site with a fault for every engine that looks at sites; the spider has pages to follow. */
const makeSite = (pages = 4) =>
  createHttpServer((_request, response) => {
    const links = Array.from({ length: pages }, (_, index) => `<a href="/${index}">${index}</a>`).join("");
    response.writeHead(200, { server: "Example/1.2.3", "content-type": "text/html" }).end(`<p>Shop</p>${links}`);
  });

describe("a target that answers no more", () => {
  test("is unreachable, its scan fails, and its risks stay open", async () => {
    const site = makeSite();
    const sitePort = await listen(site);
    const tls = await startTlsServers([{ address, port: 0, certificate: "self-signed" }]);
    const portOf = ({ type }: Row) => (type === "SSLYZE" ? (tls.ports[0] ?? 0) : sitePort);
    const describeTarget = (row: Row) => ({ target: row.name(address, portOf(row)), options: row.options(portOf(row)) });
    const before = await scanAll(
      rows.filter(({ type }) => type !== "NUCLEI"),
      describeTarget,
    );
    expect(before.map(({ row, ended }) => [row.type, ended.state, ended.risks.new_open.length > 0])).toEqual(
      before.map(({ row }) => [row.type, "SUCCEEDED", true]),
    );
    site.close();
    site.closeAllConnections();
    await tls[Symbol.asyncDispose]();
    // A host that is this machine itself always answers, so OpenVAS looks for one that is not there.
    const after = await scanAll(rows, (row) => (row.type === "OPENVAS" ? { target: addressOf(31, 99), options: { ports: "1-100" } } : describeTarget(row)));
    // OpenVAS may take the machine's own word that there is no way for an answer of the host; it is cut short then, and no less said.
    const unreachable = (type: ScanType) => (type === "OPENVAS" ? expect.stringMatching(/unreachable|partial/) : "unreachable");
    expect(briefly(after)).toEqual(rows.map(({ type }) => [type, "FAILED", unreachable(type), expect.stringMatching(/^scan\.(unreachable|incomplete)$/), 0]));
    const open = await all(platform.client.risks.list({ status: ["OPEN"] }));
    expect(new Set(open.map(({ risk_definition }) => risk_definition.scan_type))).toEqual(new Set(before.map(({ row }) => row.type)));
  });

  test("because its name does not resolve is skipped with that reason", async () => {
    const ends = await scanAll(rows, (row) => ({ target: row.name("no-such-name.invalid", 8080), options: {} }));
    expect(briefly(ends)).toEqual(rows.map(({ type }) => [type, "FAILED", "skipped", "scan.nothing_to_scan", 0]));
    for (const { ended } of ends) expect(ended.error?.message).toContain("did not resolve");
  });

  test("because it accepts and stays silent ends in time, and never reads as clean", async () => {
    const port = await listen(createServer(() => {}));
    const ends = await scanAll(rows, (row) => ({ target: row.name(address, port), options: { ...row.options(port), ...row.hanging } }));
    for (const { row, ended } of ends) {
      // OpenVAS's tests of ours look at ports and headers: an open port that says nothing is all that there is.
      if (row.type === "OPENVAS") expect(ended.risks.new_open).toEqual([]);
      else expect([row.type, ended.state, /unreachable|partial/.test(ended.targets[0]?.outcome ?? "")]).toEqual([row.type, "FAILED", true]);
    }
  });

  test("half-way is partial, with a reason, and keeps what was found", async () => {
    let requests = 0;
    const site = makeSite(40);
    site.on("request", () => {
      requests += 1;
      if (requests !== 15) return;
      site.close();
      site.closeAllConnections();
    });
    const sitePort = await listen(site);
    const tls = await startTlsServers([{ address, port: 0, certificate: "expired", fails: { after: 60, how: "close" } }]);
    onTestFinished(() => tls[Symbol.asyncDispose]());
    const openvas = rows.find(({ type }) => type === "OPENVAS");
    const died = openvas && dieDuringOpenvas(openvas);
    // Heard below, where the others have ended.
    died?.catch(() => {});
    // One at a time, for the site dies by the count of its requests.
    const chosen = rows.filter(({ type }) => type === "SSLYZE" || type === "NUCLEI");
    const ends = await scanAll(chosen, (row) => {
      const port = row.type === "SSLYZE" ? (tls.ports[0] ?? 0) : sitePort;
      return { target: row.name(address, port), options: row.type === "NUCLEI" ? { concurrency: 1, retries: 0 } : {} };
    });
    expect(briefly(ends)).toEqual(chosen.map(({ type }) => [type, "FAILED", "partial", "scan.incomplete", 0]));
    for (const type of ["OWASP_ZAP", "OWASP_ZAP_ACTIVE"] as const) {
      requests = 0;
      const port = await listen(site);
      const [end] = await scanAll(
        rows.filter((row) => row.type === type),
        (row) => ({ target: row.name(address, port), options: {} }),
      );
      expect([type, end?.ended.state, end?.ended.targets[0]?.outcome], end?.ended.targets[0]?.reason).toEqual([type, "FAILED", "partial"]);
    }
    if (died) expect(briefly(await died)).toEqual([["OPENVAS", "FAILED", "partial", "scan.incomplete", 0]]);
  });
});

/** A host of which one port makes a test of ours sleep; it dies while that sleeps. */
async function dieDuringOpenvas(row: Row) {
  const host = "127.0.0.66";
  const servers = [createServer(() => {}), makeSite()];
  const sockets = new Set<Socket>();
  for (const server of servers) server.on("connection", (socket) => sockets.add(socket));
  for (const [index, server] of servers.entries()) await listen(server, { host, port: 8099 - index });
  const ends = scanAll([row], () => ({ target: host, options: { ports: "8090-8100" } }));
  const isSleeping = async () => {
    const running = await all(platform.client.scans.list({ type: ["OPENVAS"], state: ["RUNNING"] }));
    return running.some(({ progress }) => progress >= 50);
  };
  await until(isSleeping, { what: "the sleeping test" });
  for (const server of servers) server.close();
  for (const socket of sockets) socket.destroy();
  return ends;
}

test("an engine that is killed whenever it runs fails the scan and says so; nothing is left", async () => {
  const port = await listen(createServer(() => {}));
  const pattern = new RegExp(rows.map(({ process: own }) => own.source).join("|"));
  let over = false;
  const killing = (async () => {
    while (!over) {
      for (const { pid } of findProcesses(platform.dataFolder, pattern)) kill(pid);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  })();
  try {
    const ends = await scanAll(rows, (row) => ({ target: row.name(address, port), options: row.options(port) }));
    for (const { row, ended } of ends) {
      expect([row.type, ended.state, ended.targets[0]?.outcome], JSON.stringify(ended.error)).toEqual([row.type, "FAILED", "skipped"]);
      expect(ended.error).toMatchObject({ code: expect.stringMatching(/^engine\./), message: expect.stringMatching(/killed|ended|stopped/i) });
    }
  } finally {
    over = true;
    await killing;
  }
  expect(findProcesses(platform.dataFolder, pattern)).toEqual([]);
});

test("ten scans of mixed types at once all end, within the memory that the worker has", async () => {
  const site = makeSite();
  const sitePort = await listen(site);
  const tls = await startTlsServers([{ address, port: 0 }]);
  onTestFinished(() => tls[Symbol.asyncDispose]());
  const mixed: [ScanType, string, Record<string, unknown>][] = [
    ["NMAP", address, { ports: "1-2000" }],
    ["NMAP", "127.0.0.2", { ports: "1-2000" }],
    ["NMAP_UDP", address, { ports: "53,123,161" }],
    ["SSLYZE", `${address}:${tls.ports[0]}`, {}],
    ["OWASP_ZAP", asSite(address, sitePort), {}],
    ["OWASP_ZAP", `${asSite(address, sitePort)}1`, {}],
    ["OWASP_ZAP_ACTIVE", `${asSite(address, sitePort)}2`, {}],
    ["NUCLEI", asSite(address, sitePort), {}],
    ["NUCLEI", `${address}:${sitePort}`, {}],
    ["OPENVAS", address, { ports: `${sitePort}` }],
  ];
  const wanted = mixed.filter(([type]) => process.geteuid?.() === 0 || (type !== "OPENVAS" && type !== "NMAP_UDP"));
  let peak = 0;
  let over = false;
  const watching = (async () => {
    while (!over) {
      peak = Math.max(peak, readMemory(findProcesses(platform.dataFolder, /nmap|-m sslyze|org\.zaproxy|\/nuclei |openvas|ospd/)));
      await new Promise((resolve) => setTimeout(resolve, 250));
    }
  })();
  const ids = await Promise.all(wanted.map(async ([type, target, options]) => (await platform.client.scans.create({ type, targets: [target], options })).id));
  const ends = await Promise.all(ids.map((id) => platform.client.waitForScan(id)));
  over = true;
  await watching;
  expect(ends.map(({ type, state, skipped_targets }) => [type, state, skipped_targets])).toEqual(wanted.map(([type]) => [type, "SUCCEEDED", []]));
  expect(peak).toBeGreaterThan(0);
  expect(peak).toBeLessThan(4096 * 1024 ** 2);
});

describe("an engine", () => {
  // SSLyze has no content, and ZAP's rules are in its build: only a user's own ZAP can have none, which engines/zap/zap.test.ts shows.
  test.each([
    ["that is missing", () => ({ PERISCAN_ENGINES: makeFolder() }), rows, /install/],
    [
      "without content",
      () => ({ PERISCAN_NUCLEI_TEMPLATES: makeFolder(), PERISCAN_OPENVAS_FEED: makeFolder() }),
      rows.filter(({ type }) => type === "NUCLEI" || type === "OPENVAS"),
      /templates|feed/,
    ],
  ] as const)("%s refuses its scans with what to do", async (_title, change, chosen, message) => {
    await using other = await startTestPlatform({ environment: { ...environment, ...change() } });
    for (const row of chosen) {
      const refusal = await until(
        () =>
          other.client.scans.create({ type: row.type, targets: [row.name(address, 8080)] }).then(
            ({ id }) => other.client.scans.cancel(id).then(() => undefined),
            (error: Error) => error,
          ),
        { what: "the worker's first claim" },
      );
      expect(refusal).toMatchObject({ status: 400, code: "engine.missing", message: expect.stringMatching(message) });
    }
  });

  // Each stand-in answers a probe as the real program does, and a scan by half a document.
  test("whose output is cut or hostile fails the scan, and its target is not clean", async () => {
    const port = await listen(makeSite());
    const enginesFolder = makeFolder();
    const programs = makeFolder();
    standIn(pythonOf(enginesFolder), `case "$*" in *importlib*) echo 6.3.1;; *) printf '{"server_scan_results": [{"server_location": {"<b>';; esac`);
    standIn(join(programs, "nmap"), `case "$*" in *--version*) echo 'Nmap version 7.93';; *) printf '<nmaprun scanner="nmap"><host><status state="up"';; esac`);
    standIn(join(programs, "nuclei"), `case "$*" in *-version*) echo 'Nuclei Engine Version: v3.7.1';; *) printf '{"template-id":"<b>","info":{"name"';; esac`);
    const cut = {
      PERISCAN_ENGINES: enginesFolder,
      PATH: `${programs}:${process.env.PATH}`,
      PERISCAN_ZAP_URL: `http://${address}:${await listen(makeCutZap())}`,
      PERISCAN_ZAP_KEY: "key",
      PERISCAN_OPENVAS: await listenCutOpenvas(),
    };
    await using other = await startTestPlatform({ environment: { ...environment, ...cut } });
    const wanted: [ScanType, string][] = [
      ["NMAP", address],
      ["NMAP_UDP", address],
      ["OPENVAS", address],
      ["SSLYZE", `${address}:${port}`],
      ["OWASP_ZAP", asSite(address, port)],
      ["OWASP_ZAP_ACTIVE", asSite(address, port)],
      ["NUCLEI", asSite(address, port)],
    ];
    const ends = await Promise.all(
      wanted.map(async ([type, target]) => other.client.waitForScan((await other.client.scans.create({ type, targets: [target] })).id)),
    );
    for (const { type, state, risks, targets, error } of ends) {
      expect([type, state, risks.new_open], JSON.stringify(error)).toEqual([type, "FAILED", []]);
      expect(targets[0]?.outcome, type).not.toBe("complete");
    }
  });
});

const makeCutZap = () =>
  createHttpServer((request, response) => {
    response
      .writeHead(200, { "content-type": "application/json" })
      .end(request.url?.includes("core/view/version") ? '{"version":"2.17.0"}' : '{"rules":[{"<b>');
  });

/** Answers the path of its socket. */
async function listenCutOpenvas(): Promise<string> {
  const path = join(makeFolder(), "osp.sock");
  const cut = '<get_vts_response status="200"><vts><vt id="<b>';
  const server = await serveOsp(path, (request) => (request.startsWith("<get_version") ? recordedAnswer("get_version") : cut));
  onTestFinished(() => {
    server.close();
  });
  return path;
}

function makeFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "periscan-bad-days-"));
  // Engines run as an account of their own.
  chmodSync(folder, 0o755);
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

function standIn(file: string, script: string): void {
  mkdirSync(join(file, ".."), { recursive: true });
  writeFileSync(file, `#!/bin/sh\n${script}\n`);
  chmodSync(file, 0o755);
}

/** Resident bytes of these processes together: the second field of /proc/PID/statm, in pages of 4 KiB, proc(5). */
function readMemory(found: FoundProcess[]): number {
  return found.reduce((sum, { pid }) => {
    try {
      return sum + 4096 * Number(readFileSync(`/proc/${pid}/statm`, "utf8").split(" ")[1]);
    } catch {
      return sum;
    }
  }, 0);
}
