import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import {
  claimSome,
  finishTask,
  getScan,
  keepWorking,
  startScan,
  startTestServer,
  type TestServer,
  tcpOutcome,
} from "@periscan/server/testing/start-test-server.ts";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { logFile, olderLogFile, openLogFile } from "./log-file.ts";
import { readSettings } from "./settings.ts";

// What users of other scanners' command lines expect of one.

let server: TestServer;
let folder: string;
let stopWorking: () => Promise<void>;
beforeAll(async () => {
  server = await startTestServer();
  folder = mkdtempSync(join(tmpdir(), "periscan-cli-"));
  const { id } = await startScan(server, { type: "NMAP", targets: ["198.51.100.1"], options: { ports: "1-1000" } });
  while ((await getScan(server, id)).state !== "SUCCEEDED")
    await finishTask(server, await claimSome(server), () => tcpOutcome({ ports: "1-1000", open: [22] }));
  stopWorking = keepWorking(server);
});
afterAll(async () => {
  await stopWorking();
  rmSync(folder, { recursive: true, force: true });
  await server[Symbol.asyncDispose]();
});

const main = fileURLToPath(new URL("main.ts", import.meta.url));

interface Given {
  environment?: Record<string, string>;
  input?: string;
  node?: string[];
}

async function run(args: string[], { environment = {}, input = "", node = [] }: Given = {}) {
  const own = { PATH: process.env.PATH ?? "", HOME: folder, PERISCAN_SERVER: server.url, PERISCAN_API_KEY: server.apiKey };
  const child = spawn(process.execPath, [...node, main, ...args], { cwd: folder, env: { ...own, ...environment } });
  child.stdin.end(input);
  const [out, err, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "close")]);
  return { code, out, err };
}

/** Without a server in the environment. */
const local = (more: Record<string, string> = {}) => ({ PERISCAN_SERVER: "", PERISCAN_API_KEY: "", PERISCAN_DATA: join(folder, "data"), ...more });

test.each([
  "--help",
  "scan --help",
  "risks --help",
  "engines install --help",
  "key list --help",
  "doctor --help",
  "webhooks add --help",
  "up --help",
  "completion bash",
  "--version",
])("`%s` loads no server, engine, worker or schema library", async (args) => {
  const hook = join(folder, "note-loads.mjs");
  writeFileSync(
    hook,
    `import { registerHooks } from "node:module";
const urls = [];
registerHooks({ load: (url, context, next) => (urls.push(url), next(url, context)) });
process.on("exit", () => process.stderr.write(urls.join("\\n")));`,
  );
  const { code, err } = await run(args.split(" "), { node: ["--import", hook] });
  expect(code).toBe(0);
  const urls = err.split("\n");
  expect(urls.some((url) => url.includes("/commander/"))).toBe(true);
  // What finds a program and names the account of engines is a few lines each, and no engine.
  const light = /\/kit\/(process-identity|find-program|engine|engine-account)\.ts$/;
  expect(urls.filter((url) => /\/node_modules\/(?!commander\/)|\/(server|worker|engines)\/[\w/-]+\.ts$/.test(url) && !light.test(url))).toEqual([]);
});

test("targets come from the command line, a file and standard input, and comments are none", async () => {
  const file = join(folder, "hosts.txt");
  writeFileSync(file, "\uFEFF# office\r\n198.51.100.2 198.51.100.3\r\n\r\n  198.51.100.4\t# printer\nhttps://shop.example/#top\n");
  const targets = async (args: string[], input = "") => {
    const { code, out, err } = await run(["scan", "NMAP", ...args, "--ports", "22", "--no-wait", "--format", "json"], { input });
    if (code !== 0) return [code, err];
    return JSON.parse(out).scan.requested_targets.map(({ target }: { target: string }) => target);
  };
  expect(await targets(["198.51.100.9", "--targets", file])).toEqual(["198.51.100.9", "198.51.100.2", "198.51.100.3", "198.51.100.4", "https://shop.example/"]);
  expect(await targets(["--targets", "-"], "198.51.100.5\n#198.51.100.6\n")).toEqual(["198.51.100.5"]);
  expect(await targets(["--targets", "-"], "# nothing\n")).toEqual([2, "periscan: Standard input has no targets in it.\n"]);
  expect(await targets([])).toEqual([2, "periscan: Give targets, or --targets FILE (- is standard input).\n"]);
  expect(await targets(["--targets", "none.txt"])).toEqual([2, "periscan: none.txt cannot be read (ENOENT).\n"]);
});

