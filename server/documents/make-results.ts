import type { NativeFacts } from "@periscan/engines/kit/engine.ts";
import { findEngine } from "@periscan/engines/registry.ts";
import { and, eq, ne } from "drizzle-orm";
import type { Database } from "../db/connect.ts";
import { result, scan, scanTarget } from "../db/schema.ts";
import type { FileStore } from "../files/file-store.ts";
import { findImportFile, importName } from "../outcomes/import-file.ts";
import { isLargeScan } from "../outcomes/is-large-scan.ts";
import { loadShownTargets, type ShownTargetRow } from "../present/load-shown.ts";
import { queueAgain } from "../queue/start-queue.ts";
import { renderResult } from "../render/render-result.ts";
import type { Services } from "../services.ts";
import { loadScanDocument } from "./load-scan-document.ts";

type ResultRow = typeof result.$inferSelect;
type ScanRow = typeof scan.$inferSelect;

/** Where the file of a result lies in the store. */
export const resultFile = ({ scanId, id }: Pick<ResultRow, "scanId" | "id">): string => `results/${scanId}/${id}`;

/** Where one attempt's native output of one target lies until the scan's file is made of them. */
export const nativePart = (scanId: string, targetId: string, attempt: number): string => `native/${scanId}/${targetId}.${attempt}`;

/**
 * Makes the files of an ended scan that are not ready yet; made again they are the same. One that fails does not keep the others from being
 * made. The native file comes first: it needs no more memory than a part of it, however large the scan. Throws an AggregateError of what failed.
 */
export async function makeResults(services: Pick<Services, "db" | "files">, scanId: string): Promise<void> {
  const { db } = services;
  const [owner] = await db.select().from(scan).where(eq(scan.id, scanId));
  if (!owner) return;
  const pending = await db
    .select()
    .from(result)
    .where(and(eq(result.scanId, scanId), ne(result.state, "ready")));
  pending.sort((a, b) => making.indexOf(a.kind) - making.indexOf(b.kind));
  const failures: unknown[] = [];
  const native = pending.filter(({ kind }) => kind === "native");
  await makeEach(services, native, failures, () => readNative(db, services.files, owner));
  if (failures.length === 0) {
    // Native output came before its outcome, so there may be some of outcomes that never came, and of scans without a native file.
    await services.files.remove(importName(scanId));
    await services.files.remove(`native/${scanId}`);
  }
  const rendered = pending.flatMap(({ kind, ...row }) => (kind === "native" ? [] : [{ ...row, kind }]));
  if (rendered.length > 0) {
    const document = await loadScanDocument(db, scanId);
    await makeEach(services, rendered, failures, async ({ kind }) => [await renderResult(kind, document)]);
  }
  if (failures.length > 0) throw new AggregateError(failures, `${failures.length} of the scan's files could not be made`);
}

/** The quick ones first: a PDF may take a minute. */
const making: ResultRow["kind"][] = ["native", "json", "html", "pdf"];

type Content = Iterable<Uint8Array | string> | AsyncIterable<Uint8Array | string>;
type FileRow = Pick<ResultRow, "id" | "scanId">;

async function makeEach<R extends FileRow>(services: Pick<Services, "db" | "files">, rows: R[], failures: unknown[], make: (row: R) => Promise<Content>) {
  for (const row of rows) {
    try {
      await keepFile(services, row, await make(row));
    } catch (error) {
      failures.push(error);
    }
  }
}

async function keepFile({ db, files }: Pick<Services, "db" | "files">, row: FileRow, content: Content): Promise<void> {
  await files.write(resultFile(row), toAsync(content));
  const sizeBytes = (await files.size(resultFile(row))) ?? 0;
  await db.update(result).set({ state: "ready", error: null, sizeBytes }).where(eq(result.id, row.id));
}

/** After the last try: the reader of a file is told, and the log has the cause. */
export async function failResults(db: Database, scanId: string): Promise<void> {
  await db
    .update(result)
    .set({ state: "failed", error: "The file could not be made; the server's log says why." })
    .where(and(eq(result.scanId, scanId), eq(result.state, "pending")));
}

/** So often, at most, the files of a scan are made again where they are asked for and could not be made: the disk may have been full, or a server have died. */
const againSeconds = 600;

/** Queues the files of a scan that are not there once more. False where that was done a moment ago. */
export async function makeAgain(
  { db, boss }: Pick<Services, "db" | "boss">,
  { scanId, workspaceId }: Pick<ResultRow, "scanId" | "workspaceId">,
): Promise<boolean> {
  const [row] = await db.select().from(scan).where(eq(scan.id, scanId));
  const { targetCounts: targets, riskCounts: risks } = row ?? {};
  const isLarge = isLargeScan({ targets, risks, file: await findImportFile(db, scanId) });
  if (!(await queueAgain(boss, { job: { kind: "results", ofId: scanId, workspaceId }, isLarge }, againSeconds))) return false;
  await db
    .update(result)
    .set({ state: "pending", error: null })
    .where(and(eq(result.scanId, scanId), eq(result.state, "failed")));
  return true;
}

const readNative = async (db: Database, files: FileStore, owner: ScanRow) =>
  (await findImportFile(db, owner.id)) ? files.read(importName(owner.id)) : joinNativeParts(db, files, owner);

async function* joinNativeParts(db: Database, files: FileStore, row: ScanRow): AsyncIterable<Uint8Array | string> {
  const engine = findEngine(row.type);
  const targets = await loadShownTargets(db, [row.id]);
  const facts = describeRun(row, targets, await loadCoverages(db, row.id));
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

async function loadCoverages(db: Database, scanId: string): Promise<Map<string, unknown>> {
  const rows = await db.select({ targetId: scanTarget.targetId, coverage: scanTarget.coverage }).from(scanTarget).where(eq(scanTarget.scanId, scanId));
  return new Map(rows.map(({ targetId, coverage }) => [targetId, coverage]));
}

function describeRun(row: ScanRow, targets: ShownTargetRow[], coverages: Map<string, unknown>): NativeFacts {
  const looked = targets.filter(({ kind }) => kind === "complete" || kind === "partial");
  return {
    type: row.type,
    engineVersion: targets.find(({ engine_version }) => engine_version)?.engine_version ?? "",
    startedAt: row.startedAt ?? row.createdAt,
    finishedAt: row.finishedAt ?? row.createdAt,
    reached: looked.length,
    unreached: targets.filter(({ kind }) => kind === "unreachable").length,
    succeeded: row.state === "SUCCEEDED",
    looks: looked.map(({ target_id, notes }) => ({ coverage: coverages.get(target_id), notes })),
  };
}

async function* toAsync<T>(items: Iterable<T> | AsyncIterable<T>): AsyncIterable<T> {
  yield* items;
}
