import type { NewReport } from "@periscan/contract/report.ts";
import { sql } from "drizzle-orm";
import { fromDrizzle } from "pg-boss";
import { v7 as uuidv7 } from "uuid";
import { report } from "../db/schema.ts";
import { reportQueue } from "../queue/start-queue.ts";
import type { Services } from "../services.ts";
import { readScope } from "./report-scope.ts";

/** Accepts a report and queues the job that makes it, in one transaction. Answers its id. */
export async function createReport({ db, boss }: Services, workspaceId: string, input: NewReport): Promise<string> {
  return db.transaction(async (tx) => {
    const { targetsFilter, risksFilter } = await readScope(tx, workspaceId, input);
    const id = uuidv7();
    await tx.insert(report).values({ id, workspaceId, format: input.report_format, targetsFilter, risksFilter });
    await boss.send(reportQueue, { reportId: id }, { id, db: fromDrizzle(tx, sql) });
    return id;
  });
}
