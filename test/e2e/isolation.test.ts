import { execFile } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { Scan } from "@periscan/contract/scan.ts";
import { findEngineAccount } from "@periscan/engines/kit/engine-account.ts";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { findBrowser } from "../../worker/login/find-browser.ts";
import { lookAtProcesses, type SeenProcess } from "../hosts/look-at-processes.ts";
import { findProcesses, isWorker, startTestPlatform, type TestPlatform } from "../platform.ts";
import { labPlugins } from "../targets/openvas/openvas-lab.ts";
import { startTlsServers } from "../targets/tls-servers.ts";

// Every real engine at once, on a site that wants a login, beside another user of the machine who tries whatever there is. Only root can be two users.

const secretKey = "5ec12e7".padEnd(64, "0");
/** In the environment of `periscan up`: none of it is an engine's business. */
const canaries = {
  PERISCAN_SECRET_KEY: secretKey,
  PERISCAN_SMTP_URL: "smtp://mail:canary-of-the-mail@127.0.0.1:1",
  AWS_SECRET_ACCESS_KEY: "canary-of-the-cloud",
};
const login = { kind: "header" as const, name: "Authorization", value: "Bearer canary-of-the-target" };
const password = "canary-of-the-recording";
const session = "canary-of-the-session";
const marker = "tried-by-another-user";

let platform: TestPlatform;
let servers: Awaited<ReturnType<typeof startTlsServers>>;
const requests: { path: string; isLoggedIn: boolean }[] = [];
const site = createServer((request, response) => void serve(request, response));
const portOf = (server: typeof site) => (server.address() as AddressInfo).port;

/** Slow, and of many pages: there is time to look. */
async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
  let body = "";
  for await (const chunk of request) body += chunk;
  const { authorization, cookie = "" } = request.headers;
  const isLoggedIn = authorization === login.value || cookie.includes(session);
  requests.push({ path: request.url ?? "", isLoggedIn });
  response.setHeader("content-type", "text/html");
  if (request.url === "/login")
    return void response.end('<form action="/in" method="post"><input id="password" name="password" type="password"><button>Log in</button></form>');
  if (request.url === "/in" && new URLSearchParams(body).get("password") === password)
    return void response.writeHead(303, { location: "/", "set-cookie": `session=${session}; HttpOnly` }).end();
  await sleep(100);
  if (!isLoggedIn) return void response.writeHead(401).end("no");
  const links = Array.from({ length: 60 }, (_, index) => `<a href="/page/${index}">${index}</a>`);
  response.end(`<title>Inside</title><h1>Hello</h1>${links.join(" ")}`);
}

function makeRecording(url: string): Blob {
  const commands = [
    { command: "open", target: "/login" },
    { command: "type", target: "id=password", value: password },
    { command: "click", target: "css=button" },
    { command: "assertText", target: "css=h1", value: "Hello" },
  ];
  return new Blob([JSON.stringify({ id: "p", version: "2.0", name: "Site", url, tests: [{ id: "t", name: "Log in", commands }] })]);
}

const seen = new Map<string, SeenProcess>();
const attacks: Attack[] = [];
const scans: Scan[] = [];

interface Attack {
  ports: Record<string, Record<string, string>>;
  names: Record<string, string>;
  files: string[];
  environments: string[];
  commands: string[];
}

const isRoot = process.geteuid?.() === 0;

