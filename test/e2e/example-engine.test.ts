import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Risk } from "@periscan/contract/risk.ts";
import type { Scan } from "@periscan/contract/scan.ts";
import { runSelfTest } from "@periscan/engines/kit/self-test.ts";
import { findEngine } from "@periscan/engines/registry.ts";
import { startTestServer, type TestServer } from "@periscan/server/testing/start-test-server.ts";
import { type RunningWorker, startWorker } from "@periscan/worker/start-worker.ts";
import pino from "pino";
import { afterAll, beforeAll, expect, test } from "vitest";
import { greetingEngine } from "../example-engine/index.ts";
import { until } from "../platform.ts";

// An engine that is one folder and one line of the registry runs through the whole platform: no shared code knows it.

let server: TestServer;
let worker: RunningWorker;
let listener: Server;
let folder: string;
let port: number;
// In place: the registry is one object for server and worker.
const replaced = findEngine(greetingEngine.type);
const original = { ...replaced };

beforeAll(async () => {
  Object.assign(replaced, greetingEngine);
  folder = mkdtempSync(join(tmpdir(), "periscan-example-"));
  listener = createServer((socket) => socket.on("error", () => {}).end("220 <b>ready</b>\r\n")).listen(0, "127.0.0.1");
  await once(listener, "listening");
  port = (listener.address() as { port: number }).port;
  server = await startTestServer();
  worker = startWorker({
    server: server.url,
    token: server.workerToken,
    name: "example",
    enginesFolder: join(folder, "engines"),
    workFolder: join(folder, "work"),
    slots: 2,
    memoryMegabytes: 1024,
    packetsPerSecond: Number.POSITIVE_INFINITY,
    log: pino({ level: "silent" }),
  });
});
afterAll(async () => {
  await worker.stop();
  await server[Symbol.asyncDispose]();
  listener.close();
  rmSync(folder, { recursive: true, force: true });
  Object.assign(replaced, original);
});

async function scan(targets: string[], options: object): Promise<Scan> {
  const { body } = await server.api<{ data: Scan }>("POST", "/v1/scans", { type: greetingEngine.type, targets, options });
  return until(
    async () => {
      const { data } = (await server.api<{ data: Scan }>("GET", `/v1/scans/${body.data.id}`)).body;
      return data.finished_at !== undefined && data;
    },
    { what: "the end of the scan" },
  );
}

test("its scan ends with outcomes, a risk, evidence in every file, and the risk closes on evidence alone", async () => {
  const first = await scan(["127.0.0.1", "127.0.0.77", "http://127.0.0.1/"], { port });
  expect(first).toMatchObject({ state: "SUCCEEDED", risks: { new_open: [{}] } });
  expect(first.targets.map(({ outcome, coverage }) => [outcome, coverage])).toEqual([
    ["complete", `TCP port ${port}`],
    ["unreachable", undefined],
    ["skipped", undefined],
  ]);
  const { data: risk } = (await server.api<{ data: Risk }>("GET", `/v1/risks/${first.risks.new_open[0]?.risk_id}`)).body;
  expect(risk).toMatchObject({ status: "OPEN", risk_definition: { title: `Greeting on port ${port}`, threat_level: "LOW" } });
  const files = await Promise.all(first.results.map(({ result_id }) => server.api<string>("GET", `/v1/results/${result_id}`)));
  expect(files.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
  expect(files[1]?.body).toContain("220 &lt;b&gt;ready&lt;/b&gt;");
  // A look at another port says nothing of this one.
  expect((await scan(["127.0.0.1"], { port: port === 1 ? 2 : 1 })).risks.closed).toEqual([]);
  expect((await scan(["127.0.0.1"], { port })).risks.still_open).toHaveLength(1);
});

test("it passes its self-test", async () => {
  expect(await runSelfTest(join(folder, "engines"), greetingEngine, new AbortController().signal)).toMatchObject({ ok: true, message: "saw a greeting" });
});
