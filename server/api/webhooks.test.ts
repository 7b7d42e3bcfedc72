import { type Delivery, defaultEventTypes, type Webhook, type WebhookWithSecret } from "@periscan/contract/webhook.ts";
import { sql } from "drizzle-orm";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { sign } from "../receivers/sign.ts";
import { startServer } from "../start-server.ts";
import { openDispatcher, type TestDispatcher } from "../testing/open-dispatcher.ts";
import { startReceiver, type TestReceiver } from "../testing/start-receiver.ts";
import { startTestServer, type TestServer } from "../testing/start-test-server.ts";
import { webhookCalls } from "../testing/webhook-calls.ts";

let server: TestServer;
let dispatcher: TestDispatcher;
let receiver: TestReceiver;
const { addWebhook, getWebhook, changeWebhook, listDeliveries, ping, deleteWebhooks } = webhookCalls(() => server);
beforeAll(async () => {
  server = await startTestServer({ outgoing: { allowHttp: true, allowPrivate: true }, delivers: false });
  dispatcher = await openDispatcher(server);
});
afterAll(async () => {
  await dispatcher[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
});
beforeEach(async () => {
  receiver = await startReceiver();
});
afterEach(async () => {
  await receiver[Symbol.asyncDispose]();
  await deleteWebhooks();
});

interface Refusal {
  error: { code: string; message: string; field?: string };
}
const unknown = "0190b1a2-0000-7000-8000-000000000000";

test("a webhook is made, read, listed, changed and deleted; its secret is shown once and stored encrypted", async () => {
  const { secret, ...made } = await addWebhook({ url: receiver.url, description: "CI" });
  expect(secret).toMatch(/^pwh_[\w-]{43}$/);
  const times = { created_at: expect.any(String), updated_at: expect.any(String) };
  const shown = { id: made.id, url: receiver.url, event_types: defaultEventTypes, description: "CI", enabled: true, ...times };
  expect(made).toEqual(shown);
  expect(await getWebhook(made.id)).toEqual(shown);
  expect((await server.api<{ data: Webhook[] }>("GET", "/v1/webhooks")).body).toEqual({ data: [shown] });
  const { rows } = await dispatcher.db.execute(sql`select * from receiver`);
  const bytes = Buffer.concat(Object.values(rows[0] ?? {}).filter((value): value is Buffer => Buffer.isBuffer(value)));
  for (const text of [JSON.stringify(rows), bytes.toString("latin1")]) for (const each of [secret, "127.0.0.1"]) expect(text).not.toContain(each);
  const changed = await changeWebhook(made.id, { event_types: ["risk.closed", "risk.closed"], description: "" });
  expect(changed).toMatchObject({ url: receiver.url, event_types: ["risk.closed"], description: "", enabled: true });
  expect(await server.api("DELETE", `/v1/webhooks/${made.id}`)).toEqual({ status: 200, body: "" });
  expect((await server.api("GET", `/v1/webhooks/${made.id}`)).status).toBe(404);
});

test("a receiver that has a secret already keeps it", async () => {
  const { id, secret } = await addWebhook({ url: receiver.url, secret: "a-secret-of-another-system" });
  expect(secret).toBe("a-secret-of-another-system");
  await ping(id);
  await dispatcher.runDue();
  const [{ headers, body, event } = expect.fail()] = receiver.received;
  expect(headers["x-hostedscan-signature"]).toBe(sign(secret, String(headers["x-hostedscan-timestamp"]), body));
  expect(event).toMatchObject({ type: "ping", data: { webhook_id: id } });
});

describe("every field that is wrong is refused by name", () => {
  const url = "http://127.0.0.1:9/";
  const cases: [string, unknown, string | undefined][] = [
    ["no url", {}, "url"],
    ["a url of the wrong type", { url: 7 }, "url"],
    ["an empty url", { url: "" }, "url"],
    ["a url that is none", { url: "example" }, "url"],
    ["a url that is too long", { url: `${url}${"x".repeat(2100)}` }, "url"],
    ["another scheme", { url: "gopher://127.0.0.1/" }, "url"],
    ["a login in the url", { url: "http://user:secret@127.0.0.1/" }, "url"],
    ["a metadata address", { url: "http://169.254.169.254/" }, "url"],
    ["a metadata address in other writing", { url: "http://0xa9fea9fe/" }, "url"],
    ["an unknown event", { url, event_types: ["scan.deleted"] }, "event_types[0]"],
    ["ping, which nobody subscribes to", { url, event_types: ["ping"] }, "event_types[0]"],
    ["no event", { url, event_types: [] }, "event_types"],
    ["events of the wrong type", { url, event_types: "scan.created" }, "event_types"],
    ["a description of the wrong type", { url, description: 7 }, "description"],
    ["a description that is too long", { url, description: "x".repeat(501) }, "description"],
    ["enabled of the wrong type", { url, enabled: "yes" }, "enabled"],
    ["a secret that is too short", { url, secret: "short" }, "secret"],
    ["a secret with a space", { url, secret: "a secret with some spaces" }, "secret"],
    ["an unknown field", { url, events: ["scan.created"] }, "events"],
    ["an array", [], undefined],
    ["nothing", undefined, undefined],
  ];
  test.each(cases)("%s", async (_, body, field) => {
    const made = await server.api<Refusal>("POST", "/v1/webhooks", body);
    expect([made.status, made.body.error.field]).toEqual([400, field]);
    expect(made.body.error.message).toMatch(/\S\.$/);
    const { id } = await addWebhook({ url: receiver.url });
    const changed = await server.api<Refusal>("PUT", `/v1/webhooks/${id}`, body);
    if (field === "url" && JSON.stringify(body) === "{}") expect(changed.status).toBe(200);
    else expect([changed.status, changed.body.error.field]).toEqual([400, field]);
    expect((await getWebhook(id)).url).toBe(receiver.url);
  });

  test("and so are those of rotation, replay and lists", async () => {
    const { id } = await addWebhook({ url: receiver.url });
    const refusal = async (method: string, path: string, body?: unknown) => {
      const answer = await server.api<Refusal>(method, `/v1/webhooks${path}`, body);
      return [answer.status, answer.body.error.field];
    };
    expect(await refusal("POST", `/${id}/rotate-secret`, { overlap_seconds: -1 })).toEqual([400, "overlap_seconds"]);
    expect(await refusal("POST", `/${id}/rotate-secret`, { overlap_seconds: 1e9 })).toEqual([400, "overlap_seconds"]);
    expect(await refusal("POST", `/${id}/rotate-secret`, { seconds: 1 })).toEqual([400, "seconds"]);
    expect(await refusal("POST", `/${id}/replay`, {})).toEqual([400, "since"]);
    expect(await refusal("POST", `/${id}/replay`, { since: "yesterday" })).toEqual([400, "since"]);
    expect(await refusal("GET", "?page_size=0")).toEqual([400, "page_size"]);
    expect(await refusal("GET", "?page_token=x")).toEqual([400, "page_token"]);
    expect(await refusal("GET", `/${id}/deliveries?filters[state]=SENT`)).toEqual([400, "filters.state[0]"]);
    expect(await refusal("GET", `/${id}/deliveries?filters[status]=FAILED`)).toEqual([400, "filters.status"]);
    expect(await refusal("GET", `/${id}/deliveries?page_token=x`)).toEqual([400, "page_token"]);
  });
});

test("plain HTTP and private addresses are refused unless the operator allows them", async () => {
  const settings = { databaseUrl: server.databaseUrl, dataFolder: server.folder, host: "127.0.0.1", port: 0, logLevel: "silent", delivers: false };
  const strict = await startServer(settings);
  const { key } = await server.keys.createApiKey({ name: "strict" });
  const refusal = async (url: string) => {
    const headers = { "x-hostedscan-api-key": key, "content-type": "application/json" };
    const answer = await fetch(new URL("/v1/webhooks", strict.url), { method: "POST", headers, body: JSON.stringify({ url }) });
    return ((await answer.json()) as Refusal).error;
  };
  expect(await refusal("http://1.1.1.1/")).toMatchObject({
    code: "url.refused",
    field: "url",
    message: expect.stringContaining("PERISCAN_WEBHOOKS_ALLOW_HTTP=1"),
  });
  expect(await refusal("https://127.0.0.1/")).toMatchObject({ code: "url.refused", message: expect.stringContaining("PERISCAN_WEBHOOKS_ALLOW_PRIVATE=1") });
  expect(await refusal("https://10.0.0.1/")).toMatchObject({ code: "url.refused" });
  await strict.stop();
});

test("a secret is rotated without a gap: the old one signs where receivers look, the new one beside, until the overlap ends", async () => {
  const { id, secret: old } = await addWebhook({ url: receiver.url });
  const rotate = (body?: object) => server.api<{ data: WebhookWithSecret }>("POST", `/v1/webhooks/${id}/rotate-secret`, body);
  const signers = async (...secrets: string[]) => {
    await ping(id);
    await dispatcher.runDue();
    const { headers, body } = receiver.received.at(-1) ?? expect.fail();
    const of = (name: string) => secrets.findIndex((each) => sign(each, String(headers["x-hostedscan-timestamp"]), body) === headers[name]);
    return [of("x-hostedscan-signature"), of("x-hostedscan-signature-new")];
  };
  expect(await signers(old)).toEqual([0, -1]);
  const { body } = await rotate({ overlap_seconds: 3600 });
  expect(body.data).toMatchObject({ id, previous_secret_expires_at: expect.any(String) });
  const fresh = body.data.secret;
  expect(await signers(old, fresh)).toEqual([0, 1]);
  expect((await rotate({})).status).toBe(409);
  await dispatcher.skip(3601);
  expect(await signers(old, fresh)).toEqual([1, -1]);

  const third = (await rotate({ overlap_seconds: 0 })).body.data;
  expect(third).not.toHaveProperty("previous_secret_expires_at");
  expect(await signers(old, fresh, third.secret)).toEqual([2, -1]);
  const fourth = (await rotate()).body.data.secret;
  await server.api("DELETE", `/v1/webhooks/${id}/previous-secret`);
  expect(await getWebhook(id)).not.toHaveProperty("previous_secret_expires_at");
  expect(await signers(third.secret, fourth)).toEqual([1, -1]);
});

test("the log of deliveries is paged, filtered, and shows each attempt and what was sent", async () => {
  const { id } = await addWebhook({ url: receiver.url });
  receiver.answer = (_, response) => response.writeHead(500).end(`\0${"x".repeat(100_000)}`);
  await ping(id);
  await dispatcher.runDue();
  receiver.answer = 200;
  for (let index = 0; index < 4; index++) await ping(id);
  await dispatcher.runDue();
  const page = async (query: string) =>
    (await server.api<{ data: Delivery[]; next_page_token?: string }>("GET", `/v1/webhooks/${id}/deliveries?${query}`)).body;
  const first = await page("page_size=3");
  const second = await page(`page_size=3&page_token=${first.next_page_token}`);
  expect([...first.data, ...second.data]).toEqual(await listDeliveries(id));
  expect(second).not.toHaveProperty("next_page_token");
  const [waiting, ...none] = (await page("filters[state][]=WAITING")).data;
  expect(none).toEqual([]);
  expect(waiting).toMatchObject({
    event_type: "ping",
    next_attempt_at: expect.any(String),
    attempts: [{ status: 500, duration_milliseconds: expect.any(Number) }],
  });
  expect(waiting?.attempts[0]?.answer).toBe(`\uFFFD${"x".repeat(499)}`);
  const one = await server.api<{ data: { event: { id: string } } }>("GET", `/v1/webhooks/${id}/deliveries/${waiting?.id}`);
  expect(JSON.stringify(one.body.data.event)).toBe(receiver.received[0]?.body);
});

test("a workspace has at most twenty webhooks, also where the last ones are made at once", async () => {
  const make = () => server.api<Refusal>("POST", "/v1/webhooks", { url: receiver.url });
  for (let index = 0; index < 19; index++) await make();
  const waiting = sql`select 1 from pg_stat_activity where wait_event_type = 'Lock' and query like '%from "workspace"%'`;
  const last = await dispatcher.db.transaction(async (tx) => {
    await tx.execute(sql`select 1 from workspace for no key update`);
    const requests = Promise.all([make(), make(), make()]);
    // Each has begun, and counts once it is its turn.
    await expect.poll(async () => (await dispatcher.db.execute(waiting)).rows.length, { timeout: 20_000 }).toBe(3);
    return { requests };
  });
  const made = await last.requests;
  expect(made.map(({ status }) => status).sort()).toEqual([200, 409, 409]);
  expect(made.find(({ status }) => status === 409)?.body.error.code).toBe("webhook.too_many");
});

test("nothing of a webhook is seen or changed with the key of another workspace, without a key, or under a foreign noun", async () => {
  const { id } = await addWebhook({ url: receiver.url });
  const { id: other } = await addWebhook({ url: receiver.url });
  const delivery = await ping(id);
  const operations: [string, string, unknown?][] = [
    ["GET", ""],
    ["PUT", "", { description: "x" }],
    ["POST", "/ping"],
    ["POST", "/rotate-secret", {}],
    ["DELETE", "/previous-secret"],
    ["GET", "/deliveries"],
    ["GET", `/deliveries/${delivery.id}`],
    ["POST", `/deliveries/${delivery.id}/replay`],
    ["POST", "/replay", { since: "2026-01-01T00:00:00Z" }],
    ["DELETE", ""],
  ];
  for (const [method, path, body] of operations) {
    const status = async (headers?: Record<string, string>, noun = "webhooks", of = id) =>
      (await server.api(method, `/v1/${noun}/${of}${path}`, body, ...(headers ? [headers] : []))).status;
    expect(await status(server.foreign), `${method} ${path}`).toBe(404);
    expect(await status({}), `${method} ${path}`).toBe(401);
    expect(await status(undefined, "notifications"), `${method} ${path}`).toBe(404);
    expect(await status(undefined, "webhooks", unknown), `${method} ${path}`).toBe(404);
    expect(await status(undefined, "webhooks", "none"), `${method} ${path}`).toBe(404);
  }
  for (const path of [delivery.id, unknown, "none"]) {
    expect((await server.api("GET", `/v1/webhooks/${other}/deliveries/${path}`)).status).toBe(404);
    expect((await server.api("POST", `/v1/webhooks/${other}/deliveries/${path}/replay`)).status).toBe(404);
  }
  expect((await server.api("GET", "/v1/webhooks", undefined, server.foreign)).body).toEqual({ data: [] });
  expect(await getWebhook(id)).toMatchObject({ description: "", enabled: true });
});
