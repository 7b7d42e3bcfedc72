import type { Risk } from "@periscan/contract/risk.ts";
import type { Scan } from "@periscan/contract/scan.ts";
import type { Target } from "@periscan/contract/target.ts";
import { claimSome, finishTask, getScan, startScan, type TestServer, tcpOutcome } from "./start-test-server.ts";

/** A workspace with one of each thing, or what makes one. */
export interface World {
  scan: string;
  result: string;
  risk: string;
  /** With a login and observations. */
  target: string;
  /** Makes one that may be deleted or changed. */
  newTarget(): Promise<string>;
  newTargetWithLogin(): Promise<string>;
  /** Makes one that has not ended. */
  newScan(): Promise<string>;
}

export interface GoodRequest {
  params?: Record<string, string>;
  query?: Record<string, string>;
  body?: Record<string, unknown>;
}

const login = { kind: "header", name: "Authorization", value: "Bearer x" };
const byTarget = ({ target }: World) => ({ params: { id: target } });
const byResult = ({ result }: World) => ({ params: { id: result } });
const list = { query: { page_size: "2", filters: "{}" } };

/** A good request of each operation of openapi.json; a new operation adds its own. What it destroys it makes first. */
export const goodRequests: Record<string, (world: World) => GoodRequest | Promise<GoodRequest>> = {
  "POST /v1/scans": ({ target }) => ({ body: { type: "NMAP", targets: ["10.9.0.1"], target_ids: [target], options: { ports: "80" } } }),
  "GET /v1/scans": () => list,
  "GET /v1/scans/{id}": ({ scan }) => ({ params: { id: scan } }),
  "POST /v1/scans/{id}/cancel": async ({ newScan }) => ({ params: { id: await newScan() } }),
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
  "GET /v1/risks": () => list,
  "GET /v1/risks/{id}": ({ risk }) => ({ params: { id: risk } }),
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
  const newTarget = async () => (await server.api<{ data: Target }>("POST", "/v1/targets", { target: `made-${++made}.example` })).body.data.id;
  return {
    scan,
    target,
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
  const targetId = target?.id ?? "";
  return {
    scan: ended?.id ?? "",
    result: ended?.results.at(-1)?.result_id ?? "",
    risk: risk?.id ?? "",
    target: targetId,
    newTarget: async () => targetId,
    newTargetWithLogin: async () => targetId,
    newScan: async () => scans.find(({ state }) => state === "RUNNING")?.id ?? "",
  };
}
