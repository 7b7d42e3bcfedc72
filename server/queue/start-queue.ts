import { PgBoss } from "pg-boss";
import type { Logger } from "pino";

/** Makes the files of an ended scan. */
export const renderQueue = "render-results";

/** Makes a report over targets and risks. */
export const reportQueue = "make-report";

/** The server's own background jobs. Tasks for workers are not here: their rows are their queue (docs/architecture.md says why). */
export async function startQueue(databaseUrl: string, log: Logger): Promise<PgBoss> {
  const boss = new PgBoss({
    connectionString: databaseUrl,
    application_name: "periscan-queue",
    useListenNotify: true,
    superviseIntervalSeconds: 1,
    monitorIntervalSeconds: 1,
    max: 6,
  });
  boss.on("error", (error) => log.warn({ err: error }, "queue error"));
  await boss.start();
  const patient = { notify: true, heartbeatSeconds: 10, expireInSeconds: 900, retryLimit: 5, retryDelay: 1, retryBackoff: true, retryDelayMax: 60 };
  for (const queue of [renderQueue, reportQueue]) await boss.createQueue(queue, patient);
  return boss;
}
