import type { Notification } from "@periscan/contract/notification.ts";
import type { Outcome } from "@periscan/contract/outcome.ts";
import type { Delivery } from "@periscan/contract/webhook.ts";
import type { Task } from "@periscan/contract/worker-protocol.ts";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { openWorkspaces } from "../limits/workspaces.ts";
import { loopbackAllowed, openDispatcher, type TestDispatcher } from "../testing/open-dispatcher.ts";
import { startMailServer, type TestMailServer } from "../testing/start-mail-server.ts";
import { startReceiver, type TestReceiver } from "../testing/start-receiver.ts";
import { claimSome, finishTask, startScan, startTestServer, type TestServer, tcpOutcome } from "../testing/start-test-server.ts";

let server: TestServer;
let mail: TestMailServer;
let dispatcher: TestDispatcher;
let receiver: TestReceiver;
beforeAll(async () => {
  mail = await startMailServer();
  process.env.PERISCAN_SMTP_URL = mail.url;
  process.env.PERISCAN_MAIL_FROM = "Periscan <periscan@example.com>";
  server = await startTestServer({ outgoing: loopbackAllowed, delivers: false });
  dispatcher = await openDispatcher(server, { environment: process.env });
});
afterAll(async () => {
  await dispatcher[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
  await mail[Symbol.asyncDispose]();
});
beforeEach(async () => {
  receiver = await startReceiver();
  mail.mails.length = 0;
});
afterEach(async () => {
  await receiver[Symbol.asyncDispose]();
  const { body } = await server.api<{ data: Notification[] }>("GET", "/v1/notifications");
  for (const { id } of body.data) await server.api("DELETE", `/v1/notifications/${id}`);
});

const add = async (body: object) => (await server.api<{ data: Notification }>("POST", "/v1/notifications", body)).body.data;
const slack = (filter: object = {}) => add({ kind: "slack", url: receiver.url, filter });
const look = (...levels: string[]): Outcome => {
  const outcome = tcpOutcome({ ports: "1-1000", open: levels.map((_, index) => index + 1) });
  return { ...outcome, detections: outcome.detections.map((seen, index) => ({ ...seen, threat_level: levels[index] as "LOW" })) };
};

async function scanOnce(target: string, outcome: Outcome): Promise<string> {
  const { id } = await startScan(server, { type: "NMAP", targets: [target], options: { ports: "1-1000" } });
  await finishTask(server, await claimSome(server), outcome);
  await dispatcher.runDue();
  return id;
}

const takeMessages = () => receiver.received.splice(0).map(({ body }) => body);

test("a scan's end is one mail that sums up, whatever the number of risks", async () => {
  await add({ kind: "email", recipients: ["security@example.com", "ops@example.com"] });
  const levels = ["LOW", "CRITICAL", "HIGH", ...Array.from({ length: 20 }, () => "MEDIUM")];
  const id = await scanOnce("10.7.0.1", look(...levels));
  expect(mail.mails).toHaveLength(1);
  const [{ from, to, text } = expect.fail()] = mail.mails;
  expect([from, to]).toEqual(["periscan@example.com", ["security@example.com", "ops@example.com"]]);
  expect(text).toContain("Subject: Periscan: NMAP scan found 23 new risks");
  for (const line of [
    "New: 1 CRITICAL, 1 HIGH, 20 MEDIUM, 1 LOW",
    "Still open: none",
    "Targets looked at to the end: 1 of 1",
    "CRITICAL: Open TCP Port: 2 (10.7.0.1)",
    "and 13 more",
    `https://periscan.example/v1/scans/${id}`,
  ])
    expect(text.replaceAll("=\r\n", "")).toContain(line);
});

test("Slack and Teams get their JSON, with scanner output that can neither link, mention nor format", async () => {
  await slack();
  await add({ kind: "teams", url: `${receiver.url}/teams` });
  const outcome = look("HIGH");
  const title = "<!channel> <https://evil.example|click> [click](https://evil.example) https://evil.example #general @here *bold* :tada: & \u202egnp";
  const id = await scanOnce("10.7.0.2", { ...outcome, detections: outcome.detections.map((seen) => ({ ...seen, title })) });
  const bodies = new Map(receiver.received.map(({ path, body }) => [path, JSON.parse(body)]));
  const link = `https://periscan.example/v1/scans/${id}`;
  const { text, blocks } = bodies.get("/hook");
  expect(text).toBe("Periscan: NMAP scan found 1 new risk");
  expect(blocks[1].text.text).toContain("HIGH: &lt;!channel&gt; &lt;https://evil.example|click&gt;");
  expect(blocks[1].text.text).not.toMatch(/[<>\u202e]/);
  expect(blocks.map(({ text }: { text: object }) => ({ ...text, text: "" }))).toEqual([
    { type: "plain_text", text: "", emoji: false },
    { type: "plain_text", text: "", emoji: false },
    { type: "mrkdwn", text: "" },
  ]);
  expect(blocks.at(-1).text.text).toBe(`<${link}|Open the scan>`);
  const [{ contentType, content }] = bodies.get("/hook/teams").attachments;
  expect(contentType).toBe("application/vnd.microsoft.card.adaptive");
  expect(content).toMatchObject({ type: "AdaptiveCard", actions: [{ type: "Action.OpenUrl", url: link }] });
  expect(new Set(content.body.map(({ type }: { type: string }) => type))).toEqual(new Set(["RichTextBlock"]));
});

describe("a filter decides what is told", () => {
  test("only new: a risk that stays or closes is no news, one that comes back is", async () => {
    await slack();
    const target = "10.7.0.3";
    const told = async (outcome: Outcome) => {
      await scanOnce(target, outcome);
      return takeMessages().length;
    };
    expect([await told(look("LOW")), await told(look("LOW")), await told(look()), await told(look("LOW"))]).toEqual([1, 0, 0, 1]);
  });

  test("not only new: every end is told, with what stays and what closed", async () => {
    await slack({ only_new: false });
    await scanOnce("10.7.0.4", look());
    expect(takeMessages()[0]).toContain("found nothing new");
    await scanOnce("10.7.0.4", look("LOW"));
    takeMessages();
    await scanOnce("10.7.0.4", look("LOW"));
    expect(takeMessages()[0]).toContain("Still open: 1 LOW");
    await scanOnce("10.7.0.4", look());
    expect(takeMessages()[0]).toContain("Closed: 1 LOW");
  });

  test("threat levels, tags and scan types", async () => {
    await slack({ threat_levels: ["CRITICAL", "HIGH"] });
    await scanOnce("10.7.0.5", look("MEDIUM", "LOW"));
    expect(takeMessages()).toEqual([]);
    await scanOnce("10.7.0.6", look("MEDIUM", "HIGH"));
    const [message, ...none] = takeMessages();
    expect(none).toEqual([]);
    expect(message).toContain("found 1 new risk");
    expect(message).not.toContain("MEDIUM");
    await server.api("PUT", `/v1/notifications/${(await server.api<{ data: Notification[] }>("GET", "/v1/notifications")).body.data[0]?.id}`, {
      filter: { tags: ["production"] },
    });
    await scanOnce("10.7.0.7", look("HIGH"));
    expect(takeMessages()).toEqual([]);
    await server.api("POST", "/v1/targets", { target: "10.7.0.8", tags: ["web", "production"] });
    await scanOnce("10.7.0.8", look("LOW"));
    expect(takeMessages()).toHaveLength(1);
  });

  test("another scan type, a disabled one, another workspace", async () => {
    await slack({ scan_types: ["NUCLEI"] });
    await add({ kind: "slack", url: receiver.url, enabled: false });
    await server.api("POST", "/v1/notifications", { kind: "slack", url: receiver.url }, server.foreign);
    await scanOnce("10.7.0.9", look("HIGH"));
    expect(takeMessages()).toEqual([]);
  });

  test("an import that could not be read is told, though it has no target; where tags are asked for it is not", async () => {
    await slack();
    await add({ kind: "slack", url: `${receiver.url}/tagged`, filter: { tags: ["production"] } });
    const source = await server.api<{ data: { id: string } }>("POST", "/v1/sources", { source_type: "IMPORTED", name: "test" });
    const form = new FormData();
    for (const [name, value] of Object.entries({ scan_type: "NMAP", source_id: source.body.data.id, file: new Blob(["no XML"]) })) form.append(name, value);
    expect((await fetch(new URL("/v1/results", server.url), { method: "POST", body: form, headers: server.own })).status).toBe(200);
    const request = { worker: { version: "0" }, engines: [{ type: "NMAP", ready: true }], fitting: [], imports: true, wait_seconds: 0 };
    const { task_id, attempt } = (await server.worker<{ data: Task }>("POST", "/claim", request)).body.data;
    const error = { code: "import.unreadable", message: "It is no XML.", retry: false };
    expect((await server.worker("POST", `/tasks/${task_id}/end`, { attempt, error })).status).toBe(200);
    await dispatcher.runDue();
    const told = receiver.received.map(({ path, body }) => [path, body]);
    expect(told).toEqual([["/hook", expect.stringContaining("Why it failed: It is no XML.")]]);
  });

  test("a scan that failed is told with its reason, also where nothing is new; one that a person cancelled is not", async () => {
    await slack();
    await scanOnce("10.7.0.10", { kind: "unreachable", reason: "It did not answer.", notes: [], detections: [] });
    expect(takeMessages()[0]).toContain("Why it failed: 10.7.0.10: It did not answer.");
    const { id } = await startScan(server, { type: "NMAP", targets: ["10.7.0.11"] });
    await server.api("POST", `/v1/scans/${id}/cancel`);
    await dispatcher.runDue();
    expect(takeMessages()).toEqual([]);
  });
});

test("a mail server that refuses or is away is tried again, and the log has its words", async () => {
  const { id } = await add({ kind: "email", recipients: ["security@example.com"] });
  const log = async () => (await server.api<{ data: Delivery[] }>("GET", `/v1/notifications/${id}/deliveries`)).body.data;
  mail.refuse = "550 5.7.1 Not today";
  await server.api("POST", `/v1/notifications/${id}/ping`);
  await dispatcher.runDue();
  expect(await log()).toMatchObject([{ event_type: "ping", state: "WAITING", attempts: [{ error: expect.stringContaining("Not today") }] }]);
  mail.refuse = undefined;
  await dispatcher.skip(10);
  expect(await log()).toMatchObject([{ state: "DELIVERED", attempts: [{}, { answer: expect.stringContaining("250") }] }]);
  expect(mail.mails[0]?.text).toContain("Subject: Periscan: a test message");
});

test("a recipient that would inject a header is refused, and a title on several lines stays one line", async () => {
  const refused = await server.api("POST", "/v1/notifications", { kind: "email", recipients: ["a@example.com\r\nBcc: b@example.com"] });
  expect(refused.status).toBe(400);
  await add({ kind: "email", recipients: ["security@example.com"] });
  const outcome = look("HIGH");
  await scanOnce("10.7.0.12", { ...outcome, detections: outcome.detections.map((seen) => ({ ...seen, title: "a\r\n.\r\nBcc: b@example.com" })) });
  expect(mail.mails).toHaveLength(1);
  expect(mail.mails[0]?.to).toEqual(["security@example.com"]);
  expect(mail.mails[0]?.text).not.toMatch(/^Bcc:/m);
});

describe("every field that is wrong is refused by name", () => {
  const url = "http://127.0.0.1:9/";
  const cases: [string, object, string][] = [
    ["no kind", { url }, "kind"],
    ["an unknown kind", { kind: "sms", url }, "kind"],
    ["Slack without a url", { kind: "slack" }, "url"],
    ["Slack with recipients", { kind: "slack", url, recipients: ["a@example.com"] }, "recipients"],
    ["mail without recipients", { kind: "email" }, "recipients"],
    ["mail with a url", { kind: "email", url, recipients: ["a@example.com"] }, "url"],
    ["no recipient", { kind: "email", recipients: [] }, "recipients"],
    ["a recipient that is none", { kind: "email", recipients: ["nobody"] }, "recipients[0]"],
    ["too many recipients", { kind: "email", recipients: Array.from({ length: 21 }, (_, index) => `a${index}@example.com`) }, "recipients"],
    ["a metadata address", { kind: "teams", url: "http://169.254.169.254/" }, "url"],
    ["an unknown level", { kind: "slack", url, filter: { threat_levels: ["WORST"] } }, "filter.threat_levels[0]"],
    ["no level", { kind: "slack", url, filter: { threat_levels: [] } }, "filter.threat_levels"],
    ["an unknown scan type", { kind: "slack", url, filter: { scan_types: ["MASSCAN"] } }, "filter.scan_types[0]"],
    ["tags of the wrong type", { kind: "slack", url, filter: { tags: "web" } }, "filter.tags"],
    ["only_new of the wrong type", { kind: "slack", url, filter: { only_new: "yes" } }, "filter.only_new"],
    ["an unknown filter", { kind: "slack", url, filter: { level: "HIGH" } }, "filter.level"],
    ["an unknown field", { kind: "slack", url, channel: "#x" }, "channel"],
  ];
  test.each(cases)("%s", async (_, body, field) => {
    const { status, body: refusal } = await server.api<{ error: { field?: string } }>("POST", "/v1/notifications", body);
    expect([status, refusal.error.field]).toEqual([400, field]);
  });
});

test("a chat's URL is a secret: it is shown shortened; nothing is seen or changed with a foreign key", async () => {
  const made = await slack();
  expect(made).toMatchObject({ kind: "slack", url: `${new URL(receiver.url).origin}/…`, filter: { only_new: true, failed_scans: true } });
  expect(JSON.stringify((await server.api("GET", "/v1/notifications")).body)).not.toContain("/hook");
  for (const [method, path] of [
    ["GET", ""],
    ["PUT", ""],
    ["POST", "/ping"],
    ["GET", "/deliveries"],
    ["DELETE", ""],
  ] as const) {
    const body = method === "PUT" ? { description: "x" } : undefined;
    expect((await server.api(method, `/v1/notifications/${made.id}${path}`, body, server.foreign)).status, `${method} ${path}`).toBe(404);
    expect((await server.api(method, `/v1/webhooks/${made.id}${path}`, body)).status, `${method} ${path}`).toBe(404);
  }
  expect((await server.api("GET", `/v1/notifications/${made.id}`)).status).toBe(200);
});

test("mails over the workspace's allowance of an hour wait, say so, and go out in their order once there is room; chats are not concerned", async () => {
  const workspaces = await openWorkspaces(server.databaseUrl);
  await workspaces.limit("default", { mailsPerHour: 4 });
  try {
    const { id } = await add({ kind: "email", recipients: ["a@example.com", "b@example.com"] });
    await slack();
    for (const host of [1, 2, 3]) await scanOnce(`10.7.9.${host}`, look("HIGH"));
    expect([mail.mails.length, takeMessages().length]).toEqual([2, 3]);
    const waiting = await server.api<{ data: Delivery[] }>("GET", `/v1/notifications/${id}/deliveries?filters={"state":["WAITING"]}`);
    expect(waiting.body.data).toMatchObject([{ attempts: [], reason: expect.stringContaining("until there is room") }]);
    await dispatcher.skip(1700);
    expect(mail.mails).toHaveLength(2);
    await dispatcher.skip(200);
    expect(mail.mails.map(({ text }) => /10\.7\.9\.(\d)/.exec(text)?.[1])).toEqual(["1", "2", "3"]);
  } finally {
    await workspaces.limit("default", { mailsPerHour: null });
    await workspaces.close();
  }
});
