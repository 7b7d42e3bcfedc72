import type { Risk } from "@periscan/contract/risk.ts";
import type { Scan } from "@periscan/contract/scan.ts";
import type { Target } from "@periscan/contract/target.ts";
import { claimSome, finishTask, getScan, startScan, type TestServer, tcpOutcome } from "./start-test-server.ts";

type ReceiverNoun = "webhooks" | "notifications";

/** A workspace with one of each thing, or what makes one. */
export interface World {
  scan: string;
  report: string;
  result: string;
  risk: string;
  /** With a login and observations. */
  target: string;
  /** Makes one that may be deleted or changed. */
  newTarget(): Promise<string>;
  newTargetWithLogin(): Promise<string>;
  /** What is proven with `target`. */
  root: string;
  /** Makes one whose proof was begun. */
  newTargetToProve(): Promise<string>;
  /** An address on the host of `target`. */
  recordedAt: string;
  /** Makes one that has not ended. */
  newScan(): Promise<string>;
  schedule: string;
  newSchedule(): Promise<string>;
  webhook: string;
  newWebhook(): Promise<string>;
  notification: string;
  newNotification(): Promise<string>;
  source: string;
  newSource(): Promise<string>;
  /** A new one of a webhook or notification, which no server delivers. */
  newDelivery(noun: ReceiverNoun, id: string): Promise<string>;
}

export interface GoodRequest {
  params?: Record<string, string>;
  query?: Record<string, string>;
  body?: Record<string, unknown>;
  /** Sent as multipart/form-data; a file is a Blob. */
  form?: Record<string, string | Blob>;
}

const login = { kind: "header", name: "Authorization", value: "Bearer x" };
const makeRecording = (url: string) => {
  const commands = ["/login", "/in"].map((target) => ({ id: target, comment: "", command: "open", target, targets: [], value: "" }));
  return new Blob([JSON.stringify({ id: "p", version: "2.0", name: "Shop", url, tests: [{ id: "t", name: "Log in", commands }] })]);
};
const byTarget = ({ target }: World) => ({ params: { id: target } });
const byResult = ({ result }: World) => ({ params: { id: result } });
const byReport = ({ report }: World) => ({ params: { id: report } });
const bySchedule = ({ schedule }: World) => ({ params: { id: schedule } });
const bySource = ({ source }: World) => ({ params: { id: source } });
const byWebhook = ({ webhook }: World) => ({ params: { id: webhook } });
const byNotification = ({ notification }: World) => ({ params: { id: notification } });
const decision = { kind: "accepted", reason: "business_need", note: "Our bastion host", author: "Ada", expires_at: "2099-01-01T00:00:00Z" };
const askForReport = ({ target }: World) => ({ body: { report_format: "HTML", targets_filter: { target_ids: [target] }, risks_filter: { status: ["OPEN"] } } });
const nightly = { name: "Nightly", type: "NMAP", targets: ["10.9.0.4"], options: { ports: "80" }, every: "day", at: "03:00", time_zone: "UTC" };
const receiverUrl = "https://10.9.0.9/hook";
const page = { query: { page_size: "2" } };
const list = { query: { page_size: "2", filters: "{}" } };

type MakeRequest = (world: World) => GoodRequest | Promise<GoodRequest>;

const deliveryRequests = (noun: ReceiverNoun, idOf: (world: World) => string): Record<string, MakeRequest> => ({
  [`GET /v1/${noun}/{id}/deliveries`]: (world) => ({ params: { id: idOf(world) }, ...list }),
  [`GET /v1/${noun}/{id}/deliveries/{delivery_id}`]: async (world) => ({
    params: { id: idOf(world), delivery_id: await world.newDelivery(noun, idOf(world)) },
  }),
  [`POST /v1/${noun}/{id}/deliveries/{delivery_id}/replay`]: async (world) => ({
    params: { id: idOf(world), delivery_id: await world.newDelivery(noun, idOf(world)) },
  }),
  [`POST /v1/${noun}/{id}/replay`]: (world) => ({ params: { id: idOf(world) }, body: { since: "2026-01-15T00:00:00Z" } }),
  [`POST /v1/${noun}/{id}/ping`]: (world) => ({ params: { id: idOf(world) } }),
});

