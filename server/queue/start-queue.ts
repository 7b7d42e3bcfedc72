import { sql } from "drizzle-orm";
import { fromDrizzle, PgBoss } from "pg-boss";
import type { Logger } from "pino";
import type { Transaction } from "../db/connect.ts";
import type { FileJob } from "./file-job.ts";

/** Small files have a queue, a maker and a thread of their own: no large one is ever made in front of them. */
export const fileQueues = ["files-small", "files-large"] as const;
export type FileQueue = (typeof fileQueues)[number];

/** How often what could not be made is tried again, with growing pauses. */
export const retryLimit = 5;

/** The server's own background jobs. Tasks for workers are not here: their rows are their queue (docs/architecture.md says why). */
export async function startQueue(databaseUrl: string, log: Logger): Promise<PgBoss> {
  const boss = new PgBoss({
    connectionString: databaseUrl,
    application_name: "periscan-queue",
    // Jobs of a server that died are noticed by both: the first looks, the second says how old what it saw may be.
    superviseIntervalSeconds: 5,
    monitorIntervalSeconds: 5,
    max: 6,
  });
  boss.on("error", (error) => log.warn({ err: error }, "queue error"));
  await boss.start();
  const patient = { heartbeatSeconds: 10, expireInSeconds: 900, retryLimit, retryDelay: 1, retryBackoff: true, retryDelayMax: 60 };
  for (const queue of fileQueues) await boss.createQueue(queue, patient);
  return boss;
}

/** Queues what is to be made, in the transaction that asks for it. Workspaces take turns: the job's group is its workspace. */
export async function queueFiles(tx: Transaction, boss: PgBoss, { job, isLarge }: { job: FileJob; isLarge: boolean }): Promise<void> {
  await boss.send(queueOf(isLarge), job, { id: job.ofId, group: { id: job.workspaceId }, db: fromDrizzle(tx, sql) });
}

/** The same once more, of what could not be made. False where that was done within the last `seconds`. */
export async function queueAgain(boss: PgBoss, { job, isLarge }: { job: FileJob; isLarge: boolean }, seconds: number): Promise<boolean> {
  const id = await boss.send(queueOf(isLarge), job, { group: { id: job.workspaceId }, singletonKey: job.ofId, singletonSeconds: seconds });
  return id !== null;
}

const queueOf = (isLarge: boolean): FileQueue => (isLarge ? "files-large" : "files-small");