describe.runIf(isRoot)("while every engine runs", () => {
  beforeAll(async () => {
    await once(site.listen(0, "127.0.0.1"), "listening");
    servers = await startTlsServers([{ address: "127.0.0.1", port: 0 }]);
    const environment = { ...canaries, PERISCAN_MAIL_FROM: "p@example.com", PERISCAN_OPENVAS_FEED: labPlugins, PERISCAN_WORKER_MEMORY_MB: "16000" };
    platform = await startTestPlatform({ environment });
    await runAll();
  }, 600_000);
  afterAll(async () => {
    await platform?.[Symbol.asyncDispose]();
    await servers?.[Symbol.asyncDispose]();
    site.closeAllConnections();
    site.close();
  });

  test("none of them fails for it, and the logins of the targets get there", () => {
    // Whether a busy machine lets a scan be complete is not the question here.
    expect(scans.map(({ error }) => error).filter((error) => error?.code.startsWith("engine."))).toEqual([]);
    expect(requests.some(({ path, isLoggedIn }) => path === "/page/1" && isLoggedIn)).toBe(true);
    expect(requests.some(({ path, isLoggedIn }) => path === "/.git/config" && isLoggedIn)).toBe(true);
  });

  const kinds: [name: string, is: (process: SeenProcess) => boolean, capabilities: string][] = [
    ["Nmap", ({ program, command }) => program === "nmap" && command.includes("-oX -"), raw],
    ["SSLyze", ({ command }) => command.includes("-m sslyze"), none],
    ["ZAP", ({ program }) => program === "java", none],
    ["Nuclei", ({ program }) => program === "nuclei", none],
    ["OpenVAS's scanner", ({ program }) => program === "openvas", raw],
    ["OpenVAS's daemon", ({ command }) => command.includes("ospd_openvas"), raw],
    ["OpenVAS's redis", ({ program }) => program.startsWith("redis"), none],
    ...(findBrowser() ? [["the browser", ({ program }: SeenProcess) => program.startsWith("chrom"), none] as (typeof kinds)[number]] : []),
  ];

  test.each(kinds)("%s runs as the account of engines, with the capabilities that it needs and no way to more", (_, is, wanted) => {
    const found = [...seen.values()].filter((process) => isSettled(process) && is(process));
    expect(found.length).toBeGreaterThan(0);
    for (const { uid, groups, capabilities, noNewPrivileges, command } of found) {
      expect({ uid, groups, noNewPrivileges }, command).toEqual({ uid: findEngineAccount()?.uid, groups: "", noNewPrivileges: true });
      // In a user namespace of its own, where Chromium shuts its pages in, a process has capabilities that count for nothing outside.
      if (!command.includes("--type=")) expect(capabilities, command).toEqual({ effective: wanted, bounding: wanted, inheritable: wanted, ambient: wanted });
    }
  });

  test("the browser shuts its pages in", () => {
    const browsers = [...seen.values()].filter(({ program }) => program.startsWith("chrom"));
    if (findBrowser()) expect(browsers.some(({ command }) => command.includes("--type=renderer"))).toBe(true);
    expect(browsers.filter(({ command }) => command.includes("--no-sandbox") || command.includes("--remote-debugging-port"))).toEqual([]);
  });

  test("no secret of the server or of the worker is in any environment or on any command line but the worker's own token in its own", () => {
    const token = readFileSync(join(platform.dataFolder, "worker-token"), "utf8").trim();
    const hidden = [...Object.values(canaries), platform.apiKey];
    for (const { command, environment, program } of seen.values()) {
      const text = [command, ...environment].join("\n");
      expect(
        hidden.filter((secret) => text.includes(secret)),
        command,
      ).toEqual([]);
      if (program === "node") continue;
      expect(text.includes(token), command).toBe(false);
      expect(
        environment.filter((line) => /^(PERISCAN_|DATABASE_URL|NODE_)/.test(line)),
        command,
      ).toEqual([]);
    }
  });

  test("another user gets nothing from the target through any port", () => {
    const ports = new Set(attacks.flatMap((attack) => Object.keys(attack.ports)));
    // ZAP's own and its way out, and Nuclei's. The browser's is open for a moment.
    expect(ports.size).toBeGreaterThanOrEqual(3);
    expect(requests.filter(({ path }) => path.includes(marker))).toEqual([]);
    const answers = attacks.flatMap((attack) => Object.values(attack.ports).flatMap((tries) => Object.values(tries)));
    expect(answers.filter((answer) => /Inside|canary|messageId|requestHeader/.test(answer))).toEqual([]);
  });

  test("another user learns no name that is scanned", () => {
    const answers = attacks.flatMap(({ names }) => Object.values(names));
    expect(answers.length).toBeGreaterThan(0);
    // Of what came back an answer has the first bit of its flags set (RFC 1035, 4.1.1); a socket may also have called itself.
    expect(answers.filter((answer) => Number.parseInt(answer.slice(4, 6) || "0", 16) >= 0x80)).toEqual([]);
  });

  test("another user reads no file of the platform or of a run, no environment, and no secret on a command line", () => {
    const files = attacks.flatMap((attack) => attack.files);
    expect(files.filter((path) => path.startsWith(platform.dataFolder) && !path.endsWith("/server.json"))).toEqual([]);
    expect(files.filter((path) => !path.startsWith(platform.dataFolder))).toEqual([]);
    const texts = attacks.flatMap(({ environments, commands }) => [...environments, ...commands]).join("\n");
    for (const secret of [...Object.values(canaries), platform.apiKey, login.value, session, password, "periscan:"])
      expect(texts.includes(secret), secret).toBe(false);
  });

  test("the account of engines itself reads no key, no result and no data", async () => {
    const account = findEngineAccount();
    const { files } = await attack([], [], `${account?.uid}`);
    expect(existsSync(join(platform.dataFolder, "results")) || existsSync(join(platform.dataFolder, "files"))).toBe(true);
    expect(
      files.filter((path) => path.startsWith(platform.dataFolder) && !path.startsWith(join(platform.dataFolder, "work")) && !path.endsWith("/server.json")),
    ).toEqual([]);
  });
});

