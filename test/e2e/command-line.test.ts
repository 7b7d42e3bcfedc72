import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer as createHttpServer } from "node:http";
import { type AddressInfo, createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { readStartTicks } from "@periscan/engines/kit/process-identity.ts";
import { afterAll, beforeAll, expect, test } from "vitest";
import { findPostgres, findProcesses, isNmap, makeDataFolder, runCommand, startCommand, startTestPlatform, until } from "../platform.ts";
import { labPlugins } from "../targets/openvas/openvas-lab.ts";

let dataFolder: string;
let output: string;
let listener: Server;
let port: number;
beforeAll(async () => {
  dataFolder = makeDataFolder();
  output = mkdtempSync(join(tmpdir(), "periscan-results-"));
  listener = createServer((socket) => socket.on("error", () => {}).end("220 \x1b[2Jready\r\n")).listen(0, "127.0.0.1");
  await once(listener, "listening");
  port = (listener.address() as { port: number }).port;
});
afterAll(() => {
  listener.close();
  rmSync(dataFolder, { recursive: true, force: true });
  rmSync(output, { recursive: true, force: true });
});

const start = (args: string[], environment: Record<string, string> = {}) => startCommand(dataFolder, args, environment);
const run = (...args: string[]) => runCommand(dataFolder, args);

test("`scan` on an empty data folder sets everything up, shows the risks, keeps the files, and leaves nothing running", async () => {
  const { code, out, err } = await run("scan", "NMAP", "127.0.0.1", "--ports", `${port}`, "--output", output);
  expect([code, err]).toEqual([0, ""]);
  expect(out).toContain(`Open TCP Port: ${port}`);
  expect(out).toContain("1 of 1 target scanned to the end");
  expect(out).not.toContain("\x1b");
  const files = out.split("\n").filter((line) => line.startsWith(`  ${output}`));
  expect(files.map((file) => file.split(".").at(-1)).sort()).toEqual(["html", "json", "pdf", "xml"]);
  for (const file of files) expect(statSync(file.trim()).size).toBeGreaterThan(500);
  expect(findProcesses(dataFolder)).toEqual([]);
  expect(findPostgres(dataFolder)).toBeUndefined();
});

test("lists and downloads work on what earlier commands left, for people and as JSON", async () => {
  const [scan] = JSON.parse((await run("scans", "--json")).out);
  expect(scan).toMatchObject({ type: "NMAP", state: "SUCCEEDED" });
  expect((await run("scans")).out).toContain(scan.id);
  const [risk] = JSON.parse((await run("risks", "--json")).out);
  expect((await run("risks", risk.id)).out).toMatch(/What to do.*Evidence\n {2}Port +\d+\/tcp\n/s);
  const listed = await run("targets");
  expect(listed.out, listed.err).toContain("127.0.0.1");
  expect(JSON.parse((await run("scan", "show", scan.id, "--json")).out)).toMatchObject({ scan: { id: scan.id }, risks: [{ title: `Open TCP Port: ${port}` }] });
  const got = await run("results", "get", scan.id, "--format", "pdf", "--output", output);
  expect(readFileSync(got.out.trim()).subarray(0, 5).toString()).toBe("%PDF-");
});

test("risks are accepted, exported and reported from the command line, and their history says so", async () => {
  const [risk] = JSON.parse((await run("risks", "--json")).out);
  expect((await run("risks", "accept", risk.id)).code).toBe(2);
  const accepted = await run("risks", "accept", risk.id, "--note", "Ours \x1b[2J", "--until", "2999-01-01");
  expect([accepted.code, accepted.out]).toEqual([0, "1 risk is accepted now; 1 changed.\n"]);
  const { out: history } = await run("risks", "history", risk.id);
  expect(history).toMatch(/accepted .* Ours \uFFFD\[2J; until 2999-01-01/);
  expect(history).toMatch(/opened +NMAP +scan /);
  expect((await run("risks", "--no-accepted")).out).toContain("No risks match.");
  const sarif = join(output, "risks.sarif");
  expect((await run("risks", "export", "--format", "sarif", "--output", sarif)).out).toBe(`${sarif}\n`);
  expect(JSON.parse(readFileSync(sarif, "utf8")).runs[0].results).toMatchObject([{ suppressions: [{ status: "accepted" }] }]);
  expect((await run("risks", "export", "--format", "csv")).out.split("\r\n")).toHaveLength(3);
  const file = join(output, "report.pdf");
  expect((await run("report", "--target", "127.0.0.1", "--output", file)).out).toBe(`${file}\n`);
  expect(readFileSync(file).subarray(0, 5).toString()).toBe("%PDF-");
  expect(JSON.parse((await run("reports", "--json")).out)).toMatchObject([{ state: "SUCCEEDED", report_format: "PDF" }]);
  expect((await run("risks", "unaccept", risk.id)).out).toBe("1 risk is not accepted now; 1 changed.\n");
});

test("the exit code tells a partial scan and a wrong use from a good one", async () => {
  const partial = await run("scan", "NMAP", "127.0.0.1", "no-such-name.invalid", "--ports", `${port}`, "--output", output, "--json");
  expect(partial.code).toBe(1);
  expect(JSON.parse(partial.out)).toMatchObject({ scan: { state: "SUCCEEDED" }, risks: [{ change: "still_open" }], files: [{}, {}, {}, {}] });
  const wrong: [string[], string][] = [
    [["scan", "NMAP", "-oN"], "unknown option '-oN'"],
    [["scan", "NMAP", "a;b"], "targets[0]"],
    [["scan", "MASSCAN", "127.0.0.1"], "NMAP_UDP"],
    [["scan", "NMAP", "127.0.0.1", "--ports", "x"], "options.ports"],
    [["scan", "NMAP", "127.0.0.1", "--option", "script=vuln"], "options.script"],
    [["scan", "NMAP", "127.0.0.1", "--no-wait"], "periscan up"],
    [["scan", "NMAP"], "Give targets, or --targets FILE"],
    [["frobnicate"], "unknown command"],
  ];
  for (const [args, message] of wrong) {
    const { code, err, out } = await run(...args);
    expect([code, out], args.join(" ")).toEqual([2, ""]);
    expect(err, args.join(" ")).toContain(message);
  }
});

test("every command has help with an example", async () => {
  const commands =
    "scan|scan show|scan cancel|scans|risks|targets|targets show|targets login|results get|up|serve|work|status|logs|engines list|engines install|engines test|key create|key list|key revoke|doctor|config|completion|test";
  for (const command of commands.split("|")) {
    const { code, out } = await run(...command.split(" "), "--help");
    expect([command, code, /Examples?:\n {2}(\w+=\S+ )*periscan /.test(out)]).toEqual([command, 0, true]);
  }
});

test("keys are made, listed without their secret, and revoked", async () => {
  const made = JSON.parse((await run("key", "create", "CI", "--json")).out);
  expect(made.key).toMatch(/^ps_[\w-]{43}$/);
  const listed = (await run("key", "list")).out;
  expect(listed).toContain(made.id);
  expect(listed).not.toContain(made.key);
  expect(await run("key", "revoke", made.id)).toMatchObject({ code: 0 });
  expect(await run("key", "revoke", made.id)).toMatchObject({ code: 1 });
  expect(statSync(join(dataFolder, "api-key")).mode & 0o777).toBe(0o600);
  expect(statSync(join(dataFolder, "worker-token")).mode & 0o777).toBe(0o600);
});

test("`doctor` finds nothing missing where the tests can run", async () => {
  const { code, out } = await runCommand(dataFolder, ["doctor", "--json"], { PERISCAN_OPENVAS_FEED: labPlugins });
  expect(JSON.parse(out).filter(({ ok }: { ok: boolean }) => !ok)).toEqual([]);
  expect(code).toBe(0);
});

test("`up` serves commands beside it, takes its folder for itself, and stops whole at SIGTERM", async () => {
  const platform = await startTestPlatform({ dataFolder: makeDataFolder() });
  const beside = (...args: string[]) => start(args, { PERISCAN_DATA: platform.dataFolder });
  const scan = beside("scan", "NMAP", "127.0.0.1", "--ports", `${port}`, "--no-wait");
  const id = (await text(scan.stdout as never)).split("\n")[0] ?? "";
  expect((await platform.client.waitForScan(id)).state).toBe("SUCCEEDED");
  const status = JSON.parse(await text(beside("status", "--json").stdout as never));
  expect(status).toMatchObject({ platform: { runs: true, url: platform.url, pid: platform.process.pid }, queued: 0 });
  expect(status.engines).toContainEqual(expect.objectContaining({ type: "NMAP", ready: true }));
  const lines = (await text(beside("logs", "--json", "--lines", "1000").stdout as never)).trim().split("\n");
  expect(new Set(lines.map((line) => JSON.parse(line).name))).toEqual(new Set(["server", "worker"]));
  const second = beside("up", "--port", "0");
  const [refusal, [code]] = await Promise.all([text(second.stderr as never), once(second, "close") as Promise<[number]>]);
  expect([code, refusal]).toEqual([1, expect.stringContaining(`runs already on ${platform.dataFolder}`)]);
  expect((await fetch(`${platform.url}/readyz`)).status).toBe(200);
  expect((await fetch(`${platform.url}/docs/`)).status).toBe(200);
  expect(await platform.stop()).toBe(0);
  expect(findProcesses(platform.dataFolder)).toEqual([]);
  expect(existsSync(join(platform.dataFolder, "postgres", "data", "postmaster.pid"))).toBe(false);
  await platform[Symbol.asyncDispose]();
});

test("a command whose platform ends before it took the scan starts one of its own, and scans once", async () => {
  const runtimeFile = join(dataFolder, "server.json");
  const ending = createHttpServer((request) => {
    rmSync(runtimeFile, { force: true });
    ending.close();
    request.socket.destroy();
  });
  ending.listen(0, "127.0.0.1");
  await once(ending, "listening");
  const url = `http://127.0.0.1:${(ending.address() as AddressInfo).port}`;
  const before = JSON.parse((await run("scans", "--json")).out).length;
  writeFileSync(runtimeFile, JSON.stringify({ pid: process.pid, startTicks: readStartTicks(process.pid), url }));
  const { code, err } = await run("scan", "NMAP", "127.0.0.1", "--ports", `${port}`, "--output", output);
  expect([code, err]).toEqual([0, ""]);
  expect(JSON.parse((await run("scans", "--json")).out)).toHaveLength(before + 1);
});

test("commands that start at once share one platform, and go on when the one that ran it ends", async () => {
  const runs = await Promise.all(
    ["127.0.0.1", "127.0.0.2", "127.0.0.3"].map((target, index) =>
      run("scan", "NMAP", target, "--ports", `1-${1 + 20_000 * index}`, "--option", "service_detection=false", "--output", output),
    ),
  );
  expect(runs.map(({ code, err }) => `${code}${err}`)).toEqual(["0", "0", "0"]);
  expect(findProcesses(dataFolder)).toEqual([]);
  expect(findPostgres(dataFolder)).toBeUndefined();
});

test("a data folder that PostgreSQL cannot use is refused with what to do", async () => {
  const child = start(["scans"], { PERISCAN_DATA: join(dataFolder, "long".repeat(30)) });
  const [err, [code]] = await Promise.all([text(child.stderr as never), once(child, "close") as Promise<[number]>]);
  expect([code, err]).toEqual([1, expect.stringMatching(/too long for a socket.*PERISCAN_DATA=\/path\n$/)]);
});

test("Ctrl-C cancels a scan, says what was found, and leaves nothing running", async () => {
  const silent = createServer((socket) => socket.on("error", () => {})).listen(0, "127.0.0.1");
  await once(silent, "listening");
  const child = start(["scan", "NMAP", "127.0.0.1", "--ports", `${(silent.address() as { port: number }).port}`, "--output", output]);
  const err = text(child.stderr as never);
  const out = text(child.stdout as never);
  await until(() => findProcesses(dataFolder, isNmap).length > 0, { what: "Nmap's start" });
  child.kill("SIGINT");
  const [code] = (await once(child, "close")) as [number];
  expect([code, await err]).toEqual([1, expect.stringContaining("Cancelling the scan")]);
  expect(await out).toContain("The scan was cancelled.");
  expect(findProcesses(dataFolder)).toEqual([]);
  silent.close();
});

test.each([[["scans"]], [["key", "list"]]])("Ctrl-C while %j starts what it needs leaves nothing running", async (args) => {
  const folder = makeDataFolder();
  const child = start(args, { PERISCAN_DATA: folder });
  const err = text(child.stderr as never);
  await until(() => findPostgres(folder), { what: "PostgreSQL's start" });
  child.kill("SIGINT");
  const [code] = (await once(child, "close")) as [number];
  expect([code, await err]).toEqual([1, "periscan: Stopped.\n"]);
  expect(findProcesses(folder)).toEqual([]);
  expect(findPostgres(folder)).toBeUndefined();
  rmSync(folder, { recursive: true, force: true });
});

test("Ctrl-C while the platform is still starting leaves nothing running and no scan", async () => {
  const folder = makeDataFolder();
  const child = start(["scan", "NMAP", "127.0.0.1", "--ports", `${port}`, "--output", output], { PERISCAN_DATA: folder });
  const err = text(child.stderr as never);
  await until(() => existsSync(join(folder, "server.json")), { what: "the platform's start" });
  child.kill("SIGINT");
  const [code] = (await once(child, "close")) as [number];
  expect([code, await err]).toEqual([1, expect.stringContaining("Stopped before the scan was started.")]);
  expect(findProcesses(folder)).toEqual([]);
  expect(findPostgres(folder)).toBeUndefined();
  rmSync(folder, { recursive: true, force: true });
});
