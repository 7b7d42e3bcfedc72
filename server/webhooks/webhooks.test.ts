import type { Scan } from "@periscan/contract/scan.ts";
import type { Delivery, Webhook, WebhookWithSecret } from "@periscan/contract/webhook.ts";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { loopbackAllowed, openDispatcher, type TestDispatcher } from "../testing/open-dispatcher.ts";
import { startReceiver, type TestReceiver } from "../testing/start-receiver.ts";
import { claimSome, finishTask, startScan, startTestServer, type TestServer, tcpOutcome } from "../testing/start-test-server.ts";
import { sign } from "./sign.ts";

let server: TestServer;
let dispatcher: TestDispatcher;
let receiver: TestReceiver;
beforeAll(async () => {
  server = await startTestServer({ outgoing: loopbackAllowed, delivers: false });
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
});
beforeEach(async () => {
  dispatcher = await openDispatcher(server);
  receiver = await startReceiver();
});
afterEach(async () => {
  await receiver[Symbol.asyncDispose]();
  await dispatcher[Symbol.asyncDispose]();
  const { body } = await server.api<{ data: Webhook[] }>("GET", "/v1/webhooks");
  for (const { id } of body.data) await server.api("DELETE", `/v1/webhooks/${id}`);
});

const options = { ports: "1-1000" };
const look = (open: number[]) => tcpOutcome({ ports: "1-1000", open });
const addWebhook = async (body: object = {}) =>
  (await server.api<{ data: WebhookWithSecret }>("POST", "/v1/webhooks", { url: receiver.url, ...body })).body.data;
const getWebhook = async (id: string) => (await server.api<{ data: Webhook }>("GET", `/v1/webhooks/${id}`)).body.data;
const listDeliveries = async (id: string) => (await server.api<{ data: Delivery[] }>("GET", `/v1/webhooks/${id}/deliveries`)).body.data;

async function scanOnce(target: string, open: number[]): Promise<Scan> {
  const scan = await startScan(server, { type: "NMAP", targets: [target], options });
  await finishTask(server, await claimSome(server), look(open));
  return scan;
}

const ping = async (id: string) => (await server.api<{ data: Delivery }>("POST", `/v1/webhooks/${id}/ping`)).body.data;
const types = () => receiver.received.map(({ event }) => event.type);

test("a scan's life reaches a webhook as documented: created, RUNNING, its new risks, SUCCEEDED, each signed over the very bytes", async () => {
  const { secret } = await addWebhook();
  const { id } = await scanOnce("10.5.0.1", [22, 80]);
  await dispatcher.runDue();
  expect(types().sort()).toEqual(["risk.created", "risk.created", "scan.created", "scan.updated", "scan.updated"]);
  const scans = receiver.received.filter(({ event }) => event.type.startsWith("scan."));
  expect(scans.map(({ event: { type, data } }) => [type, data.id, data.type, data.state])).toEqual([
    ["scan.created", id, "NMAP", "QUEUED"],
    ["scan.updated", id, "NMAP", "RUNNING"],
    ["scan.updated", id, "NMAP", "SUCCEEDED"],
  ]);
  const risk = receiver.received.find(({ event }) => event.type === "risk.created");
  const shown = await server.api<{ data: object }>("GET", `/v1/risks/${risk?.event.data.id}`);
  expect(risk?.event.data).toEqual(shown.body.data);
  for (const { headers, body, event } of receiver.received) {
    const timestamp = String(headers["x-hostedscan-timestamp"]);
    expect(Number(timestamp)).toBeGreaterThan(Date.now() - 60_000);
    expect(headers["x-hostedscan-signature"]).toBe(sign(secret, timestamp, body));
    expect(Object.keys(event)).toEqual(["id", "created_at", "type", "data"]);
  }
  expect(new Set(receiver.received.map(({ event }) => event.id)).size).toBe(5);
});
