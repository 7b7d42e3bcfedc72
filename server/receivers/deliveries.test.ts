import { sql } from "drizzle-orm";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { loopbackAllowed, openDispatcher, type TestDispatcher } from "../testing/open-dispatcher.ts";
import { startReceiver, type TestReceiver } from "../testing/start-receiver.ts";
import { startScan, startTestServer, type TestServer } from "../testing/start-test-server.ts";
import { webhookCalls } from "../testing/webhook-calls.ts";
import { failForDisabled } from "./record-attempt.ts";
import { purgeEvents } from "./tidy-events.ts";

let server: TestServer;
let dispatcher: TestDispatcher;
let receiver: TestReceiver;
const { addWebhook, getWebhook, changeWebhook, listDeliveries, ping, deleteWebhooks } = webhookCalls(() => server);
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
  await deleteWebhooks();
  await receiver[Symbol.asyncDispose]();
  await dispatcher[Symbol.asyncDispose]();
});

const hour = 3600;
const ids = (which = receiver) => which.received.map(({ event }) => event.id);
/** Makes an event of a scan's life: created, then cancelled. */
async function makeEvents(count: number): Promise<void> {
  for (let index = 0; index < count; index++) await startScan(server, { type: "NMAP", targets: ["169.254.169.254"] });
}

test("a receiver that was down for an hour gets every event soon after it is back, each with its own id", async () => {
  const { id } = await addWebhook({ url: receiver.url });
  await receiver.goDown();
  for (let minute = 0; minute < 60; minute++) {
    if (minute % 10 === 0) await makeEvents(1);
    await dispatcher.skip(60);
  }
  expect(await getWebhook(id)).toMatchObject({ enabled: true, failing_since: expect.any(String) });
  const waiting = await listDeliveries(id);
  expect(waiting.map(({ state }) => state)).toEqual(Array.from({ length: 12 }, () => "WAITING"));
  expect(receiver.received).toEqual([]);
  await receiver.comeBack();
  await dispatcher.skip(6 * 60);
  expect(new Set(ids())).toEqual(new Set(waiting.map(({ event_id }) => event_id)));
  // The one that was tried first, to see whether the receiver is back, may be any that was due; the rest keeps each scan's order.
  const [first, ...rest] = receiver.received;
  const others = rest.filter(({ event }) => event.data.id !== first?.event.data.id);
  for (const events of Map.groupBy(others, ({ event }) => String(event.data.id)).values())
    expect(events.map(({ event }) => event.type)).toEqual(["scan.created", "scan.updated"]);
  expect(await getWebhook(id)).not.toHaveProperty("failing_since");
  // While it was down it was not hammered.
  const attempts = (await listDeliveries(id)).flatMap((delivery) => delivery.attempts);
  expect(attempts.filter(({ error }) => error?.includes("refused the connection")).length).toBeLessThan(60);
});

test("one event is tried again with growing pauses for twelve hours, then it is failed and can be replayed", async () => {
  const { id } = await addWebhook({ url: receiver.url });
  receiver.answer = 500;
  await ping(id);
  await dispatcher.runDue();
  expect(receiver.received).toHaveLength(1);
  await dispatcher.skip(4);
  expect(receiver.received).toHaveLength(1);
  await dispatcher.skip(2);
  expect(receiver.received).toHaveLength(2);
  // Nothing else waits for it, so that its own pauses count and not those of the receiver.
  for (let minutes = 0; minutes < 12 * 60; minutes += 10) await dispatcher.skip(600);
  const [failed] = await listDeliveries(id);
  expect(failed).toMatchObject({ state: "FAILED", ended_at: expect.any(String) });
  expect(failed).not.toHaveProperty("next_attempt_at");
  expect(failed?.attempts.length).toBe(10);
  expect(failed?.attempts[0]).toMatchObject({ status: 500, answer: "answered", error: "The receiver answered 500; only 2xx is a success." });
  expect(new Set(ids()).size).toBe(1);
  const times = failed?.attempts.map(({ at }) => Date.parse(at)) ?? [];
  expect((times.at(-1) ?? 0) - (times[0] ?? 0)).toBeGreaterThanOrEqual(12 * hour * 1000);
  await dispatcher.skip(24 * hour);
  expect(receiver.received).toHaveLength(10);

  receiver.answer = 204;
  expect((await server.api("POST", `/v1/webhooks/${id}/deliveries/${failed?.id}/replay`)).status).toBe(200);
  await dispatcher.runDue();
  expect(ids().at(-1)).toBe(failed?.event_id);
  expect((await listDeliveries(id))[0]).toMatchObject({ state: "DELIVERED", event_id: failed?.event_id });
});

