import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { createClient } from "@periscan/sdk/client.ts";
import { verifyWebhook } from "@periscan/sdk/verify-webhook.ts";
import { loopbackAllowed } from "@periscan/server/testing/open-dispatcher.ts";
import { startReceiver, type TestReceiver } from "@periscan/server/testing/start-receiver.ts";
import { startTestServer, type TestServer } from "@periscan/server/testing/start-test-server.ts";
import { afterAll, beforeAll, expect, test } from "vitest";
import { take } from "../take.ts";

let server: TestServer;
let receiver: TestReceiver;
let environment: Record<string, string | undefined>;
beforeAll(async () => {
  server = await startTestServer({ outgoing: loopbackAllowed });
  receiver = await startReceiver();
  const { key } = await server.keys.createApiKey({ name: "cli" });
  environment = { ...process.env, PERISCAN_SERVER: server.url, PERISCAN_API_KEY: key };
});
afterAll(async () => {
  await receiver[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
});

async function run(...args: string[]) {
  const file = fileURLToPath(new URL("../main.ts", import.meta.url));
  const child = spawn(process.execPath, [file, "webhooks", ...args], { env: environment, stdio: ["ignore", "pipe", "pipe"] });
  const [out, err, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "close")]);
  return { code, out, err };
}

test("a webhook is added, tried out, looked into, repeated, rotated and removed from the command line; its receiver verifies with the SDK", async () => {
  const added = await run("add", receiver.url, "--event", "scan.updated", "scan.created", "--description", "CI", "--json");
  expect(added).toMatchObject({ code: 0, err: "Keep the secret now: it is not shown again.\n" });
  const { id, secret } = JSON.parse(added.out);
  expect((await run()).out).toContain(receiver.url);
  expect(await run("ping", id)).toEqual({ code: 0, out: "DELIVERED  The receiver answered 200.\n", err: "" });
  expect(await verifyWebhook({ ...(receiver.received[0] ?? expect.fail()), secret })).toMatchObject({ type: "ping", data: { webhook_id: id } });

  receiver.answer = 500;
  const failed = await run("ping", id, "--json");
  expect([failed.code, JSON.parse(failed.out)]).toMatchObject([1, { state: "WAITING", attempts: [{ status: 500 }] }]);
  receiver.answer = 200;
  const listed = await run("deliveries", id, "--state", "delivered", "--json");
  const [delivery] = JSON.parse(listed.out);
  expect((await run("deliveries", id)).out).toContain("ping");
  const seen = receiver.received.length;
  expect(await run("replay", id, delivery.id)).toMatchObject({ code: 0, out: "Queued again.\n" });
  await expect.poll(() => receiver.received.slice(seen).map(({ event }) => event.id), { timeout: 20_000 }).toContain(delivery.event_id);
  expect((await run("replay", id, "--since", "2026-01-01")).out).toBe("Queued again: 0.\n");

  expect((await run("rotate", id)).out).toContain("pwh_");
  expect(await run("remove", id)).toMatchObject({ code: 0, out: "The webhook is deleted.\n" });
  expect((await run()).out).toContain("No webhooks yet");
});

test("wrong use is exit code 2, and what the server refuses is said in its words", async () => {
  expect(await run("replay", "x")).toMatchObject({ code: 2, err: expect.stringContaining("--since") });
  expect(await run("replay", "x", "--since", "soon")).toMatchObject({ code: 2 });
  expect(await run("add", "http://169.254.169.254/")).toMatchObject({ code: 2, err: expect.stringContaining("link-local") });
  expect(await run("add", receiver.url, "--event", "scan.deleted")).toMatchObject({ code: 2 });
  expect(await run("remove", "none")).toMatchObject({ code: 1, err: expect.stringContaining("no such webhook") });
  const help = await run("ping", "--help");
  expect([help.code, help.out]).toEqual([0, expect.stringContaining("Example:")]);
});

test("the client has every operation of webhooks and notifications, and the server delivers by itself", async () => {
  const client = createClient({ server: server.url, apiKey: environment.PERISCAN_API_KEY ?? "" });
  const notification = await client.notifications.create({ kind: "slack", url: receiver.url });
  expect(await client.notifications.update(notification.id, { description: "team" })).toMatchObject({ description: "team" });
  receiver.received.length = 0;
  const { id } = await client.notifications.ping(notification.id);
  await expect.poll(() => receiver.received.length, { timeout: 20_000 }).toBe(1);
  await expect.poll(async () => (await client.notifications.getDelivery(notification.id, id)).state, { timeout: 20_000 }).toBe("DELIVERED");
  expect(await client.notifications.replayFailed(notification.id, new Date(0))).toEqual({ replayed: 0 });
  expect(await take(client.notifications.list(), 10)).toHaveLength(1);
  await client.notifications.delete(notification.id);
  const webhook = await client.webhooks.create({ url: receiver.url });
  const rotated = await client.webhooks.rotateSecret(webhook.id, { overlapSeconds: 60 });
  expect(rotated.secret).not.toBe(webhook.secret);
  expect(await client.webhooks.endRotation(webhook.id)).not.toHaveProperty("previous_secret_expires_at");
  expect(await take(client.webhooks.deliveries(webhook.id, { state: ["FAILED"] }), 10)).toEqual([]);
  await client.webhooks.delete(webhook.id);
  const metrics = await (await fetch(new URL("/metrics", server.url))).text();
  expect(metrics).toMatch(/periscan_delivery_attempts_total\{kind="slack",outcome="delivered"\} 1/);
});
