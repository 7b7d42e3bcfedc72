import { execFile } from "node:child_process";
import { connect } from "node:net";
import { promisify } from "node:util";
import Fastify from "fastify";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startTestServer, type TestServer } from "../testing/start-test-server.ts";
import { boundUnreadBodies } from "./bound-unread-bodies.ts";

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer({ maxImportMegabytes: 1 });
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
});

/** Sends the head and part of a body, and answers what came back until the other side closed. */
function sendUnfinished(url: string, head: string): Promise<string> {
  return new Promise((resolve) => {
    const { hostname, port } = new URL(url);
    let text = "";
    const socket = connect(Number(port), hostname, () => socket.write(`${head}\r\nHost: ${hostname}\r\nContent-Length: 1000000\r\n\r\n{"`));
    socket.on("data", (chunk) => (text += chunk));
    socket.on("error", () => {});
    socket.on("close", () => resolve(text));
  });
}

test("whoever never ends his body is answered, and loses the connection, as many as there are", async () => {
  const app = Fastify();
  boundUnreadBodies(app, { seconds: 0.3, bytes: 1000 });
  app.addHook("onRequest", async (_request, reply) => reply.code(401).send("no key"));
  app.post("/", async () => "");
  const url = await app.listen({ host: "127.0.0.1", port: 0 });
  const answers = await Promise.all(Array.from({ length: 300 }, () => sendUnfinished(url, "POST / HTTP/1.1")));
  expect(answers.filter((text) => text.startsWith("HTTP/1.1 401") && text.endsWith("no key"))).toHaveLength(300);
  await app.close();
});

test("a body past the bound of bytes loses the connection at once", async () => {
  const app = Fastify({ bodyLimit: 1000 });
  boundUnreadBodies(app, { seconds: 3600, bytes: 1_000_000 });
  app.post("/", async () => "");
  const url = await app.listen({ host: "127.0.0.1", port: 0 });
  const { hostname, port } = new URL(url);
  const sent = await new Promise<number>((resolve) => {
    const socket = connect(Number(port), hostname, () => {
      socket.write("POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100000000000\r\n\r\n");
      const chunk = Buffer.alloc(65_536, "x");
      const more = () => {
        while (socket.writable && socket.write(chunk));
      };
      socket.on("drain", more);
      more();
    });
    socket.resume();
    socket.on("error", () => {});
    socket.on("close", () => resolve(socket.bytesWritten));
  });
  expect(sent).toBeGreaterThan(1_000_000);
  await app.close();
});

const run = promisify(execFile);

/** Sends the whole body before it reads, as Python's clients do. */
const python = `
import http.client, sys, urllib.request, urllib.error
host, path, key, kind, bytes = sys.argv[1:6]
body = b"x" * int(bytes)
headers = {"X-HOSTEDSCAN-API-KEY": key, "Content-Type": kind}
connection = http.client.HTTPConnection(host, timeout=60)
for _ in range(2):
    connection.request("POST", path, body, headers)
    answer = connection.getresponse()
    print(answer.status, answer.read().decode())
try:
    urllib.request.urlopen(urllib.request.Request("http://" + host + path, body, headers), timeout=60)
except urllib.error.HTTPError as error:
    print(error.code, error.read().decode())
`;

test.each([
  ["/v1/scans", "application/json", "right", 413, "4 MiB"],
  ["/v1/results", "multipart/form-data; boundary=b", "right", 413, "1 MiB"],
  ["/v1/scans", "application/json", "wrong", 401, "API key"],
  ["/v1/results", "multipart/form-data; boundary=b", "wrong", 401, "API key"],
  ["/v1/scans", "text/csv", "right", 415, "application/json"],
  ["/v1/nothing", "application/json", "right", 404, "no operation"],
])("Python's clients and curl read why %s refused 30 MB of %s with the %s key", async (path, kind, key, status, words) => {
  const secret = key === "right" ? server.apiKey : "wrong";
  const { host } = new URL(server.url);
  const { stdout } = await run("python3", ["-c", python, host, path, secret, kind, "30000000"]);
  const lines = stdout.trim().split("\n");
  expect(lines).toHaveLength(3);
  for (const line of lines) expect(line).toMatch(new RegExp(`^${status} .*${words}`));
  const upload = `head -c 30000000 /dev/zero | curl -sS -o - -w ' %{http_code}' -H 'X-HOSTEDSCAN-API-KEY: ${secret}' -H 'Content-Type: ${kind}' --data-binary @- http://${host}${path}`;
  const { stdout: answer } = await run("bash", ["-o", "pipefail", "-c", upload]);
  expect(answer).toMatch(new RegExp(`${words}.* ${status}$`));
});
