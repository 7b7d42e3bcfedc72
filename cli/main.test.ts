import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { startTestServer, type TestServer } from "@periscan/server/testing/start-test-server.ts";
import { afterAll, beforeAll, expect, test } from "vitest";

let server: TestServer;
/** Answers, and is no Periscan. */
let stranger: Server;
let environment: Record<string, string>;
beforeAll(async () => {
  server = await startTestServer();
  stranger = createServer((request, response) => {
    if (!request.url?.startsWith("/v1/scans")) return response.end("<html>Welcome</html>");
    response.writeHead(200, { "content-type": "application/json", "content-length": 500 }).write('{"data":[', () => response.destroy());
  }).listen(0, "127.0.0.1");
  await once(stranger, "listening");
  const dataFolder = mkdtempSync(join(tmpdir(), "periscan-cli-"));
  environment = { PATH: process.env.PATH ?? "", PERISCAN_SERVER: server.url, PERISCAN_API_KEY: server.apiKey, PERISCAN_DATA: dataFolder };
});
afterAll(async () => {
  stranger.close();
  rmSync(environment.PERISCAN_DATA ?? "", { recursive: true, force: true });
  await server[Symbol.asyncDispose]();
});

/** The exit code and the lines of standard error, which are all that a command says that fails. */
async function fail(args: string[], more: Record<string, string> = {}) {
  const file = fileURLToPath(new URL("main.ts", import.meta.url));
  const child = spawn(process.execPath, [file, ...args], { env: { ...environment, ...more }, stdio: ["ignore", "pipe", "pipe"], timeout: 30_000 });
  const [out, err, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "close")]);
  expect(out).toBe("");
  return [code, ...err.trimEnd().split("\n")];
}

const strangerUrl = () => `http://127.0.0.1:${(stranger.address() as AddressInfo).port}`;

test("a server's address or key that cannot be is a wrong use, also of a worker", async () => {
  const refused = [
    2,
    "periscan: The server's address (PERISCAN_SERVER) must begin with http:// or https://, such as https://periscan.example; it is host:7700",
  ];
  expect(await fail(["risks"], { PERISCAN_SERVER: "host:7700" })).toEqual(refused);
  expect(await fail(["work", "--server", "host:7700", "--token", "pw_x"])).toEqual(refused);
  expect(await fail(["risks"], { PERISCAN_API_KEY: "ps_…" })).toEqual([2, "periscan: PERISCAN_API_KEY has characters that no key has."]);
  expect(await fail(["risks"], { PERISCAN_API_KEY: "" })).toEqual([2, expect.stringContaining("PERISCAN_API_KEY is not")]);
});

test("what a server, or something else in its place, does wrong is said in one line", async () => {
  expect(await fail(["risks"], { PERISCAN_API_KEY: "wrong" })).toEqual([1, "periscan: This API key is not known, or was revoked."]);
  expect(await fail(["risks"], { PERISCAN_SERVER: "http://127.0.0.1:1" })).toEqual([1, "periscan: The server http://127.0.0.1:1 cannot be reached."]);
  expect(await fail(["risks"], { PERISCAN_SERVER: strangerUrl() })).toEqual([1, expect.stringContaining("no Periscan server")]);
  expect(await fail(["scans"], { PERISCAN_SERVER: strangerUrl() })).toEqual([1, "periscan: The connection to the server broke in the middle of an answer."]);
});

test("a database that cannot be used is named, and not taken for the address to listen on", async () => {
  const away = { DATABASE_URL: "postgresql://periscan@no-such-name.invalid/periscan" };
  const refused = [1, expect.stringMatching(/^periscan: The database of DATABASE_URL cannot be used: getaddrinfo \w+ no-such-name\.invalid$/)];
  expect(await fail(["key", "list"], away)).toEqual(refused);
  expect(await fail(["serve", "--port", "0"], away)).toEqual(refused);
  const foreign = server.databaseUrl.replace("postgres@", "nobody@");
  expect(await fail(["key", "list"], { DATABASE_URL: foreign })).toEqual([
    1,
    'periscan: The database of DATABASE_URL cannot be used: role "nobody" does not exist',
  ]);
});

test("a server that cannot listen says so and ends", async () => {
  const own = { DATABASE_URL: server.databaseUrl, PERISCAN_LOG_LEVEL: "fatal" };
  const { port } = new URL(server.url);
  expect(await fail(["serve", "--port", port], own)).toEqual([
    1,
    `periscan: Port ${port} of 127.0.0.1 is taken by another program. Use another one: --port ${Number(port) + 1}`,
  ]);
  expect(await fail(["serve", "--host", "256.1.1.1", "--port", "0"], own)).toEqual([1, "periscan: 256.1.1.1 is no address of this machine."]);
});

test("a level of the log that is none is refused by name", async () => {
  const refused = [2, expect.stringMatching(/^periscan: PERISCAN_LOG_LEVEL must be one of trace/)];
  for (const command of ["up", "serve"])
    expect(await fail([command, "--port", "0"], { DATABASE_URL: server.databaseUrl, PERISCAN_LOG_LEVEL: "verbose" }), command).toEqual(refused);
});
