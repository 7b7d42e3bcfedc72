import { once } from "node:events";
import { readdirSync, readFileSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import type { RecordingStep } from "@periscan/contract/recording.ts";
import type { TargetLogin } from "@periscan/contract/target.ts";
import { parseTarget } from "@periscan/contract/target-syntax.ts";
import { makeRunFolder } from "@periscan/engines/kit/run-folder.ts";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { findBrowser } from "./find-browser.ts";
import { replayRecording } from "./replay-recording.ts";

// A real Chromium against real login forms on loopback.
const browser = findBrowser();
if (!browser) console.warn("No Chromium: the replay of recordings is not tested here.");

let site: Server;
let elsewhere: Server;
let hits: string[];
let visits: { path: string; cookie: string }[];
const portOf = (server: Server) => (server.address() as AddressInfo).port;

const form = (action: string) =>
  `<form action="${action}" method="post"><input type="hidden" name="csrf" value="c-1"><label>User <input id="user" name="user"></label>
   <input id="password" name="password" type="password"><select name="realm" id="realm"><option value="a">Staff</option><option value="b">Guests</option></select>
   <input type="checkbox" id="terms" name="terms" value="yes"><button>Log in</button></form>`;

const spa = `<div id="root"></div><script>
  setTimeout(() => {
    document.getElementById("root").innerHTML = '<input id="user"><input id="password" type="password"><button id="go">Go</button>';
    document.getElementById("go").onclick = async () => {
      const answer = await fetch("/token", { method: "POST", body: document.getElementById("password").value });
      const token = await answer.text();
      await fetch("/api/me", { headers: { Authorization: "Bearer " + token } });
      document.getElementById("root").innerHTML = "<h1>Welcome</h1>";
    };
  }, 300);</script>`;

const pages: Record<
  string,
  (request: IncomingMessage, body: string) => string | { status: number; headers?: Record<string, string | string[]>; page?: string }
> = {
  "/login": () => ({ status: 200, headers: { "set-cookie": "seen=1" }, page: form("/in") }),
  "/in": (_, body) => {
    const sent = new URLSearchParams(body);
    const isRight =
      sent.get("csrf") === "c-1" && sent.get("user") === "ada" && sent.get("password") === "correct horse" && sent.get("realm") === "b" && sent.has("terms");
    if (!isRight) return form("/in");
    return { status: 303, headers: { location: "/app", "set-cookie": ["session=s-1; HttpOnly; Path=/; SameSite=Strict", "seen=1"] } };
  },
  "/app": ({ headers }) =>
    headers.cookie?.includes("session=s-1") ? "<title>App</title><a id='out' href='/logout'>Log  out</a><p id='hello'>Hello ada</p>" : { status: 401 },
  "/framed": () => '<iframe src="/login" name="inner"></iframe>',
  "/spa": () => spa,
  "/token": (_, body) => (body === "correct horse" ? "t-1" : "wrong"),
  "/api/me": () => "{}",
  "/empty": () => "<p>Nothing</p>",
  "/away": () => ({ status: 302, headers: { location: `http://127.0.0.1:${portOf(elsewhere)}/login` } }),
  "/leaks": () => `<script>
    for (const url of ["http://127.0.0.1:${portOf(elsewhere)}/", "http://localhost:${portOf(elsewhere)}/", "http://evil.example:${portOf(elsewhere)}/"]) { fetch(url, { mode: "no-cors" }).catch(() => {}); new Image().src = url; }
    new WebSocket("ws://127.0.0.1:${portOf(elsewhere)}/");
    document.cookie = "a=1";</script><iframe src="file:///etc/passwd"></iframe>`,
  "/hostile": () => `<script>const all = []; for (;;) all.push(new Array(1e6).fill(Math.random()));</script>`,
};

async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
  let body = "";
  for await (const chunk of request) body += chunk;
  const path = request.url?.split("?")[0] ?? "";
  visits.push({ path, cookie: request.headers.cookie ?? "" });
  if (path === "/never") return;
  const made = pages[path]?.(request, body) ?? { status: 404 };
  const { status, headers = {}, page = "" } = typeof made === "string" ? { status: 200, page: made } : made;
  response.writeHead(status, { "content-type": "text/html", ...headers }).end(page);
}

beforeAll(async () => {
  site = createServer((request, response) => void serve(request, response)).listen(0, "127.0.0.1");
  elsewhere = createServer((request, response) => {
    hits.push(request.url ?? "");
    response.end("elsewhere");
  }).listen(0, "127.0.0.1");
  elsewhere.on("connection", () => hits.push("connection"));
  await Promise.all([site, elsewhere].map((server) => once(server, "listening")));
});
afterAll(() => {
  for (const server of [site, elsewhere]) server.closeAllConnections();
  for (const server of [site, elsewhere]) server.close();
});
beforeEach(() => {
  hits = [];
  visits = [];
});

const step = (command: string, target = "", value = "", targets: string[] = []): RecordingStep => ({ command, target, targets, value });

