import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { createClient } from "@periscan/sdk/client.ts";
import { startReceiver, type TestReceiver } from "@periscan/server/testing/start-receiver.ts";
import { startTestServer, type TestServer } from "@periscan/server/testing/start-test-server.ts";
import { afterAll, beforeAll, expect, test } from "vitest";

let server: TestServer;
let site: TestReceiver;
let environment: Record<string, string | undefined>;
let folder: string;
beforeAll(async () => {
  site = await startReceiver();
  const http = Number(new URL(site.url).port);
  server = await startTestServer({ ownership: { required: true, allowPrivate: true, ports: { http, https: http } } });
  const { key } = await server.keys.createApiKey({ name: "cli" });
  environment = { ...process.env, PERISCAN_SERVER: server.url, PERISCAN_API_KEY: key };
  folder = mkdtempSync(join(tmpdir(), "periscan-cli-"));
});
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  await site[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
});

async function run(...args: string[]) {
  const file = fileURLToPath(new URL("../main.ts", import.meta.url));
  const child = spawn(process.execPath, [file, "targets", ...args], { env: environment, stdio: ["ignore", "pipe", "pipe"] });
  const [out, err, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "close")]);
  return { code, out, err };
}

const addTarget = (target: string) =>
  createClient({ server: server.url, apiKey: environment.PERISCAN_API_KEY ?? "" }).targets.create({ target }, { upsert: true });

test("a target is proven from the command line: it says what to publish, where it looked, and that it is yours", async () => {
  const { id } = await addTarget("127.0.0.1");
  site.answer = 404;
  const shown = await run("verify", id, "--show", "--json");
  const { token } = JSON.parse(shown.out);
  expect([shown.code, site.received.length]).toEqual([0, 0]);
  const failed = await run("verify", id);
  expect([failed.code, failed.out]).toEqual([1, expect.stringContaining("127.0.0.1: not proven yet.")]);
  expect(failed.out).toContain("It answers 404.");
  expect(failed.out).toContain(`with the line:\n        ${token}`);
  expect((await run("verify", id)).err).toContain("try again in 5 s");
  site.answer = (request, response) => response.end(request.url?.endsWith(".txt") ? token : "");
  await expect.poll(async () => (await run("verify", id)).out, { timeout: 20_000, interval: 1000 }).toContain("127.0.0.1: yours, proven by file");
  expect(await run("verify", id, "--root", "co.uk")).toMatchObject({ code: 2, err: expect.stringContaining("would not cover 127.0.0.1") });
});

test("a recording is set as the login, and what is none is refused in the server's words", async () => {
  const { id } = await addTarget("https://shop.example/");
  const file = join(folder, "login.side");
  const commands = [{ command: "open", target: "/login" }];
  const side = { id: "p", name: "Shop", url: "https://shop.example", tests: [{ id: "t", name: "Log in", commands }] };
  writeFileSync(file, JSON.stringify(side));
  expect(await run("login", id, "--recording", file)).toMatchObject({ code: 0, out: expect.stringContaining("The recording is the target's login.") });
  writeFileSync(file, JSON.stringify({ ...side, url: "https://evil.example" }));
  expect(await run("login", id, "--recording", file)).toMatchObject({ code: 2, err: expect.stringContaining("was recorded at evil.example") });
  expect(await run("login", id, "--recording", join(folder, "none"))).toMatchObject({ code: 2, err: expect.stringContaining("cannot be read") });
  expect(await run("login", id)).toMatchObject({ code: 2, err: expect.stringContaining("--recording FILE") });
  expect((await run("verify", "--help")).out).toContain("Example:");
});
