import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Outcome } from "@periscan/contract/outcome.ts";
import type { Scan, ScanType } from "@periscan/contract/scan.ts";
import type { Task } from "@periscan/contract/worker-protocol.ts";
import { openKeys } from "../access/keys.ts";
import { startEmbeddedPostgres } from "../db/embedded-postgres.ts";
import { type ServerSettings, startServer } from "../start-server.ts";

export interface Answer<T> {
  status: number;
  body: T;
}

/** A server of its own on a fresh database (or beside another on that one's), and the calls of a client and of a worker. The worker is the test itself: it says what it likes. */
export async function startTestServer(settings: Partial<ServerSettings> = {}) {
  const folder = await mkdtemp(join(tmpdir(), "periscan-server-"));
  await chmod(folder, 0o755);
  const postgres = settings.databaseUrl
    ? { url: settings.databaseUrl, stop: async () => {} }
    : await startEmbeddedPostgres({ folder: join(folder, "postgres"), unsafeFast: true });
  const keys = await openKeys(postgres.url);
  const { key } = await keys.createApiKey({ name: "test" });
  const { key: foreignKey } = await keys.createApiKey({ name: "foreign", workspace: "foreign" });
  const { token } = await keys.createEmbeddedToken();
  // Tests ask more than a person does; those of the limits set their own.
  const unlimited = { requestsPerMinute: 0, wrongKeysPerMinute: 0 };
  const server = await startServer({
    databaseUrl: postgres.url,
    host: "127.0.0.1",
    port: 0,
    dataFolder: folder,
    logLevel: "silent",
    hasOwnWorker: true,
    ...unlimited,
    ...settings,
  });

  async function call<T>(method: string, path: string, options: { body?: unknown; headers?: Record<string, string> } = {}): Promise<Answer<T>> {
    const json = options.body === undefined ? {} : { body: JSON.stringify(options.body) };
    const type = options.body === undefined ? {} : { "content-type": "application/json" };
    const response = await fetch(new URL(path, server.url), { method, ...json, headers: { ...type, ...options.headers } });
    const text = await response.text();
    return { status: response.status, body: (text.startsWith("{") ? JSON.parse(text) : text) as T };
  }
  const asClient = { "x-hostedscan-api-key": key };
  const asWorker = { authorization: `Bearer ${token}` };

  return {
    url: server.url,
    databaseUrl: postgres.url,
    keys,
    folder,
    apiKey: key,
    own: asClient,
    foreign: { "x-hostedscan-api-key": foreignKey },
    workerToken: token,
    api: <T>(method: string, path: string, body?: unknown, headers: Record<string, string> = asClient) => call<T>(method, path, { body, headers }),
    worker: <T>(method: string, path: string, body?: unknown) => call<T>(method, `/worker/v1${path}`, { body, headers: asWorker }),
    async [Symbol.asyncDispose]() {
      await server.stop();
      await keys.close();
      await postgres.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

export type TestServer = Awaited<ReturnType<typeof startTestServer>>;

export const startScan = async (server: TestServer, body: object): Promise<Scan> => (await server.api<{ data: Scan }>("POST", "/v1/scans", body)).body.data;

export const getScan = async (server: TestServer, id: string): Promise<Scan> => (await server.api<{ data: Scan }>("GET", `/v1/scans/${id}`)).body.data;

/** Looks until `check` answers something true, at most 30 s. */
export async function until(check: () => unknown): Promise<void> {
  const limit = performance.now() + 30_000;
  while (!(await check())) {
    if (performance.now() > limit) throw new Error("it did not happen within 30 s");
    await sleep(20);
  }
}

interface Claim {
  type?: ScanType;
  /** The types that fit into the worker's memory; all of its types where absent. */
  fitting?: ScanType[];
  waitSeconds?: number;
}

/** Claims as a worker that has the engine ready. */
export async function claim(server: TestServer, { type = "NMAP", fitting = [type], waitSeconds = 5 }: Claim = {}): Promise<Task | null> {
  const engines = [...new Set([type, ...fitting])].map((each) => ({ type: each, ready: true }));
  const request = { worker: { version: "0" }, engines, fitting, wait_seconds: waitSeconds };
  return (await server.worker<{ data: Task | null }>("POST", "/claim", request)).body.data;
}

export async function claimSome(server: TestServer): Promise<Task> {
  const task = await claim(server);
  if (!task) throw new Error("no task to claim");
  return task;
}

/** A complete look at these TCP ports, which found some of them open. */
export function tcpOutcome({ ports, open }: { ports: string; open: number[] }): Outcome {
  return {
    kind: "complete",
    coverage: { protocol: "tcp", ports, answered: true, unsure: "" },
    notes: [],
    detections: open.map((port) => ({
      key: `tcp/${port}`,
      scope: `tcp/${port}`,
      title: `Open TCP Port: ${port}`,
      threat_level: "LOW",
      description: "The port is open.",
      solution: "Close it where it is not needed.",
      references: [],
      additional_info: { port, protocol: "tcp" },
      detail: { port, protocol: "tcp", reason: "syn-ack" },
    })),
  };
}

type OutcomeOf = (target: string) => Outcome;

/** Sends one outcome for each target of a task and ends the attempt. */
export async function finishTask(server: TestServer, task: Task, of: Outcome | OutcomeOf): Promise<void> {
  for (const [index, { target_id, target }] of task.targets.entries()) {
    const outcome = typeof of === "function" ? of(target) : of;
    const report = { attempt: task.attempt, sequence: index + 1, target_id, resolved_target: "127.0.0.1", has_native: false, outcome };
    const sent = await server.worker("POST", `/tasks/${task.task_id}/outcomes`, report);
    if (sent.status !== 200) throw new Error(`outcome refused: ${JSON.stringify(sent.body)}`);
  }
  await server.worker("POST", `/tasks/${task.task_id}/end`, { attempt: task.attempt });
}

const oneOpenPort: OutcomeOf = () => tcpOutcome({ ports: "1-1000", open: [22] });

/** Works off NMAP tasks, with a port open on each target unless told otherwise, until the answer is called. NMAP_UDP is ready, and waits. */
export function keepWorking(server: TestServer, outcomeOf = oneOpenPort): () => Promise<void> {
  let isStopping = false;
  const work = async () => {
    while (!isStopping) {
      const task = await claim(server, { type: "NMAP_UDP", fitting: ["NMAP"], waitSeconds: 1 });
      if (task) await finishTask(server, task, outcomeOf);
    }
  };
  const working = work();
  return async () => {
    isStopping = true;
    await working;
  };
}