test("--fail-on is 1 for open risks of that level that nobody accepted, and for nothing else", async () => {
  const code = async (args: string[], environment: Record<string, string> = {}) => (await run(args, { environment })).code;
  const scan = (...args: string[]) => code(["scan", "NMAP", "198.51.100.1", "--ports", "1-1000", ...args]);
  const skipped = "169.254.169.254";
  // An open port is LOW. A target that is skipped is no clean result.
  expect(await Promise.all([scan("--fail-on", "LOW"), scan(skipped, "--fail-on", "MEDIUM"), scan("--fail-on", "WORST")])).toEqual([1, 3, 2]);
  const risks = (level: string, ...args: string[]) => code(["risks", "--fail-on", level, ...args]);
  expect(await Promise.all([risks("MEDIUM"), risks("LOW"), risks("LOW", "--level", "CRITICAL")])).toEqual([0, 1, 0]);
  const unanswered = [{ PERISCAN_API_KEY: "wrong" }, { PERISCAN_SERVER: "http://127.0.0.1:9" }];
  expect(await Promise.all(unanswered.map((environment) => code(["risks", "--fail-on", "HIGH"], environment)))).toEqual([3, 3]);
  const [risk] = (await server.api<{ data: { id: string }[] }>("GET", '/v1/risks?filters={"target.target":["198.51.100.1"]}')).body.data;
  await server.api("PUT", `/v1/risks/${risk?.id}/acceptance`, { note: "Ours" });
  expect(await scan("--fail-on", "NONE")).toBe(0);
  await server.api("DELETE", `/v1/risks/${risk?.id}/acceptance`);
}, 180_000);

