import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { Scan } from "@periscan/contract/scan.ts";
import { sql } from "drizzle-orm";
import type { PgBoss } from "pg-boss";
import pino from "pino";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { openKeys } from "../access/keys.ts";
import { type Connection, connect } from "../db/connect.ts";
import { startEmbeddedPostgres } from "../db/embedded-postgres.ts";
import type { FileJob } from "../queue/file-job.ts";
import { type FileQueue, queueAgain, queueFiles, retryLimit, startQueue } from "../queue/start-queue.ts";
import { until } from "../testing/start-test-server.ts";
import { startFileLane } from "./file-lane.ts";

const log = pino({ level: "silent" });
const folder = mkdtempSync(join(tmpdir(), "periscan-lanes-"));
// PostgreSQL runs as an account of its own.
chmodSync(folder, 0o755);
let postgres: Awaited<ReturnType<typeof startEmbeddedPostgres>>;
let connection: Connection;
let boss: PgBoss;
beforeAll(async () => {
  postgres = await startEmbeddedPostgres({ folder: join(folder, "postgres"), unsafeFast: true });
  connection = await connect(postgres.url, () => {});
  boss = await startQueue(postgres.url, log);
});
afterAll(async () => {
  await boss.stop({ graceful: false });
  await connection.close();
  await postgres.stop();
  rmSync(folder, { recursive: true, force: true });
});

let made = 0;
async function queue(workspaceId: string, isLarge = false): Promise<string> {
  made += 1;
  const ofId = `00000000-0000-7000-8000-${made.toString().padStart(12, "0")}`;
  const job: FileJob = { kind: "results", ofId, workspaceId };
  await connection.db.transaction((tx) => queueFiles(tx, boss, { job, isLarge }));
  return ofId;
}

/** A lane whose maker does as it is told, and what it was given, in order. */
function openLane(name: FileQueue, make: (ofId: string) => Promise<void> = async () => {}) {
  const order: string[] = [];
  const failed: string[] = [];
  const maker = {
    make: async (_kind: string, ofId: string) => {
      order.push(ofId);
      await make(ofId);
    },
    stop: async () => {},
  };
  const stop = startFileLane({ boss, log, queue: name, maker, fail: async ({ ofId }) => void failed.push(ofId) });
  onTestFinished(stop);
  return { order, failed, stop };
}

test("workspaces take turns: one with many files and one with a single file alternate, oldest first within each", async () => {
  const many = [await queue("a"), await queue("a"), await queue("a"), await queue("a")];
  const few = [await queue("b"), await queue("b")];
  const one = await queue("c");
  const { order } = openLane("files-small");
  await until(() => order.length === 7);
  expect(order).toEqual([many[0], few[0], one, many[1], few[1], many[2], many[3]]);
});

test("one that comes while another's files are made is next", async () => {
  const many = [await queue("a"), await queue("a"), await queue("a")];
  let late = "";
  const { order } = openLane("files-small", async (ofId) => {
    if (ofId === many[0]) late = await queue("z");
  });
  await until(() => order.length === 4);
  expect(order).toEqual([many[0], late, many[1], many[2]]);
});

test("a small file waits for no large one", async () => {
  const release = Promise.withResolvers<void>();
  const large = openLane("files-large", () => release.promise);
  await queue("a", true);
  await queue("a", true);
  await until(() => large.order.length === 1);
  const small = openLane("files-small");
  const id = await queue("b");
  await until(() => small.order.length === 1);
  expect(small.order).toEqual([id]);
  expect(large.order).toHaveLength(1);
  release.resolve();
  await until(() => large.order.length === 2);
});

test("what cannot be made is tried again, then given up with a word, and keeps nothing else waiting", async () => {
  const bad = await queue("a");
  const good = await queue("a");
  const { order, failed } = openLane("files-small", async (ofId) => {
    if (ofId === bad) throw new Error("no room");
  });
  await until(async () => {
    await connection.db.execute(sql`update pgboss.job set start_after = now() where state = 'retry'`);
    return failed.length === 1;
  });
  expect(failed).toEqual([bad]);
  expect(order).toContain(good);
  expect(order.indexOf(good)).toBeLessThan(order.lastIndexOf(bad));
  expect(order.filter((id) => id === bad)).toHaveLength(retryLimit + 1);
  const again = { job: { kind: "results" as const, ofId: bad, workspaceId: "a" }, isLarge: false };
  expect([await queueAgain(boss, again, 600), await queueAgain(boss, again, 600)]).toEqual([true, false]);
  await until(() => order.filter((id) => id === bad).length === retryLimit + 2);
});

const serveFile = fileURLToPath(new URL("../testing/serve.ts", import.meta.url));

test("a server that is killed while it makes a large file loses nothing, and small ones are made meanwhile", async () => {
  const keys = await openKeys(postgres.url);
  const { key } = await keys.createApiKey({ name: "client" });
  await keys.close();
  const children: ChildProcess[] = [];
  onTestFinished(() => {
    for (const child of children) child.kill("SIGKILL");
  });
  const serve = async () => {
    const child = spawn(process.execPath, [serveFile, postgres.url, folder], { stdio: ["ignore", "pipe", "inherit"] });
    children.push(child);
    const [url] = (await once(createInterface({ input: child.stdout }), "line")) as [string];
    return { child, url };
  };
  const headers = { "x-hostedscan-api-key": key, "content-type": "application/json" };
  const scan = async (url: string, targets: string[]): Promise<Scan> => {
    const answer = await fetch(new URL("/v1/scans", url), { method: "POST", headers, body: JSON.stringify({ type: "NMAP", targets }) });
    return ((await answer.json()) as { data: Scan }).data;
  };
  const download = async (url: string, { results }: Scan) =>
    Promise.all(results.map(async ({ result_id }) => (await fetch(new URL(`/v1/results/${result_id}`, url), { headers })).status));
  const stateOf = async (id: string) => (await connection.db.execute<{ state: string }>(sql`select state from pgboss.job where id = ${id}`)).rows[0]?.state;

  const doomed = await serve();
  const large = await scan(
    doomed.url,
    Array.from({ length: 510 }, (_, index) => `169.254.${index >> 8}.${index & 255}`),
  );
  await until(async () => (await stateOf(large.id)) === "active");
  doomed.child.kill("SIGKILL");
  await once(doomed.child, "exit");
  const survivor = await serve();
  const small = await scan(survivor.url, ["169.254.0.1"]);
  expect(await download(survivor.url, small)).toEqual([200, 200, 200]);
  expect(await stateOf(large.id)).toBe("active");
  // The dead server's heartbeats run out.
  await connection.db.execute(sql`update pgboss.job set heartbeat_on = now() - interval '1 minute' where id = ${large.id}`);
  expect(await download(survivor.url, large)).toEqual([200, 200, 200]);
});
