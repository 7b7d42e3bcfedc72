import { eq, sql } from "drizzle-orm";
import { v7 as uuidv7 } from "uuid";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Connection, connect, type Transaction } from "../db/connect.ts";
import { scan, type TaskState, task, workspace } from "../db/schema.ts";
import { startTestServer, type TestServer } from "../testing/start-test-server.ts";
import { addTasks, endTask, endTasksOfScan, maxFailures, releaseTasks, renewLease, requeueTask, reserveTask, startAttempt } from "./task-rows.ts";

let server: TestServer;
let connection: Connection;
const workspaceId = uuidv7();
beforeAll(async () => {
  server = await startTestServer();
  connection = await connect(server.databaseUrl, () => {});
  await connection.db.insert(workspace).values({ id: workspaceId, name: "task rows" });
});
afterAll(async () => {
  await connection.close();
  await server[Symbol.asyncDispose]();
});

const error = { code: "test", message: "It broke.", retry: true };

/** What happens to a task, each by the verb that does it. */
const events = {
  release: (tx: Transaction, { scanId }: Of) => releaseTasks(tx, scanId),
  reserve: (tx: Transaction, { taskId }: Of) => tx.execute(sql`with picked as (select ${taskId}::uuid as id) ${reserveTask}`),
  start: (tx: Transaction, { taskId }: Of) => startAttempt(tx, taskId, { workerName: "test", deadlineSeconds: 60 }),
  renew: (tx: Transaction, { taskId }: Of) => renewLease(tx, taskId, { progress: 0.5, learned: true }),
  requeue: (tx: Transaction, { taskId }: Of) => requeueTask(tx, taskId, error),
  "end one": (tx: Transaction, { taskId }: Of) => endTask(tx, taskId, error),
  "end all of the scan": (tx: Transaction, { scanId }: Of) => endTasksOfScan(tx, scanId, error),
};
type Event = keyof typeof events;

/** The table in the docstring of task-rows.ts: what is not here changes nothing. */
const table: Record<TaskState, Partial<Record<Event, TaskState>>> = {
  held: { release: "queued", "end one": "ended", "end all of the scan": "ended" },
  queued: { reserve: "queued", start: "running", "end one": "ended", "end all of the scan": "ended" },
  running: { renew: "running", requeue: "queued", "end one": "ended", "end all of the scan": "ended" },
  ended: {},
};

interface Of {
  taskId: string;
  scanId: string;
}

/** A task in this state, in a scan of its own, made by the verbs alone. */
async function makeTask(tx: Transaction, state: TaskState): Promise<Of> {
  const scanId = uuidv7();
  await tx.insert(scan).values({ id: scanId, workspaceId, type: "NMAP", state: "QUEUED", options: {} });
  const [taskId = ""] = await addTasks(tx, { scanId, workspaceId, type: "NMAP", state: state === "held" ? "held" : "queued", count: 1 });
  if (state === "running") await startAttempt(tx, taskId, { workerName: "test", deadlineSeconds: 60 });
  if (state === "ended") await endTask(tx, taskId);
  return { taskId, scanId };
}

const load = async (tx: Transaction, { taskId }: Of) => (await tx.select().from(task).where(eq(task.id, taskId)))[0];

class RolledBack extends Error {}

/** Leaves nothing for the server's reaper. */
async function rollBack(action: (tx: Transaction) => Promise<void>): Promise<void> {
  const running = connection.db.transaction(async (tx) => {
    await action(tx);
    throw new RolledBack();
  });
  await expect(running).rejects.toThrow(RolledBack);
}

const cells = (Object.keys(table) as TaskState[]).flatMap((state) =>
  (Object.keys(events) as Event[]).map((event) => ({ state, event, after: table[state][event] })),
);

describe("every state and event of a task", () => {
  test.each(cells)("$state, $event: $after", async ({ state, event, after }) => {
    await rollBack(async (tx) => {
      const of = await makeTask(tx, state);
      const before = await load(tx, of);
      await events[event](tx, of);
      const now = await load(tx, of);
      if (after === undefined) expect(now).toEqual(before);
      else {
        expect(now?.state).toBe(after);
        expect(now).not.toEqual(before);
      }
    });
  });
});

test("an attempt has the next number, a lease and a deadline; a task that is not running has no lease", async () => {
  await rollBack(async (tx) => {
    const of = await makeTask(tx, "queued");
    for (const attempt of [1, 2]) {
      expect(await startAttempt(tx, of.taskId, { workerName: "test", deadlineSeconds: 60 })).toMatchObject({ attempt, progress: 0, workerName: "test" });
      expect(await load(tx, of)).toMatchObject({ leaseUntil: expect.any(Date), deadlineAt: expect.any(Date), reservedUntil: null });
      expect(await requeueTask(tx, of.taskId, error)).toBe(true);
      expect(await load(tx, of)).toMatchObject({ leaseUntil: null, failures: attempt, errorCode: "test" });
    }
  });
});

test("a task that fails again and again is not queued again, but for one that learned something meanwhile", async () => {
  await rollBack(async (tx) => {
    const of = await makeTask(tx, "queued");
    const fail = async () => {
      await startAttempt(tx, of.taskId, { workerName: "test", deadlineSeconds: 60 });
      return requeueTask(tx, of.taskId, error);
    };
    for (let failures = 1; failures < maxFailures; failures++) expect(await fail()).toBe(true);
    await startAttempt(tx, of.taskId, { workerName: "test", deadlineSeconds: 60 });
    await renewLease(tx, of.taskId, { learned: true });
    expect(await requeueTask(tx, of.taskId, error)).toBe(true);
    for (let failures = 2; failures < maxFailures; failures++) expect(await fail()).toBe(true);
    expect(await fail()).toBe(false);
  });
});

test("progress never runs backwards within an attempt", async () => {
  await rollBack(async (tx) => {
    const of = await makeTask(tx, "running");
    for (const progress of [0.4, 0.2]) await renewLease(tx, of.taskId, { progress });
    expect((await load(tx, of))?.progress).toBeCloseTo(0.4);
  });
});