/** A good request of each operation of openapi.json; a new operation adds its own. What it destroys it makes first. */
export const goodRequests: Record<string, MakeRequest> = {
  "POST /v1/scans": ({ target }) => ({ body: { type: "NMAP", targets: ["10.9.0.1"], target_ids: [target], options: { ports: "80" } } }),
  "GET /v1/scans": () => list,
  "GET /v1/scans/{id}": ({ scan }) => ({ params: { id: scan } }),
  "GET /v1/scans/{id}/targets": ({ scan }) => ({ params: { id: scan }, query: { page_size: "2", filters: '{"outcome":["complete"]}' } }),
  "POST /v1/scans/{id}/cancel": async ({ newScan }) => ({ params: { id: await newScan() } }),
  "POST /v1/results": ({ source }) => ({ form: { scan_type: "NMAP", source_id: source, target: "10.9.0.5", file: new Blob(["<nmaprun/>"]) } }),
  "GET /v1/results/{id}": byResult,
  "GET /v1/scans/results/{id}": byResult,
  "GET /v1/targets": () => list,
  "POST /v1/targets": () => ({ query: { upsert: "true" }, body: { target: "new.example", label: "New", tags: ["a"] } }),
  "GET /v1/targets/{id}": byTarget,
  "PUT /v1/targets/{id}": async ({ newTarget }) => ({ params: { id: await newTarget() }, body: { label: "Changed", tags: ["b"] } }),
  "DELETE /v1/targets/{id}": async ({ newTarget }) => ({ params: { id: await newTarget() } }),
  "GET /v1/targets/{id}/observations": (world) => ({ ...byTarget(world), ...list }),
  "GET /v1/targets/{id}/auth": byTarget,
  "PUT /v1/targets/{id}/auth": async ({ newTarget }) => ({ params: { id: await newTarget() }, body: login }),
  "DELETE /v1/targets/{id}/auth": async ({ newTargetWithLogin }) => ({ params: { id: await newTargetWithLogin() } }),
  "GET /v1/targets/{id}/ownership": byTarget,
  "POST /v1/targets/{id}/ownership": (world) => ({ ...byTarget(world), query: { root: world.root } }),
  "POST /v1/targets/{id}/ownership/verify": async ({ newTargetToProve }) => ({ params: { id: await newTargetToProve() } }),
  "POST /v1/targets/{id}/auth/selenium": ({ target, recordedAt }) => ({ params: { id: target }, form: { file: makeRecording(recordedAt) } }),
  "GET /v1/risks": () => list,
  "GET /v1/risks/{id}": ({ risk }) => ({ params: { id: risk } }),
  "GET /v1/risks/export": () => ({ query: { format: "json", filters: "{}" } }),
  "GET /v1/risks/{id}/history": ({ risk }) => ({ params: { id: risk }, query: { page_size: "2" } }),
  "PUT /v1/risks/{id}/acceptance": ({ risk }) => ({ params: { id: risk }, body: { ...decision } }),
  "DELETE /v1/risks/{id}/acceptance": ({ risk }) => ({ params: { id: risk }, query: { note: "No longer so", author: "Ada" } }),
  "POST /v1/risks/acceptances": ({ risk }) => ({ body: { ...decision, risk_ids: [risk] } }),
  "POST /v1/risks/acceptances/end": ({ risk }) => ({ body: { note: "No longer so", author: "Ada", risk_ids: [risk] } }),
  "POST /v1/reports": askForReport,
  "POST /v1/report": askForReport,
  "GET /v1/reports": () => list,
  "GET /v1/reports/{id}": byReport,
  "GET /v1/report/{id}": byReport,
  "GET /v1/reports/{id}/state": byReport,
  "POST /v1/schedules": () => ({ body: { ...nightly } }),
  "GET /v1/schedules": () => list,
  "GET /v1/schedules/{id}": bySchedule,
  "PUT /v1/schedules/{id}": async ({ newSchedule }) => ({ params: { id: await newSchedule() }, body: { name: "Weekly", every: "week", on: ["SUN"] } }),
  "DELETE /v1/schedules/{id}": async ({ newSchedule }) => ({ params: { id: await newSchedule() } }),
  "POST /v1/schedules/{id}/pause": async ({ newSchedule }) => ({ params: { id: await newSchedule() } }),
  "POST /v1/schedules/{id}/resume": async ({ newSchedule }) => ({ params: { id: await newSchedule() } }),
  "GET /v1/schedules/{id}/runs": (world) => ({ ...bySchedule(world), ...list }),
  "POST /v1/sources": () => ({ body: { source_type: "IMPORTED", name: "Branch office" } }),
  "GET /v1/sources": () => page,
  "GET /v1/sources/{id}": bySource,
  "DELETE /v1/sources/{id}": async ({ newSource }) => ({ params: { id: await newSource() } }),
  "POST /v1/webhooks": async ({ newWebhook }) => {
    // A workspace has room for 20: the one that is made here makes room for the next.
    await newWebhook();
    return { body: { url: receiverUrl, event_types: ["scan.updated"], description: "CI", enabled: true, secret: "example-secret-of-a-receiver" } };
  },
  "GET /v1/webhooks": () => page,
  "GET /v1/webhooks/{id}": byWebhook,
  "PUT /v1/webhooks/{id}": async ({ newWebhook }) => ({
    params: { id: await newWebhook() },
    body: { url: receiverUrl, description: "Changed", enabled: true },
  }),
  "DELETE /v1/webhooks/{id}": async ({ newWebhook }) => ({ params: { id: await newWebhook() } }),
  "POST /v1/webhooks/{id}/rotate-secret": async ({ newWebhook }) => ({ params: { id: await newWebhook() }, body: { overlap_seconds: 60 } }),
  "DELETE /v1/webhooks/{id}/previous-secret": byWebhook,
  ...deliveryRequests("webhooks", ({ webhook }) => webhook),
  "POST /v1/notifications": async ({ newNotification }) => {
    await newNotification();
    return { body: { kind: "slack", url: receiverUrl, description: "CI", enabled: true, filter: { threat_levels: ["HIGH"] } } };
  },
  "GET /v1/notifications": () => page,
  "GET /v1/notifications/{id}": byNotification,
  "PUT /v1/notifications/{id}": async ({ newNotification }) => ({ params: { id: await newNotification() }, body: { description: "Changed", enabled: true } }),
  "DELETE /v1/notifications/{id}": async ({ newNotification }) => ({ params: { id: await newNotification() } }),
  ...deliveryRequests("notifications", ({ notification }) => notification),
  "GET /healthz": () => ({}),
  "GET /readyz": () => ({}),
};

