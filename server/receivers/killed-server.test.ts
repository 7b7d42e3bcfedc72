import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { Scan } from "@periscan/contract/scan.ts";
import { afterAll, beforeAll, expect, test } from "vitest";
import { loopbackAllowed, openDispatcher } from "../testing/open-dispatcher.ts";
import { startReceiver, type TestReceiver } from "../testing/start-receiver.ts";
import { startTestServer, type TestServer } from "../testing/start-test-server.ts";
import { webhookCalls } from "../testing/webhook-calls.ts";

let server: TestServer;
let receiver: TestReceiver;
const { addWebhook, listDeliveries } = webhookCalls(() => server);
const children: ChildProcess[] = [];
beforeAll(async () => {
  server = await startTestServer({ outgoing: loopbackAllowed, delivers: false });
  receiver = await startReceiver();
});
afterAll(async () => {
  for (const child of children) child.kill("SIGKILL");
  await receiver[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
});

/** A whole server in a process of its own on the same database, which delivers. */
async function startDoomed(): Promise<{ process: ChildProcess; url: string }> {
  const file = fileURLToPath(new URL("../testing/serve.ts", import.meta.url));
  const child = spawn(process.execPath, [file, server.databaseUrl, server.folder], { stdio: ["ignore", "pipe", "inherit"] });
  children.push(child);
  const [url] = (await once(createInterface({ input: child.stdout }), "line")) as [string];
  return { process: child, url };
}

test("a server that is killed between a change and its delivery, or in the midst of one, loses nothing; ids and bodies stay", async () => {
  const { id } = await addWebhook({ url: receiver.url });
  const { key } = await server.keys.createApiKey({ name: "client" });
  const arrived = Promise.withResolvers<void>();
  // Never answers, so that everything is either under way or waits behind it.
  receiver.answer = () => arrived.resolve();
  const doomed = await startDoomed();
  const scans: Scan[] = [];
  for (let index = 0; index < 12; index++) {
    const answer = await fetch(new URL("/v1/scans", doomed.url), {
      method: "POST",
      headers: { "x-hostedscan-api-key": key, "content-type": "application/json" },
      body: JSON.stringify({ type: "NMAP", targets: ["169.254.169.254"] }),
    });
    scans.push(((await answer.json()) as { data: Scan }).data);
  }
  await arrived.promise;
  doomed.process.kill("SIGKILL");
  await once(doomed.process, "exit");
  const before = new Map(receiver.received.map(({ event, body }) => [event.id, body]));
  expect(before.size).toBeGreaterThan(0);

  receiver.received.length = 0;
  receiver.answer = 200;
  await using survivor = await openDispatcher(server);
  await survivor.runDue();
  expect(receiver.received).toEqual([]);
  // The dead server's lease runs out.
  await survivor.skip(61);
  const after = new Map(receiver.received.map(({ event, body }) => [event.id, body]));
  expect(after.size).toBe(24);
  for (const [event, body] of before) expect(after.get(event)).toBe(body);
  expect(new Set(receiver.received.map(({ event }) => event.data.id))).toEqual(new Set(scans.map((scan) => scan.id)));
  expect((await listDeliveries(id)).every(({ state }) => state === "DELIVERED")).toBe(true);
});

test("a server that stops gives its receivers back at once", async () => {
  const { id } = await addWebhook({ url: receiver.url });
  const arrived = Promise.withResolvers<void>();
  receiver.answer = () => arrived.resolve();
  const stopping = await openDispatcher(server);
  await server.api("POST", `/v1/webhooks/${id}/ping`);
  await stopping.takeDue();
  await arrived.promise;
  await stopping[Symbol.asyncDispose]();
  receiver.answer = 200;
  await using survivor = await openDispatcher(server);
  await survivor.runDue();
  expect(await listDeliveries(id)).toMatchObject([{ state: "DELIVERED", attempts: [{ status: 200 }] }]);
});
