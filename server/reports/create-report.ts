import type { NewReport } from "@periscan/contract/report.ts";
import { sql } from "drizzle-orm";
import { fromDrizzle } from "pg-boss";
import { v7 as uuidv7 } from "uuid";
import type { Transaction } from "../db/connect.ts";
import { report } from "../db/schema.ts";
import { checkStorage } from "../limits/quotas.ts";
import { reportQueue } from "../queue/start-queue.ts";
import type { Services } from "../services.ts";
import { readScope } from "./report-scope.ts";

/** Accepts a report and queues the job that makes it. Answers its id. Throws 403 where the workspace has no room for its file. */
export async function createReportIn(tx: Transaction, { boss }: Pick<Services, "boss">, workspaceId: string, input: NewReport): Promise<string> {
  const { targetsFilter, risksFilter } = await readScope(tx, workspaceId, input);
  await checkStorage(tx, workspaceId);
  const id = uuidv7();
  await tx.insert(report).values({ id, workspaceId, format: input.report_format, targetsFilter, risksFilter });
  await boss.send(reportQueue, { reportId: id }, { id, db: fromDrizzle(tx, sql) });
  return id;
}