const none = "0000000000000000";
/** net_raw (13) and net_bind_service (10). */
const raw = "0000000000002400";

/** Between being started and being what it is, a process is another: the worker's copy, what gives up its rights, and what builds OpenVAS's namespaces. */
const isSettled = ({ program, command }: SeenProcess): boolean =>
  !["node", "setpriv", "chroot", "unshare"].includes(program) && !/start-scanner\.sh|\/browser /.test(command);

/** Starts all scans at once, and looks and attacks until the last is over. */
async function runAll(): Promise<void> {
  const { client } = platform;
  const port = portOf(site);
  const recorded = await client.targets.create({ target: `http://127.0.0.1:${port}/` });
  const named = await client.targets.create({ target: `http://localhost:${port}/` });
  if (findBrowser()) await client.targets.setRecording(recorded.id, makeRecording(`http://127.0.0.1:${port}`));
  else await client.targets.setLogin(recorded.id, login);
  await client.targets.setLogin(named.id, login);
  const wanted: Parameters<typeof client.scans.create>[0][] = [
    { type: "OWASP_ZAP", target_ids: [recorded.id], use_authentication: true },
    { type: "NUCLEI", target_ids: [named.id], use_authentication: true, options: { rate_limit: 20, timeout_seconds: 30 } },
    { type: "NMAP", targets: ["127.0.0.1"], options: { ports: "1-30000" } },
    { type: "SSLYZE", targets: servers.ports.map((each) => `127.0.0.1:${each}`), options: { timeout_seconds: 600 } },
    { type: "OPENVAS", targets: ["127.0.0.1"], options: { ports: `${port}` } },
  ];
  const ids = await Promise.all(wanted.map(async (scan) => (await client.scans.create(scan)).id));
  const over = Promise.all(ids.map((id) => client.waitForScan(id)));
  let isOver = false;
  const ended = over.finally(() => {
    isOver = true;
  });
  ended.catch(() => {});
  // Several beside each other: a port that says nothing holds one up, and others are open for seconds alone.
  const attackers = Array.from({ length: 2 }, async () => {
    while (!isOver) attacks.push(await attack(listPorts("tcp"), listPorts("udp"), "65534"));
  });
  while (!isOver) {
    const [worker] = findProcesses(platform.dataFolder, isWorker);
    for (const process of lookAtProcesses(worker?.pid ?? -1)) seen.set(`${process.command} ${process.uid} ${process.capabilities.effective}`, process);
    await sleep(30);
  }
  await Promise.all(attackers);
  scans.push(...(await ended));
}

/** The ports that somebody listens on here, but the targets' and the platform's own. */
function listPorts(protocol: "tcp" | "udp"): number[] {
  const others = [portOf(site), ...servers.ports, Number(new URL(platform.url).port)];
  const rows = readFileSync(`/proc/net/${protocol}`, "latin1").trim().split("\n").slice(1);
  const listening = rows.map((row) => row.trim().split(/\s+/)).filter(([, , , state]) => state === (protocol === "tcp" ? "0A" : "07"));
  const ports = listening.map(([, local = ""]) => Number.parseInt(local.split(":")[1] ?? "", 16));
  return [...new Set(ports)].filter((port) => !others.includes(port));
}

/** What this platform has in the folder for temporary files; others are nobody's business here. */
const listOwnFolders = (): string[] =>
  readdirSync(tmpdir()).flatMap((name) => (/^(periscan-(openvas|ask|self-test)|pb)-/.test(name) ? [join(tmpdir(), name)] : []));

async function attack(ports: number[], udpPorts: number[], uid: string): Promise<Attack> {
  const script = fileURLToPath(new URL("../targets/attack-locally.py", import.meta.url));
  const given = JSON.stringify({ target: portOf(site), ports, udpPorts, marker, name: "localhost", folders: [platform.dataFolder, ...listOwnFolders()] });
  const args = ["--reuid", uid, "--regid", "65534", "--clear-groups", "/usr/bin/python3", "-I", script, given];
  const { stdout } = await promisify(execFile)("setpriv", args, { maxBuffer: 256 * 1024 ** 2, env: {} });
  return JSON.parse(stdout) as Attack;
}