test("every list prints a table, JSON and CSV, and --json is JSON", async () => {
  const [{ id }] = JSON.parse((await run(["risks", "--json"])).out);
  const print = async (list: string, ...args: string[]) => (await run([...list.split(" "), ...args])).out;
  for (const list of ["scans", "risks", "targets", "schedules", "reports", "webhooks", "sources list", "engines list", `risks history ${id}`]) {
    const [json, csv] = await Promise.all([print(list, "--format", "json"), print(list, "--format", "csv")]);
    expect(Array.isArray(JSON.parse(json)), list).toBe(true);
    expect(csv, list).toMatch(/^"[^\n]*"\r\n/);
  }
  const [plain, table, short, json] = await Promise.all([[], ["--format", "table"], ["--json"], ["--format", "json"]].map((args) => print("targets", ...args)));
  expect([plain, short]).toEqual([table, json]);
  expect([(await run(["targets", "--format", "xml"])).code, (await run(["targets", "--format", "csv", "--json"])).code]).toEqual([2, 2]);
  const [heading, first] = (await run(["targets", "--format", "csv"])).out.split("\r\n");
  expect([heading, first]).toEqual(['"TARGET","LABEL","TAGS","ID"', expect.stringMatching(/^"[^"]+","","","[0-9a-f-]{36}"$/)]);
}, 180_000);

test("a formula in a name is text in CSV", async () => {
  await server.api("POST", "/v1/sources", { source_type: "IMPORTED", name: '=1+"2"' });
  expect((await run(["sources", "list", "--format", "csv"])).out).toContain(`,"'=1+""2"""\r\n`);
});

test("risks and the end of a scan can be SARIF", async () => {
  expect(JSON.parse((await run(["risks", "--format", "sarif"])).out)).toMatchObject({
    version: "2.1.0",
    runs: [{ results: expect.arrayContaining([expect.objectContaining({ kind: "fail" })]) }],
  });
  const { code, out } = await run(["scan", "NMAP", "198.51.100.1", "--ports", "1-1000", "--format", "sarif"]);
  expect([code, JSON.parse(out).version]).toEqual([0, "2.1.0"]);
});

test("--watch shows a list anew until Ctrl-C, which is no failure, and a scan until its end", async () => {
  const own = { PATH: process.env.PATH ?? "", HOME: folder, PERISCAN_SERVER: server.url, PERISCAN_API_KEY: server.apiKey };
  const child = spawn(process.execPath, [main, "scans", "--watch"], { env: own });
  let seen = "";
  for await (const piece of child.stdout) {
    const before = seen.split("NEW RISKS").length;
    seen += piece;
    if (before < 3 && seen.split("NEW RISKS").length >= 3) child.kill("SIGINT");
  }
  expect([seen.split("NEW RISKS").length, child.exitCode ?? (await once(child, "close"))[0]]).toEqual([3, 0]);
  const { id } = await startScan(server, { type: "NMAP", targets: ["198.51.100.1"], options: { ports: "22" } });
  const { code, out } = await run(["scan", "show", id, "--watch"]);
  expect([code, out.trimEnd()]).toEqual([0, expect.stringContaining("SUCCEEDED")]);
});

test("`status` says what runs and what is here, and starts nothing", async () => {
  const remote = JSON.parse((await run(["status", "--json"])).out);
  expect(remote).toMatchObject({ platform: { runs: true, url: server.url }, running: [], queued: 0 });
  const { code, out } = await run(["status"], { environment: local() });
  expect([code, out]).toEqual([1, expect.stringMatching(/^Platform {2}does not run; `periscan up` starts it\n\nENGINE +STATE\nNMAP /)]);
  expect(statSync(join(folder, "data"), { throwIfNoEntry: false })).toBe(undefined);
});

describe("settings", () => {
  const file = () => join(folder, ".config", "periscan", "config.json");
  const without = { PERISCAN_SERVER: "", PERISCAN_API_KEY: "" };
  const write = (settings: unknown, mode = 0o600) => {
    mkdirSync(join(folder, ".config", "periscan"), { recursive: true });
    writeFileSync(file(), typeof settings === "string" ? settings : JSON.stringify(settings));
    chmodSync(file(), mode);
  };
  afterEach(() => {
    vi.unstubAllEnvs();
    rmSync(file(), { force: true });
  });

  /** What counts with these variables beside the file. */
  function read(environment: Record<string, string>) {
    const none = { PERISCAN_SERVER: "", PERISCAN_API_KEY: "", PERISCAN_DATA: "", XDG_CONFIG_HOME: "" };
    for (const [name, value] of Object.entries({ ...none, PERISCAN_CONFIG: file(), ...environment })) vi.stubEnv(name, value);
    return readSettings();
  }

  test("a command takes server, key, format and level from the file, and an option goes before it", async () => {
    write({ server: server.url, api_key: server.apiKey, format: "csv", fail_on: "NONE" });
    const inFile = (...args: string[]) => run(args, { environment: without });
    const [csv, table, failed, shown] = await Promise.all([
      inFile("targets"),
      inFile("targets", "--format", "table"),
      inFile("scan", "NMAP", "198.51.100.1", "--ports", "1-1000"),
      inFile("config"),
    ]);
    expect([csv.out, table.out, failed.code]).toEqual([expect.stringMatching(/^"TARGET",/), expect.stringMatching(/^TARGET /), 1]);
    expect(shown.out).toMatch(new RegExp(`server +${server.url} +${file()}\n`));
    expect(shown.out).toMatch(/output +periscan-results +default\n/);
    expect(shown.out).not.toContain(server.apiKey);
  });

  test("variables go before the file, whose key is for its server alone", () => {
    write({ server: "https://periscan.example", api_key: "ps_file" });
    expect(read({})).toMatchObject({ server: { value: "https://periscan.example", from: file() }, apiKey: { value: "ps_file", from: file() } });
    expect(read({ PERISCAN_SERVER: "https://other.example" })).toMatchObject({
      server: { value: "https://other.example", from: "PERISCAN_SERVER" },
      apiKey: { value: undefined },
    });
    expect(read({ PERISCAN_DATA: "/data" })).toMatchObject({ server: { value: undefined, from: "PERISCAN_DATA" }, apiKey: { value: undefined } });
    expect(read({ PERISCAN_API_KEY: "ps_mine" })).toMatchObject({ server: { from: file() }, apiKey: { value: "ps_mine", from: "PERISCAN_API_KEY" } });
  });

  test("a file whose key others can read is refused", async () => {
    write({ server: server.url, api_key: server.apiKey }, 0o644);
    const err = `periscan: ${file()} has an API key in it, and others can read it: chmod 600 ${file()}\n`;
    expect(await run(["targets"], { environment: without })).toEqual({ code: 2, out: "", err });
    write({ server: server.url }, 0o644);
    expect(read({}).server.value).toBe(server.url);
  });

  test.each([
    ["{", "must be a JSON object"],
    ["[]", "must be a JSON object"],
    ['{"sever": "x"}', "sever is not known; there are server, api_key, output, format, fail_on."],
    ['{"__proto__": {}}', "__proto__ is not known"],
    ['{"constructor": "x"}', "constructor is not known"],
    ['{"server": "127.0.0.1:7700"}', "server must be an address that begins with http:// or https://."],
    ['{"format": "xml"}', "format must be table, json or csv."],
    ['{"fail_on": "high"}', "fail_on must be one of CRITICAL, HIGH, MEDIUM, LOW, NONE."],
  ])("%s is refused", (text, sentence) => {
    write(text);
    expect(() => read({})).toThrow(sentence);
  });

  test("no file is no settings, but one that was named must be there", () => {
    expect(read({ PERISCAN_CONFIG: "", XDG_CONFIG_HOME: join(folder, "nowhere") }).format).toEqual({ value: "table", from: "default" });
    expect(() => read({})).toThrow(`${file()} cannot be read (ENOENT).`);
  });
});

test("bash completes commands, options and values", async () => {
  const script = join(folder, "completion.bash");
  writeFileSync(script, (await run(["completion", "bash"])).out);
  const complete = async (...words: string[]) => {
    const program = `source "$0"; COMP_WORDS=("$@"); COMP_CWORD=$((\${#COMP_WORDS[@]} - 1)); _periscan; printf '%s\\n' "\${COMPREPLY[@]}"`;
    const child = spawn("bash", ["-euc", program, script, "periscan", ...words]);
    return (await text(child.stdout)).trim().split("\n");
  };
  expect(await complete("sc")).toEqual(["scan", "scans", "schedules"]);
  expect(await complete("scan", "sh")).toEqual(["show"]);
  expect(await complete("risks", "accept", "--re")).toEqual(["--reason"]);
  expect(await complete("scan", "NMAP", "198.51.100.1", "--fail-on", "")).toEqual(["CRITICAL", "HIGH", "MEDIUM", "LOW", "NONE"]);
  expect(await complete("completion", "")).toEqual(expect.arrayContaining(["bash", "zsh", "fish"]));
  for (const shell of ["zsh", "fish"]) expect((await run(["completion", shell])).out).toContain("periscan");
});

test("the log is kept in two files of bounded size that nobody else reads", () => {
  const log = openLogFile(folder, 1000);
  for (let line = 0; line < 1000; line++) log.write(`{"line":${line}}\n`);
  expect(readFileSync(logFile(folder), "utf8")).toMatch(/\{"line":999\}\n$/);
  for (const path of [logFile(folder), olderLogFile(folder)]) {
    const { size, mode } = statSync(path);
    expect([size < 1100, mode & 0o777]).toEqual([true, 0o600]);
  }
  const kept = [olderLogFile(folder), logFile(folder)].flatMap((path) => readFileSync(path, "utf8").split("\n")).filter((line) => line !== "");
  expect(kept.map((line) => JSON.parse(line).line)).toEqual(Array.from(kept, (_, index) => 1000 - kept.length + index));
});

test("`logs` shows the last lines, for people and as they are", async () => {
  const data = join(folder, "data-with-log");
  const log = openLogFile(data);
  for (const msg of ["first", "second \x1b[2J"]) log.write(`${JSON.stringify({ level: 40, time: 0, name: "server", pid: 1, msg, err: "x" })}\n`);
  const show = (...args: string[]) => run(["logs", ...args], { environment: local({ PERISCAN_DATA: data }) });
  expect((await show("--lines", "1")).out).toBe('1970-01-01T00:00:00.000Z  warn  server: second \uFFFD[2J  {"err":"x"}\n');
  expect((await show("--json")).out).toBe(readFileSync(logFile(data), "utf8"));
  expect(await run(["logs"], { environment: local() })).toMatchObject({ code: 1, err: expect.stringContaining("`periscan up` writes it") });
});
