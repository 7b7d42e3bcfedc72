import { eq } from "drizzle-orm";
import type { Database, Transaction } from "../db/connect.ts";
import { importFile } from "../db/schema.ts";

export type ImportFile = typeof importFile.$inferSelect;

/** A file of the largest size takes a few minutes. */
export const importDeadlineSeconds = 3600;

/** Where the files of imports lie in the store. */
export const importFolder = "imports";

/** Where the file lies in the store until the scan's results are made. */
export const importName = (scanId: string): string => `${importFolder}/${scanId}`;

/** The file of an imported scan; undefined where the scan is none. */
export async function findImportFile(db: Database | Transaction, scanId: string): Promise<ImportFile | undefined> {
  const [row] = await db.select().from(importFile).where(eq(importFile.scanId, scanId));
  return row;
}
