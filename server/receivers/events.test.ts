import type { Outcome } from "@periscan/contract/outcome.ts";
import type { Risk } from "@periscan/contract/risk.ts";
import type { Scan } from "@periscan/contract/scan.ts";
import { EventType } from "@periscan/contract/webhook.ts";
import { sql } from "drizzle-orm";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { recordRiskUpdates } from "../events/record-risk-events.ts";
import { loopbackAllowed, openDispatcher, type TestDispatcher } from "../testing/open-dispatcher.ts";
import { startReceiver, type TestReceiver } from "../testing/start-receiver.ts";
import { claimSome, finishTask, getScan, startScan, startTestServer, type TestServer, tcpOutcome } from "../testing/start-test-server.ts";
import { webhookCalls } from "../testing/webhook-calls.ts";
import { sign } from "./sign.ts";

let server: TestServer;
let dispatcher: TestDispatcher;
let receiver: TestReceiver;
const { addWebhook, deleteWebhooks } = webhookCalls(() => server);
beforeAll(async () => {
  server = await startTestServer({ outgoing: loopbackAllowed, delivers: false });
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

const options = { ports: "1-1000" };
const look = (open: number[]) => tcpOutcome({ ports: "1-1000", open });

async function scanOnce(target: string, outcome: Outcome): Promise<Scan> {
  const scan = await startScan(server, { type: "NMAP", targets: [target], options });
  await finishTask(server, await claimSome(server), outcome);
  return scan;
}

/** What arrives until nothing is due, as types. */
async function receive(): Promise<string[]> {
  receiver.received.length = 0;
  await dispatcher.runDue();
  return receiver.received.map(({ event }) => event.type);
}

const countEvents = async () => Number((await dispatcher.db.execute<{ count: string }>(sql`select count(*) from event`)).rows[0]?.count);

test("a scan's life arrives as documented: created, RUNNING, its new risks, SUCCEEDED, each signed over the very bytes", async () => {
  const { secret } = await addWebhook({ url: receiver.url });
  const { id } = await scanOnce("10.5.0.1", look([22, 80]));
  expect((await receive()).sort()).toEqual(["risk.created", "risk.created", "scan.created", "scan.updated", "scan.updated"]);
  const scans = receiver.received.filter(({ event }) => event.type.startsWith("scan."));
  expect(scans.map(({ event: { type, data } }) => [type, data.id, data.type, data.state])).toEqual([
    ["scan.created", id, "NMAP", "QUEUED"],
    ["scan.updated", id, "NMAP", "RUNNING"],
    ["scan.updated", id, "NMAP", "SUCCEEDED"],
  ]);
  const { targets: _targets, ...shownScan } = await getScan(server, id);
  expect(scans[2]?.event.data).toEqual(shownScan);
  const risk = receiver.received.find(({ event }) => event.type === "risk.created");
  const shown = await server.api<{ data: Risk }>("GET", `/v1/risks/${risk?.event.data.id}`);
  // All but the evidence, which is large.
  const { evidence: _evidence, ...expected } = shown.body.data;
  expect(risk?.event.data).toEqual(expected);
  for (const { headers, body, event } of receiver.received) {
    const timestamp = String(headers["x-hostedscan-timestamp"]);
    expect(Number(timestamp)).toBeGreaterThan(Date.now() - 60_000);
    expect(headers["x-hostedscan-signature"]).toBe(sign(secret, timestamp, body));
    expect(headers["content-type"]).toBe("application/json");
    expect(Object.keys(event)).toEqual(["id", "created_at", "type", "data"]);
  }
  expect(new Set(receiver.received.map(({ event }) => event.id)).size).toBe(5);
});

test("an import's life arrives as that of a scan", async () => {
  await addWebhook({ url: receiver.url });
  const source = await server.api<{ data: { id: string } }>("POST", "/v1/sources", { source_type: "IMPORTED", name: "test" });
  const body = new FormData();
  body.set("scan_type", "NMAP");
  body.set("source_id", source.body.data.id);
  body.set("file", new Blob(["a file"]));
  await fetch(new URL("/v1/results", server.url), { method: "POST", body, headers: server.own });
  const claim = { worker: { version: "0" }, engines: [{ type: "NMAP", ready: true }], fitting: [], imports: true, wait_seconds: 0 };
  const { task_id } = (await server.worker<{ data: { task_id: string } }>("POST", "/claim", claim)).body.data;
  const outcomes = [{ target: "10.5.0.200", outcome: look([22]) }];
  await server.worker("POST", `/tasks/${task_id}/imported`, { attempt: 1, sequence: 1, outcomes });
  await server.worker("POST", `/tasks/${task_id}/end`, { attempt: 1 });
  expect((await receive()).sort()).toEqual(["risk.created", "scan.created", "scan.updated", "scan.updated"]);
});

test("a risk that opens, stays, closes and comes back is created, silent, updated, updated; older names come beside", async () => {
  const target = "10.5.0.2";
  await addWebhook({ url: receiver.url, event_types: ["risk.created", "risk.updated", "risk.opened", "risk.closed"] });
  const after = async (open: number[]) => {
    await scanOnce(target, look(open));
    return [(await receive()).sort(), receiver.received.map(({ event }) => event.data.status)];
  };
  expect(await after([22])).toEqual([
    ["risk.created", "risk.opened"],
    ["OPEN", "OPEN"],
  ]);
  expect(await after([22])).toEqual([[], []]);
  expect(await after([])).toEqual([
    ["risk.closed", "risk.updated"],
    ["CLOSED", "CLOSED"],
  ]);
  expect(await after([22])).toEqual([
    ["risk.opened", "risk.updated"],
    ["OPEN", "OPEN"],
  ]);
});

test("a scan that succeeds is scan.succeeded for those who ask for that name, one that fails is not", async () => {
  await addWebhook({ url: receiver.url, event_types: ["scan.succeeded"] });
  await scanOnce("10.5.0.3", { kind: "unreachable", reason: "It did not answer.", notes: [], detections: [] });
  expect(await receive()).toEqual([]);
  await scanOnce("10.5.0.3", look([]));
  expect(await receive()).toEqual(["scan.succeeded"]);
});

test("a scan that fails at once, or is cancelled, says so", async () => {
  await addWebhook({ url: receiver.url });
  await startScan(server, { type: "NMAP", targets: ["169.254.169.254"], options });
  expect(await receive()).toEqual(["scan.created", "scan.updated"]);
  expect(receiver.received[1]?.event.data).toMatchObject({ state: "FAILED", error: { code: "scan.nothing_to_scan" } });
  const { id } = await startScan(server, { type: "NMAP", targets: ["10.5.0.4"], options });
  await server.api("POST", `/v1/scans/${id}/cancel`);
  expect(await receive()).toEqual(["scan.created", "scan.updated"]);
  expect(receiver.received[1]?.event.data).toMatchObject({ id, state: "FAILED", error: { code: "scan.cancelled" } });
});

test("every webhook that subscribes gets the same event with the same id, those that do not get nothing, and nothing is written for nobody", async () => {
  const before = await countEvents();
  await scanOnce("10.5.0.5", look([22]));
  expect(await countEvents()).toBe(before);
  const other = await startReceiver();
  await addWebhook({ url: receiver.url, event_types: ["scan.created"] });
  await addWebhook({ url: other.url, event_types: ["scan.created", "risk.closed"] });
  await addWebhook({ url: `${other.url}/disabled`, enabled: false });
  await scanOnce("10.5.0.6", look([22]));
  expect(await countEvents()).toBe(before + 1);
  await receive();
  expect([...receiver.received, ...other.received].map(({ path, event }) => [path, event.type])).toEqual([
    ["/hook", "scan.created"],
    ["/hook", "scan.created"],
  ]);
  expect(receiver.received[0]?.body).toBe(other.received[0]?.body);
  await other[Symbol.asyncDispose]();
});

test("nothing of a workspace reaches the webhooks of another", async () => {
  await server.api("POST", "/v1/webhooks", { url: receiver.url, event_types: EventType.options }, server.foreign);
  await scanOnce("10.5.0.7", look([22]));
  expect(await receive()).toEqual([]);
});

test("an event is undone with the change that it tells of", async () => {
  const { id } = await scanOnce("10.5.0.8", look([22]));
  const riskId = (await getScan(server, id)).risks.new_open[0]?.risk_id ?? "";
  await addWebhook({ url: receiver.url });
  const before = await countEvents();
  const change = dispatcher.db.transaction(async (tx) => {
    const { rows } = await tx.execute<{ workspace_id: string }>(sql`select workspace_id from risk where id = ${riskId}`);
    await recordRiskUpdates(tx, { workspaceId: rows[0]?.workspace_id ?? "", riskIds: [riskId] });
    expect(Number((await tx.execute<{ count: string }>(sql`select count(*) from event`)).rows[0]?.count)).toBe(before + 1);
    tx.rollback();
  });
  await expect(change).rejects.toThrow();
  expect(await countEvents()).toBe(before);
});

test("what a person changes about risks is risk.updated, with the risk as it is then", async () => {
  await addWebhook({ url: receiver.url, event_types: ["risk.updated"] });
  const { id } = await scanOnce("10.5.0.9", look([22, 80]));
  const risks = (await getScan(server, id)).risks.new_open.map(({ risk_id }) => risk_id);
  await dispatcher.db.transaction(async (tx) => {
    const { rows } = await tx.execute<{ workspace_id: string }>(sql`update risk set is_accepted = true where id = ${risks[0]} returning workspace_id`);
    await recordRiskUpdates(tx, { workspaceId: rows[0]?.workspace_id ?? "", riskIds: [risks[0] ?? ""] });
  });
  expect(await receive()).toEqual(["risk.updated"]);
  expect(receiver.received[0]?.event.data).toMatchObject({ id: risks[0], is_accepted: true });
});

test("a scan of many targets and risks is sent bounded, and says what it left out", async () => {
  await addWebhook({ url: receiver.url, event_types: ["scan.created", "scan.updated"] });
  const scan = await startScan(server, { type: "NMAP", targets: ["10.6.0.0/22", "10.6.4.0/22", "10.6.8.0/22", "10.6.12.0/22"], options });
  await server.api("POST", `/v1/scans/${scan.id}/cancel`);
  await receive();
  const [created, ended] = receiver.received;
  expect(created?.event.data).toMatchObject({ id: scan.id, type: "NMAP", state: "QUEUED", truncated: { requested_targets: 4096 } });
  expect(created?.event.data.requested_targets).toHaveLength(100);
  expect(ended?.event.data).toMatchObject({ truncated: { requested_targets: 4096, skipped_targets: 4096 } });
  expect(Math.max(...receiver.received.map(({ body }) => body.length))).toBeLessThan(140_000);
});

test("a risk that is too large is sent cut, and says what was cut", async () => {
  await addWebhook({ url: receiver.url, event_types: ["risk.created"] });
  const outcome = look([22]);
  const references = Array.from({ length: 200 }, (_, index) => `https://example.com/${index}/${"x".repeat(1900)}`);
  await scanOnce("10.5.0.10", { ...outcome, detections: outcome.detections.map((seen) => ({ ...seen, references })) });
  await receive();
  expect(receiver.received[0]?.body.length).toBeLessThan(140_000);
  expect(receiver.received[0]?.event.data.truncated).toContain("risk_definition.references");
  expect(receiver.received[0]?.event.data).toMatchObject({ status: "OPEN", risk_definition: { title: "Open TCP Port: 22" } });
});

test("a scan with 2,500 risks makes an event of each, once", async () => {
  const { id } = await addWebhook({ url: receiver.url, event_types: ["risk.created"] });
  await scanOnce("10.5.0.11", tcpOutcome({ ports: "1-2500", open: Array.from({ length: 2500 }, (_, index) => index + 1) }));
  const { rows } = await dispatcher.db.execute<{ events: string; subjects: string }>(
    sql`select count(*) as events, count(distinct subject_id) as subjects from delivery join event on event.id = event_id where receiver_id = ${id}`,
  );
  expect(rows[0]).toEqual({ events: "2500", subjects: "2500" });
});