/** The target is a name that no resolver knows: only the pinned address leads there. */
async function replay(steps: RecordingStep[], { path = "/app", signal = new AbortController().signal } = {}): Promise<TargetLogin | string> {
  const url = `http://site.test:${portOf(site)}`;
  const parsed = parseTarget(`${url}${path}`);
  const [target] = parsed.ok ? parsed.targets : [];
  if (!target) throw new Error("no target");
  const folder = makeRunFolder(tmpdir(), "periscan-replay-");
  try {
    return await replayRecording({
      recording: { name: "Log in", url, steps },
      pinned: { targetId: "t", target, address: "127.0.0.1", known: [] },
      folder,
      signal,
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const fill = (password: string) => [
  step("setWindowSize", "1280x800"),
  step("type", "id=user", "ada"),
  step("type", "name=password", password),
  step("select", "id=realm", "label=Guests"),
  step("check", "css=#terms"),
];
const right = [step("open", "/login"), ...fill("correct horse"), step("click", "xpath=//button[contains(.,'Log in')]")];

describe.skipIf(!browser)("a recording", () => {
  test("logs in, and what it brought is the session of the scan", async () => {
    const session = await replay([
      ...right,
      step("waitForElementPresent", "id=out", "5000"),
      step("assertText", "id=hello", "Hello ada"),
      step("assertTitle", "App"),
      step("close"),
    ]);
    expect(session).toMatchObject({ kind: "header", name: "Cookie" });
    const { value } = session as TargetLogin;
    expect(value.split("; ").sort()).toEqual(["seen=1", "session=s-1"]);
    expect((await fetch(`http://127.0.0.1:${portOf(site)}/app`, { headers: { cookie: value } })).status).toBe(200);
  });

  test("finds its elements by each way, waits for them, and takes another way where the first leads nowhere", async () => {
    const steps = [
      step("open", "/login"),
      step("sendKeys", "css=.gone", "ada", ["id=gone", "strange=x", "xpath=//input[@id='user']"]),
      step("sendKeys", "//input[@name='password']", "correct horse"),
      step("select", "name=realm", "value=b"),
      step("click", "id=terms"),
      step("sendKeys", "id=password", "$".concat("{KEY_ENTER}")),
      step("waitForElementVisible", "linkText=Log out", "5000"),
    ];
    expect(await replay(steps)).toMatchObject({ name: "Cookie", value: expect.stringContaining("session=s-1") });
  });

  test("logs in within a frame", async () => {
    const steps = [
      step("open", "/framed"),
      step("selectFrame", "index=0"),
      ...fill("correct horse"),
      step("submit", "css=form"),
      step("assertText", "id=hello", "Hello ada"),
      step("selectFrame", "relative=parent"),
    ];
    expect(await replay(steps)).toMatchObject({ name: "Cookie", value: expect.stringContaining("session=s-1") });
  });

  test("of a page that keeps a token instead of a cookie brings the Authorization that it sends", async () => {
    const steps = [
      step("open", "/spa"),
      step("type", "id=user", "ada"),
      step("type", "id=password", "correct horse"),
      step("click", "id=go"),
      step("waitForText", "css=h1", "Welcome"),
    ];
    expect(await replay(steps)).toEqual({ kind: "header", name: "Authorization", value: "Bearer t-1" });
  });

  test.each<[string, RecordingStep[], string]>([
    ["with a wrong password", [step("open", "/login"), ...fill("wrong horse"), step("click", "css=button")], "still asks for a password"],
    ["with a check that does not hold", [...right, step("assertText", "id=hello", "Hello bob")], "step 8 (assertText) what it checks does not hold"],
    ["without its element", [step("open", "/login"), step("click", "id=nobody")], "step 2 (click) its element did not show within 10 s (id=nobody)"],
    ["on a page that brings no session", [step("open", "/empty")], "brought no session"],
    ["that is led elsewhere", [step("open", "/away")], "Requests to other places were refused: 127.0.0.1:"],
    ["on a port where nobody is", [step("open", "http://site.test:1/")], "step 1 (open) the page could not be loaded (net::ERR_"],
    ["with an XPath that is none", [step("open", "/login"), step("click", "xpath=//[")], "step 2 (click)"],
    ["on a page that takes all memory", [step("open", "/hostile")], "step 1 (open)"],
  ])("%s skips the target with the reason, and no secret in it", async (_, steps, why) => {
    const said = await replay(steps);
    expect(said).toEqual(expect.stringContaining(why));
    expect(said).not.toMatch(/horse|Hello bob/);
  });

  test("reaches nothing but the target, whatever its pages ask for", async () => {
    expect(await replay([step("open", "/leaks"), step("pause", "1500")])).toEqual({ kind: "cookie", name: "a", value: "1" });
    expect(hits).toEqual([]);
  });

  test("is over at once where the scan is cancelled, and leaves no process", async () => {
    const stopping = new AbortController();
    const before = countBrowsers();
    const replayed = replay([step("open", "/never")], { signal: stopping.signal });
    const failed = expect(replayed).rejects.toThrow("cancelled");
    while (!visits.some(({ path }) => path === "/never")) await sleep(20);
    stopping.abort(new Error("cancelled"));
    await failed;
    for (let look = 0; look < 100 && countBrowsers() > before; look++) await sleep(50);
    expect(countBrowsers()).toBe(before);
  });
});

const countBrowsers = (): number =>
  readdirSync("/proc").filter((name) => {
    try {
      return /^\d+$/.test(name) && readFileSync(`/proc/${name}/cmdline`, "utf8").includes("periscan-replay-");
    } catch {
      return false;
    }
  }).length;

test("without a browser the target is skipped, and told what to install", async () => {
  const { PATH, PERISCAN_CHROMIUM } = process.env;
  process.env.PATH = "";
  delete process.env.PERISCAN_CHROMIUM;
  try {
    expect(await replay(right)).toContain("install Chromium");
  } finally {
    Object.assign(process.env, { PATH, ...(PERISCAN_CHROMIUM ? { PERISCAN_CHROMIUM } : {}) });
  }
});
