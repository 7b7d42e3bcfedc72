import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { findBrowser } from "../../worker/login/find-browser.ts";
import { startTestPlatform, type TestPlatform } from "../platform.ts";

// A recording that logs in, through the whole platform: the real browser, the real ZAP, a site of which nothing is shown without a session.

const hasBrowser = findBrowser() !== undefined;
if (!hasBrowser) console.warn("No Chromium: recorded logins are not tested here.");

let platform: TestPlatform;
let inside: { path: string; cookie: string }[] = [];
const form =
  '<form action="/in" method="post"><input id="user" name="user"><input id="password" name="password" type="password"><button>Log in</button></form>';

async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
  let body = "";
  for await (const chunk of request) body += chunk;
  const cookie = request.headers.cookie ?? "";
  response.setHeader("content-type", "text/html");
  if (request.url === "/login") return void response.end(form);
  if (request.url === "/in" && new URLSearchParams(body).get("password") === "correct horse")
    return void response.writeHead(303, { location: "/", "set-cookie": "session=brought-by-the-recording; HttpOnly" }).end();
  if (!cookie.includes("session=brought-by-the-recording")) return void response.writeHead(302, { location: "/login" }).end();
  inside.push({ path: request.url ?? "", cookie });
  response.end(`<title>Inside</title><h1>Hello ada</h1><a href="/account">Account</a><a href="/logout">Log out</a>`);
}

const site = createServer((request, response) => void serve(request, response));
let url: string;
beforeAll(async () => {
  site.listen(0, "127.0.0.1");
  await once(site, "listening");
  url = `http://127.0.0.1:${(site.address() as AddressInfo).port}`;
  platform = await startTestPlatform();
});
afterAll(async () => {
  await platform[Symbol.asyncDispose]();
  site.closeAllConnections();
  site.close();
});

function makeRecording(password: string): Blob {
  const commands = [
    { command: "open", target: "/login" },
    { command: "type", target: "id=user", value: "ada" },
    { command: "type", target: "id=password", value: password },
    { command: "click", target: "css=button" },
    { command: "assertText", target: "css=h1", value: "Hello ada" },
  ];
  return new Blob([JSON.stringify({ id: "p", version: "2.0", name: "Site", url, tests: [{ id: "t", name: "Log in", commands }] })]);
}

async function scan(password: string) {
  const { client } = platform;
  const { id } = await client.targets.create({ target: `${url}/` }, { upsert: true });
  await client.targets.setRecording(id, makeRecording(password));
  inside = [];
  const { id: scanId } = await client.scans.create({ type: "OWASP_ZAP", target_ids: [id], use_authentication: true });
  return client.waitForScan(scanId);
}

test.skipIf(!hasBrowser)("ZAP scans with the session that the recording brought, and the session stands in no file", async () => {
  const ended = await scan("correct horse");
  expect(ended).toMatchObject({ state: "SUCCEEDED", targets: [{ outcome: "complete" }] });
  expect(inside.map(({ path }) => path)).toContain("/account");
  expect(inside.map(({ path }) => path)).not.toContain("/logout");
  for (const { result_id } of ended.results) {
    const { body } = await platform.client.results.download(result_id);
    expect(await new Response(body).text()).not.toMatch(/brought-by-the-recording|correct horse/);
  }
});

test.skipIf(!hasBrowser)("with a password that is wrong nothing is scanned, and the scan says at which step it ended", async () => {
  const ended = await scan("wrong horse");
  expect(ended).toMatchObject({ state: "FAILED", error: { message: expect.stringContaining("step 5 (assertText)") } });
  expect(inside).toEqual([]);
});
