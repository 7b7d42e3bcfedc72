import type { ScanDocument } from "@periscan/contract/scan-document.ts";
import type { NativeFacts } from "@periscan/engines/kit/engine.ts";
import { findEngine } from "@periscan/engines/registry.ts";
import { and, asc, eq, ne } from "drizzle-orm";
import type { Database } from "../db/connect.ts";
import { result, scan } from "../db/schema.ts";
import type { FileStore } from "../file-store.ts";
import { findImportFile, importName } from "../imports/import-file.ts";
import { renderResult } from "../render/render-result.ts";
import type { Services } from "../services.ts";
import { loadScanDocument } from "./load-scan-document.ts";
import { loadShownTargets, type ShownTargetRow } from "./present-scan.ts";

type ResultRow = typeof result.$inferSelect;
type ScanRow = typeof scan.$inferSelect;

/** Where the file of a result lies in the store. */
export const resultFile = ({ scanId, id }: Pick<ResultRow, "scanId" | "id">): string => `results/${scanId}/${id}`;

/** Where one attempt's native output of one target lies until the scan's file is made of them. */
export const nativePart = (scanId: string, targetId: string, attempt: number): string => `native/${scanId}/${targetId}.${attempt}`;

/**
 * Makes the files of an ended scan that are not ready yet; made again they are the same. One that fails does not keep the others from being
 * made. Throws an AggregateError of what failed.
 */
export async function makeResults(services: Pick<Services, "db" | "files">, scanId: string): Promise<void> {
  const { db } = services;
  const [owner] = await db.select().from(scan).where(eq(scan.id, scanId));
  if (!owner) return;
  const pending = await db
    .select()
    .from(result)
    .where(and(eq(result.scanId, scanId), ne(result.state, "ready")))
    .orderBy(asc(result.id));
  const document = await loadScanDocument(db, scanId);
  const failures: unknown[] = [];
  for (const row of pending) {
    try {
      await makeResult(services, { owner, row, document });
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0) throw new AggregateError(failures, `${failures.length} of the scan's files could not be made`);
  // Native output came before its outcome, so there may be some of outcomes that never came, and of scans without a native file.
  await services.files.remove(importName(scanId));
  await services.files.remove(`native/${scanId}`);
}

async function makeResult(
  { db, files }: Pick<Services, "db" | "files">,
  { owner, row, document }: { owner: ScanRow; row: ResultRow; document: ScanDocument },
): Promise<void> {
  const content = row.kind === "native" ? await readNative(db, files, owner) : [await renderResult(row.kind, document)];
  await files.write(resultFile(row), toAsync(content));
  await db.update(result).set({ state: "ready", error: null }).where(eq(result.id, row.id));
}

/** After the last try: the reader of a file is told, and the log has the cause. */
export async function failResults(db: Database, scanId: string): Promise<void> {
  await db
    .update(result)
    .set({ state: "failed", error: "The file could not be made; the server's log says why." })
    .where(and(eq(result.scanId, scanId), eq(result.state, "pending")));
}

const readNative = async (db: Database, files: FileStore, owner: ScanRow) =>
  (await findImportFile(db, owner.id)) ? files.read(importName(owner.id)) : joinNativeParts(db, files, owner);

async function* joinNativeParts(db: Database, files: FileStore, row: ScanRow): AsyncIterable<Uint8Array | string> {
  const engine = findEngine(row.type);
  const targets = await loadShownTargets(db, [row.id]);
  const facts = describeRun(row, targets);
  yield engine.native.head(facts);
  let first = true;
  for (const { target_id: targetId, attempt, has_native: hasNative } of targets) {
    if (!hasNative || attempt === null) continue;
    if (!first) yield engine.native.separator;
    first = false;
    yield* files.read(nativePart(row.id, targetId, attempt));
  }
  yield engine.native.tail(facts);
}

function describeRun(row: ScanRow, targets: ShownTargetRow[]): NativeFacts {
  const looked = targets.filter(({ kind }) => kind === "complete" || kind === "partial");
  return {
    type: row.type,
    engineVersion: targets.find(({ engine_version }) => engine_version)?.engine_version ?? "",
    startedAt: row.startedAt ?? row.createdAt,
    finishedAt: row.finishedAt ?? row.createdAt,
    reached: looked.length,
    unreached: targets.filter(({ kind }) => kind === "unreachable").length,
    succeeded: row.state === "SUCCEEDED",
    looks: looked.map(({ coverage, notes }) => ({ coverage, notes })),
  };
}

async function* toAsync<T>(items: Iterable<T> | AsyncIterable<T>): AsyncIterable<T> {
  yield* items;
}
