import type { NativeFacts } from "@periscan/engines/kit/engine.ts";
import { findEngine } from "@periscan/engines/registry.ts";
import { and, asc, eq, sql } from "drizzle-orm";
import type { Database } from "../db/connect.ts";
import { result, scan, scanTarget } from "../db/schema.ts";
import type { FileStore } from "../file-store.ts";
import { renderResult } from "../render/render-result.ts";
import type { Services } from "../services.ts";
import { loadScanDocument } from "./load-scan-document.ts";

type ResultRow = typeof result.$inferSelect;
type ScanRow = typeof scan.$inferSelect;

/** Where the file of a result lies in the store. */
export const resultFile = ({ scanId, id }: Pick<ResultRow, "scanId" | "id">): string => `results/${scanId}/${id}`;

/** Where one attempt's native output of one target lies until the scan's file is made of them. */
export const nativePart = (scanId: string, targetId: string, attempt: number): string => `native/${scanId}/${targetId}.${attempt}`;

/** Makes the file of a result and marks it ready; made again it is the same file. Nothing happens where the result is gone, or ready. */
export async function makeResult({ db, files }: Pick<Services, "db" | "files">, resultId: string): Promise<void> {
  const [row] = await db.select().from(result).innerJoin(scan, eq(scan.id, result.scanId)).where(eq(result.id, resultId));
  if (!row || row.result.state === "ready") return;
  const { kind } = row.result;
  const content = kind === "native" ? joinNativeParts(db, files, row.scan) : [await renderResult(kind, await loadScanDocument(db, row.scan.id))];
  await files.write(resultFile(row.result), toAsync(content));
  await db.update(result).set({ state: "ready", error: null }).where(eq(result.id, resultId));
  if (kind === "native") await files.remove(`native/${row.scan.id}`);
}

/** After the last try: the reader of the file is told, and the log has the cause. */
export async function failResult(db: Database, resultId: string): Promise<void> {
  await db
    .update(result)
    .set({ state: "failed", error: "The file could not be made; the server's log says why." })
    .where(and(eq(result.id, resultId), sql`state <> 'ready'`));
}

async function* joinNativeParts(db: Database, files: FileStore, row: ScanRow): AsyncIterable<Uint8Array | string> {
  const engine = findEngine(row.type);
  if (!engine) throw new Error(`scan ${row.id} has no engine`);
  const targets = await db.select().from(scanTarget).where(eq(scanTarget.scanId, row.id)).orderBy(asc(scanTarget.ordinal));
  const facts = describeRun(row, targets);
  yield engine.native.head(facts);
  let first = true;
  for (const { targetId, attempt, hasNative } of targets) {
    if (!hasNative || attempt === null) continue;
    if (!first) yield engine.native.separator;
    first = false;
    yield* files.read(nativePart(row.id, targetId, attempt));
  }
  yield engine.native.tail(facts);
}

function describeRun(row: ScanRow, targets: (typeof scanTarget.$inferSelect)[]): NativeFacts {
  return {
    type: row.type as NativeFacts["type"],
    engineVersion: targets.find(({ engineVersion }) => engineVersion)?.engineVersion ?? "",
    startedAt: row.startedAt ?? row.createdAt,
    finishedAt: row.finishedAt ?? row.createdAt,
    reached: targets.filter(({ kind }) => kind === "complete" || kind === "partial").length,
    unreached: targets.filter(({ kind }) => kind === "unreachable").length,
    succeeded: row.state === "SUCCEEDED",
  };
}

async function* toAsync<T>(items: Iterable<T> | AsyncIterable<T>): AsyncIterable<T> {
  yield* items;
}