test("an event that fails while later ones arrive comes after them, with its own id", async () => {
  const { id } = await addWebhook({ url: receiver.url, event_types: ["scan.created"] });
  await makeEvents(3);
  const refused = new Set<string>();
  receiver.answer = (_, response) => {
    const { event } = receiver.received.at(-1) as (typeof receiver.received)[number];
    const first = refused.size === 0;
    if (first) refused.add(event.id);
    response.writeHead(first ? 503 : 200).end();
  };
  await dispatcher.runDue();
  await dispatcher.skip(10);
  const order = (await listDeliveries(id)).map(({ event_id }) => event_id).reverse();
  const arrived = ids();
  expect(arrived).toHaveLength(4);
  expect(new Set(arrived)).toEqual(new Set(order));
  expect(arrived.at(-1)).toBe([...refused][0]);
});

test("a receiver whose answer is lost gets the event again with the same id and body", async () => {
  await addWebhook({ url: receiver.url, event_types: ["scan.created"] });
  await makeEvents(1);
  receiver.answer = (request) => request.socket.destroy();
  await dispatcher.runDue();
  receiver.answer = 200;
  await dispatcher.skip(10);
  const [first, second] = receiver.received;
  expect(receiver.received).toHaveLength(2);
  expect(second?.body).toBe(first?.body);
  expect(second?.headers["x-hostedscan-timestamp"]).not.toBe(first?.headers["x-hostedscan-timestamp"]);
});

test("a slow receiver keeps nobody else waiting", async () => {
  const release = Promise.withResolvers<void>();
  const slow = await startReceiver();
  const arrived = Promise.withResolvers<void>();
  slow.answer = async (_, response) => {
    arrived.resolve();
    await release.promise;
    response.end();
  };
  await addWebhook({ url: slow.url, event_types: ["scan.created"] });
  const { id } = await addWebhook({ url: receiver.url, event_types: ["scan.created"] });
  await makeEvents(20);
  const all = dispatcher.runDue();
  await arrived.promise;
  await expect.poll(async () => (await listDeliveries(id)).filter(({ state }) => state === "DELIVERED").length).toBe(20);
  // Events that come while the slow one still holds its own.
  await makeEvents(5);
  await dispatcher.takeDue();
  await expect.poll(() => receiver.received.length).toBe(25);
  expect(slow.received.length).toBeLessThanOrEqual(8);
  release.resolve();
  await all;
  await dispatcher.runDue();
  expect(slow.received).toHaveLength(25);
  await slow[Symbol.asyncDispose]();
});

test("events of one scan go out one after the other, of different ones side by side, at most eight at once", async () => {
  const eight = Promise.withResolvers<void>();
  const underWay: string[] = [];
  let most = 0;
  receiver.answer = async (_, response) => {
    const subject = String(receiver.received.at(-1)?.event.data.id);
    expect(underWay).not.toContain(subject);
    most = Math.max(most, underWay.push(subject));
    if (most === 8) eight.resolve();
    await eight.promise;
    underWay.splice(underWay.indexOf(subject), 1);
    response.end();
  };
  const { id } = await addWebhook({ url: receiver.url });
  await makeEvents(30);
  await dispatcher.runDue();
  expect((await listDeliveries(id)).filter(({ state }) => state === "DELIVERED")).toHaveLength(60);
  expect(most).toBe(8);
  const byScan = Map.groupBy(receiver.received, ({ event }) => String(event.data.id));
  for (const events of byScan.values()) expect(events.map(({ event }) => event.type)).toEqual(["scan.created", "scan.updated"]);
});

