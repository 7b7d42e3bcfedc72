import { createHash } from "node:crypto";
import type { Readable } from "node:stream";
import type { ScanType } from "@periscan/contract/scan.ts";
import { parseTarget } from "@periscan/contract/target-syntax.ts";
import { and, eq, min } from "drizzle-orm";
import { v7 as uuidv7 } from "uuid";
import type { Transaction } from "../db/connect.ts";
import { importFile, scan, source } from "../db/schema.ts";
import { ApiError, notFound } from "../errors/api-error.ts";
import { recordScanEvent } from "../events/record-scan-event.ts";
import { checkStorage } from "../limits/quotas.ts";
import { importName } from "../outcomes/import-file.ts";
import { isId } from "../page.ts";
import type { Services } from "../services.ts";
import { addTasks } from "../tasks/task-rows.ts";
import { type ImportFields, tooLarge } from "./read-import-form.ts";

/** A file that lies in the store and that no scan has yet. */
export interface StoredFile {
  /** The id that its scan will have. */
  scanId: string;
  sha256: Buffer;
  sizeBytes: number;
  contentType: "application/xml" | "application/json";
}

export interface NewImport {
  workspaceId: string;
  fields: ImportFields;
  file: StoredFile;
}

/** Streams an upload into the store. Throws an ApiError 413 past `maxBytes`, and then nothing is kept. */
export async function storeUpload({ files }: Pick<Services, "files">, upload: Readable, maxBytes: number): Promise<StoredFile> {
  const scanId = uuidv7();
  const hash = createHash("sha256");
  let sizeBytes = 0;
  let first: number | undefined;
  async function* measure(): AsyncIterable<Uint8Array> {
    for await (const chunk of upload as AsyncIterable<Uint8Array>) {
      sizeBytes += chunk.byteLength;
      if (sizeBytes > maxBytes) throw tooLarge(maxBytes);
      hash.update(chunk);
      first ??= chunk.find((byte) => !blanks.has(byte));
      yield chunk;
    }
  }
  await files.write(importName(scanId), measure());
  // What the file is called when it is downloaded again: whether it is what its first character says is for the worker to see.
  return { scanId, sha256: hash.digest(), sizeBytes, contentType: first === lessThan ? "application/xml" : "application/json" };
}

/** White space, the bytes of a byte order mark, and the empty half of a character of UTF-16. */
const blanks = new Set([0, 9, 10, 13, 32, 0xef, 0xbb, 0xbf, 0xfe, 0xff]);
const lessThan = "<".charCodeAt(0);

/** The canonical text of the target that an import names, null where it names none. Throws an ApiError 400 on one that is none. */
export const readImportTarget = ({ target }: ImportFields): string | null => (target === undefined ? null : readTarget(target));

/**
 * Makes the scan whose one task is to read the file. Answers its id. It looks at nothing, so it neither counts against the workspace's allowance of
 * scans nor waits for others of them. Throws 400 on a target that is none, 403 where the workspace has no room for the file, and 404 on a source of another workspace. The caller rings the bell once it is committed.
 */
export async function createImportIn(tx: Transaction, { workspaceId, fields, file }: NewImport): Promise<string> {
  const target = readImportTarget(fields);
  const { scan_type: type, source_id: sourceId } = fields;
  await requireSource(tx, workspaceId, sourceId);
  const { scanId, ...facts } = file;
  await checkStorage(tx, workspaceId, facts.sizeBytes);
  await tx.insert(scan).values({ id: scanId, workspaceId, type, state: "QUEUED", options: {}, sourceId });
  const receivedAt = await findFirstReceipt(tx, { workspaceId, type, sha256: facts.sha256 });
  await tx.insert(importFile).values({ scanId, ...facts, target, ...(receivedAt ? { receivedAt } : {}) });
  await addTasks(tx, { scanId, workspaceId, type: "IMPORT", state: "queued", count: 1 });
  await recordScanEvent(tx, scanId, "scan.created");
  return scanId;
}

function readTarget(text: string): string {
  const parsed = parseTarget(text);
  if (!parsed.ok) throw new ApiError(400, "target.invalid", `target: ${parsed.reason}`, { field: "target" });
  const [one, ...more] = parsed.targets;
  if (!one || more.length > 0) throw new ApiError(400, "target.invalid", "target: give one target, not a block of addresses.", { field: "target" });
  return one.text;
}

/** Locked, so that it cannot be deleted before the scan that names it is there. */
async function requireSource(tx: Transaction, workspaceId: string, sourceId: string): Promise<void> {
  const found = isId(sourceId)
    ? await tx
        .select({ id: source.id })
        .from(source)
        .where(and(eq(source.id, sourceId), eq(source.workspaceId, workspaceId)))
        .for("key share")
    : [];
  if (found.length === 0) throw notFound("source", "source_id");
}

/** When this workspace first imported the same bytes as the same type: a file that has no date of its own must not get a later one each time. */
async function findFirstReceipt(tx: Transaction, { workspaceId, type, sha256 }: { workspaceId: string; type: ScanType; sha256: Buffer }): Promise<Date | null> {
  const [row] = await tx
    .select({ receivedAt: min(importFile.receivedAt) })
    .from(importFile)
    .innerJoin(scan, eq(scan.id, importFile.scanId))
    .where(and(eq(importFile.sha256, sha256), eq(scan.workspaceId, workspaceId), eq(scan.type, type)));
  return row?.receivedAt ?? null;
}