/** Fills the server's workspace by a scan that ended. */
export async function makeWorld(server: TestServer): Promise<World> {
  const { id: scan } = await startScan(server, { type: "NMAP", targets: ["10.9.0.2"], options: { ports: "1-1000" } });
  const outcome = tcpOutcome({ ports: "1-1000", open: [22, 80] });
  const seen = { kind: "service" as const, key: "tcp/22", scope: "tcp/22", protocol: "tcp" as const, port: 22, tls: false, cpe: [] };
  await finishTask(server, await claimSome(server), { ...outcome, observations: [seen] });
  const ended = await getScan(server, scan);
  const target = ended.targets[0]?.target_id ?? "";
  await server.api("PUT", `/v1/targets/${target}/auth`, login);
  const { body: risks } = await server.api<{ data: Risk[] }>("GET", "/v1/risks");
  let made = 0;
  const add = async (noun: string, body: object) => (await server.api<{ data: { id: string } }>("POST", `/v1/${noun}`, body)).body.data.id;
  const newSchedule = () => add("schedules", nightly);
  const newSource = () => add("sources", { source_type: "IMPORTED", name: "Branch office" });
  const renew = async (noun: ReceiverNoun, body: object) => {
    const { body: all } = await server.api<{ data: { id: string }[] }>("GET", `/v1/${noun}`);
    for (const { id } of all.data.slice(1)) await server.api("DELETE", `/v1/${noun}/${id}`);
    return add(noun, body);
  };
  const newWebhook = () => renew("webhooks", { url: receiverUrl });
  const newNotification = () => renew("notifications", { kind: "slack", url: receiverUrl });
  const newTarget = async () => (await server.api<{ data: Target }>("POST", "/v1/targets", { target: `made-${++made}.example` })).body.data.id;
  return {
    scan,
    target,
    root: "10.9.0.2",
    newTargetToProve: async () => {
      const { body } = await server.api<{ data: Target }>("POST", "/v1/targets", { target: `10.9.1.${++made}` });
      await server.api("POST", `/v1/targets/${body.data.id}/ownership`);
      return body.data.id;
    },
    recordedAt: "http://10.9.0.2/",
    report: await add("reports", { report_format: "HTML" }),
    schedule: await newSchedule(),
    newSchedule,
    webhook: await newWebhook(),
    newWebhook,
    notification: await newNotification(),
    newNotification,
    source: await newSource(),
    newSource,
    newDelivery: async (noun, id) => (await server.api<{ data: { id: string } }>("POST", `/v1/${noun}/${id}/ping`)).body.data.id,
    result: ended.results.at(-1)?.result_id ?? "",
    risk: risks.data[0]?.id ?? "",
    newTarget,
    newTargetWithLogin: async () => {
      const id = await newTarget();
      await server.api("PUT", `/v1/targets/${id}/auth`, login);
      return id;
    },
    newScan: async () => (await startScan(server, { type: "NMAP", targets: ["10.9.0.3"], options: { ports: "80" } })).id,
  };
}

/** The same of the sample data, by its lists. */
export async function findSampleWorld(server: TestServer, key: Record<string, string>): Promise<World> {
  const rows = async <T>(path: string) => (await server.api<{ data: T[] }>("GET", path, undefined, key)).body.data;
  const scans = await rows<Scan>("/v1/scans");
  const [target] = await rows<Target>("/v1/targets");
  const [risk] = await rows<Risk>("/v1/risks");
  const ended = scans.find(({ state, type }) => state === "SUCCEEDED" && type === "NMAP");
  const [report] = await rows<{ id: string }>("/v1/reports");
  const [schedule] = await rows<{ id: string }>("/v1/schedules");
  const [source] = await rows<{ id: string }>("/v1/sources");
  const sourceId = source?.id ?? "";
  const targetId = target?.id ?? "";
  const none = async () => "none";
  return {
    report: report?.id ?? "",
    source: sourceId,
    newSource: async () => sourceId,
    schedule: schedule?.id ?? "",
    ...{ newSchedule: none, webhook: "none", newWebhook: none, notification: "none", newNotification: none, newDelivery: none },
    scan: ended?.id ?? "",
    result: ended?.results.at(-1)?.result_id ?? "",
    risk: risk?.id ?? "",
    target: targetId,
    root: "none",
    newTargetToProve: none,
    recordedAt: `http://${target?.target}/`,
    newTarget: async () => targetId,
    newTargetWithLogin: async () => targetId,
    newScan: async () => scans.find(({ state }) => state === "RUNNING")?.id ?? "",
  };
}
