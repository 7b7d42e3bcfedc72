import type { NewReport } from "@periscan/contract/report.ts";
import { sql } from "drizzle-orm";
import { v7 as uuidv7 } from "uuid";
import type { Transaction } from "../db/connect.ts";
import { report } from "../db/schema.ts";
import { checkStorage } from "../limits/quotas.ts";
import { enoughToKnow, type FileSize, isLargeFile } from "../queue/file-job.ts";
import { queueFiles } from "../queue/start-queue.ts";
import type { Services } from "../services.ts";
import { readScope } from "./report-scope.ts";

/** Accepts a report and queues the job that makes it. Answers its id. Throws 403 where the workspace has no room for its file. */
export async function createReportIn(tx: Transaction, { boss }: Pick<Services, "boss">, workspaceId: string, input: NewReport): Promise<string> {
  const { targetsFilter, risksFilter } = await readScope(tx, workspaceId, input);
  await checkStorage(tx, workspaceId);
  const id = uuidv7();
  await tx.insert(report).values({ id, workspaceId, format: input.report_format, targetsFilter, risksFilter });
  const isLarge = isLargeFile(await sizeWorkspace(tx, workspaceId));
  await queueFiles(tx, boss, { job: { kind: "report", ofId: id, workspaceId }, isLarge });
  return id;
}

/** How much the report may have to read, whatever its filters leave of it: counted as far as it matters. */
async function sizeWorkspace(tx: Transaction, workspaceId: string): Promise<FileSize> {
  const { rows } = await tx.execute<{ risks: number; targets: number }>(sql`
    select (select count(*)::int from (select 1 from risk where workspace_id = ${workspaceId} limit ${enoughToKnow.risks}) as few) as risks,
      (select count(*)::int from (select 1 from target where workspace_id = ${workspaceId} limit ${enoughToKnow.targets}) as few) as targets`);
  return rows[0] ?? enoughToKnow;
}
