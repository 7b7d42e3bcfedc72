import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Scan } from "@periscan/contract/scan.ts";
import { runSelfTest } from "@periscan/engines/kit/self-test.ts";
import { afterAll, beforeAll, expect, test } from "vitest";
import { greetingEngine } from "../example-engine/index.ts";
import { startTestPlatform, type TestPlatform } from "../platform.ts";

// An engine that is one folder and one line of the registry runs through the whole platform: no shared code knows it.

let platform: TestPlatform;
let listener: Server;
let port: number;

beforeAll(async () => {
  listener = createServer((socket) => socket.on("error", () => {}).end("220 <b>ready</b>\r\n")).listen(0, "127.0.0.1");
  await once(listener, "listening");
  port = (listener.address() as { port: number }).port;
  platform = await startTestPlatform({ environment: { NODE_OPTIONS: `--import=${new URL("../example-engine/register.ts", import.meta.url)}` } });
});
afterAll(async () => {
  await platform[Symbol.asyncDispose]();
  listener.close();
});

async function scan(targets: string[], options: object): Promise<Scan> {
  const { id } = await platform.client.scans.create({ type: greetingEngine.type, targets, options: { ...options } });
  return platform.client.waitForScan(id, { intervalMilliseconds: 50 });
}

test("its scan ends with outcomes, a risk, evidence in every file, and the risk closes on evidence alone", async () => {
  const { client } = platform;
  const first = await scan(["127.0.0.1", "127.0.0.77", "http://127.0.0.1/"], { port });
  expect(first).toMatchObject({ state: "SUCCEEDED", risks: { new_open: [{}] } });
  expect(first.targets.map(({ outcome, coverage }) => [outcome, coverage])).toEqual([
    ["complete", `TCP port ${port}`],
    ["unreachable", undefined],
    ["skipped", undefined],
  ]);
  const risk = await client.risks.get(first.risks.new_open[0]?.risk_id ?? "");
  expect(risk).toMatchObject({ status: "OPEN", risk_definition: { title: `Greeting on port ${port}`, threat_level: "LOW" } });
  const files = await Promise.all(first.results.map(async ({ result_id }) => new Response((await client.results.download(result_id)).body).text()));
  expect(files).toHaveLength(4);
  expect(files[1]).toContain("220 &lt;b&gt;ready&lt;/b&gt;");
  // A look at another port says nothing of this one.
  expect((await scan(["127.0.0.1"], { port: port === 1 ? 2 : 1 })).risks.closed).toEqual([]);
  expect((await scan(["127.0.0.1"], { port })).risks.still_open).toHaveLength(1);
});

test("it passes its self-test", async () => {
  const folder = mkdtempSync(join(tmpdir(), "periscan-example-"));
  expect(await runSelfTest(folder, greetingEngine, new AbortController().signal)).toMatchObject({ ok: true, message: "saw a greeting" });
  rmSync(folder, { recursive: true });
});