test("410 disables the webhook; enabled again, what it missed can be replayed at once", async () => {
  const { id } = await addWebhook({ url: receiver.url, event_types: ["scan.created"] });
  const since = new Date(Date.now() - 1000).toISOString();
  await makeEvents(20);
  receiver.answer = 410;
  await dispatcher.runDue();
  const tried = receiver.received.length;
  expect(tried).toBeLessThanOrEqual(8);
  expect(await getWebhook(id)).toMatchObject({ enabled: false, disabled_reason: "The receiver answered 410 Gone." });
  await makeEvents(1);
  await dispatcher.skip(24 * hour);
  expect(receiver.received).toHaveLength(tried);
  const replay = () => server.api<{ data: { replayed: number } }>("POST", `/v1/webhooks/${id}/replay`, { since });
  expect(await replay()).toMatchObject({ status: 409, body: { error: { code: "webhook.disabled" } } });
  expect(await changeWebhook(id, { enabled: true })).toMatchObject({ enabled: true });
  receiver.answer = 200;
  receiver.received.length = 0;
  expect((await replay()).body.data).toEqual({ replayed: 20 });
  await dispatcher.runDue();
  expect(new Set(ids()).size).toBe(20);
  expect((await replay()).body.data).toEqual({ replayed: 0 });
});

test("a redirect is a failure and is not followed", async () => {
  const { id } = await addWebhook({ url: receiver.url });
  const inner = await startReceiver();
  receiver.answer = (_, response) => response.writeHead(302, { location: inner.url }).end();
  await ping(id);
  await dispatcher.runDue();
  expect((await listDeliveries(id))[0]).toMatchObject({
    state: "WAITING",
    attempts: [{ status: 302, error: expect.stringContaining("redirects are not followed") }],
  });
  expect(inner.received).toEqual([]);
  await inner[Symbol.asyncDispose]();
});

test("an address that the operator allowed once is refused at delivery where it is not any more", async () => {
  const { id } = await addWebhook({ url: receiver.url });
  await ping(id);
  const strict = await openDispatcher(server, { outgoing: { allowHttp: true, allowPrivate: false } });
  await strict.runDue();
  expect((await listDeliveries(id))[0]?.attempts).toMatchObject([{ error: expect.stringContaining("not an address of the public internet") }]);
  expect(receiver.received).toEqual([]);
  await strict[Symbol.asyncDispose]();
});

test("disabling fails what waits, and a change of address takes effect at the next try", async () => {
  const { id } = await addWebhook({ url: receiver.url });
  receiver.answer = 500;
  await ping(id);
  await dispatcher.runDue();
  const moved = await startReceiver();
  await changeWebhook(id, { url: moved.url });
  await dispatcher.skip(10);
  expect([receiver.received.length, moved.received.length]).toEqual([1, 1]);
  await ping(id);
  await changeWebhook(id, { enabled: false });
  await dispatcher.skip(10);
  expect(moved.received).toHaveLength(1);
  expect((await listDeliveries(id))[0]).toMatchObject({ state: "FAILED", attempts: [], reason: expect.stringContaining("disabled") });
  await moved[Symbol.asyncDispose]();
});

test("a receiver that refuses one type of event gets all others, and what it refuses is not hammered", async () => {
  const { id } = await addWebhook({ url: receiver.url, event_types: ["scan.created"] });
  receiver.answer = (_, response) => {
    response.writeHead(receiver.received.at(-1)?.event.type === "ping" ? 500 : 200).end();
  };
  for (let index = 0; index < 40; index++) await ping(id);
  await makeEvents(40);
  for (let minutes = 0; minutes < 30; minutes += 1) await dispatcher.skip(60);
  const deliveries = await listDeliveries(id);
  const of = (type: string) => deliveries.filter(({ event_type }) => event_type === type);
  expect(of("scan.created").map(({ state }) => state)).toEqual(Array.from({ length: 40 }, () => "DELIVERED"));
  expect(of("ping").map(({ state }) => state)).toEqual(Array.from({ length: 40 }, () => "WAITING"));
  expect(Math.max(...of("ping").map(({ attempts }) => attempts.length))).toBeLessThan(8);
});

test("what a person changes about a receiver holds for the next try, also in the midst of many", async () => {
  const { id } = await addWebhook({ url: receiver.url, event_types: ["scan.created"] });
  const arrived = Promise.withResolvers<void>();
  const release = Promise.withResolvers<void>();
  receiver.answer = async (_, response) => {
    if (receiver.received.length === 8) arrived.resolve();
    await release.promise;
    response.end();
  };
  await makeEvents(30);
  const running = dispatcher.runDue();
  await arrived.promise;
  await changeWebhook(id, { enabled: false });
  release.resolve();
  await running;
  expect(receiver.received).toHaveLength(8);
  const states = (await listDeliveries(id)).map(({ state }) => state);
  expect(states.filter((state) => state === "FAILED").length).toBeGreaterThanOrEqual(22);
  expect(states).not.toContain("WAITING");
});

test("what was written for a webhook while it was being disabled does not wait for ever", async () => {
  const { id } = await addWebhook({ url: receiver.url });
  await ping(id);
  await dispatcher.db.execute(sql`update receiver set enabled = false where id = ${id}`);
  await dispatcher.runDue();
  expect(await failForDisabled(dispatcher.db, dispatcher.clock())).toBe(1);
  expect(await listDeliveries(id)).toMatchObject([{ state: "FAILED", attempts: [], reason: expect.stringContaining("disabled") }]);
  expect(receiver.received).toEqual([]);
});

test("a replay since a time is of all that failed since then, whenever it was made", async () => {
  const { id } = await addWebhook({ url: receiver.url });
  receiver.answer = 500;
  await ping(id);
  await dispatcher.runDue();
  for (let hours = 0; hours < 13; hours++) await dispatcher.skip(hour);
  const [failed] = await listDeliveries(id);
  const replay = async (since: number) =>
    (await server.api<{ data: { replayed: number } }>("POST", `/v1/webhooks/${id}/replay`, { since: new Date(since).toISOString() })).body.data.replayed;
  const endedAt = Date.parse(failed?.ended_at ?? "");
  expect(await replay(endedAt + 1)).toBe(0);
  expect(await replay(endedAt - hour * 1000)).toBe(1);
});

test("several servers share the work: every event arrives once", async () => {
  await addWebhook({ url: receiver.url, event_types: ["scan.created"] });
  const second = await startReceiver();
  await addWebhook({ url: second.url, event_types: ["scan.created"] });
  await makeEvents(40);
  const others = await Promise.all([openDispatcher(server), openDispatcher(server)]);
  await Promise.all([dispatcher, ...others].map((each) => each.runDue()));
  for (const each of [receiver, second]) {
    expect(each.received).toHaveLength(40);
    expect(new Set(ids(each)).size).toBe(40);
  }
  for (const each of others) await each[Symbol.asyncDispose]();
  await second[Symbol.asyncDispose]();
});

test("a dead receiver is left alone, and what it was never sent in twelve hours is failed, not kept for ever", async () => {
  const { id } = await addWebhook({ url: receiver.url, event_types: ["scan.created"] });
  await receiver.goDown();
  await makeEvents(80);
  await dispatcher.runDue();
  // Five failures, and what was under way beside them: then it is left alone.
  expect((await listDeliveries(id)).flatMap(({ attempts }) => attempts).length).toBeLessThanOrEqual(12);
  for (let minutes = 0; minutes < 13 * 60; minutes += 15) await dispatcher.skip(15 * 60);
  const deliveries = await listDeliveries(id);
  const untried = deliveries.filter(({ attempts }) => attempts.length === 0);
  expect(untried.length).toBeGreaterThan(0);
  expect(untried.every(({ state, reason }) => state === "FAILED" && reason?.includes("twelve hours"))).toBe(true);
});

test("events and their log are cleared away after 14 days, what still waits is not", async () => {
  const { id } = await addWebhook({ url: receiver.url });
  await ping(id);
  await dispatcher.runDue();
  await ping(id);
  const later = (days: number) => new Date(Date.now() + days * 86_400_000);
  expect(await purgeEvents(dispatcher.db, later(13))).toBe(0);
  await purgeEvents(dispatcher.db, later(15));
  expect((await listDeliveries(id)).map(({ state }) => state)).toEqual(["WAITING"]);
  const { rows } = await dispatcher.db.execute<{ count: string }>(sql`select count(*) from delivery_attempt`);
  expect(Number(rows[0]?.count)).toBe(0);
});
