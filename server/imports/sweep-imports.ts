import { basename } from "node:path";
import { inArray } from "drizzle-orm";
import { importFile } from "../db/schema.ts";
import { importFolder } from "../outcomes/import-file.ts";
import { isId } from "../page.ts";
import type { Services } from "../services.ts";

/** An upload that still comes changes its file all the time, and one that is whole has its scan a moment later. */
const sweptAfterHours = 1;

/**
 * Removes the files that uploads left behind whose server died before their scan was made, and those of scans that are gone. Safe in any number of servers
 * at once. Answers how many it removed.
 */
export async function sweepImports({ db, files }: Pick<Services, "db" | "files">, now = new Date()): Promise<number> {
  const before = now.getTime() - sweptAfterHours * 3_600_000;
  const old = (await files.list(importFolder)).filter(({ changedAt }) => changedAt.getTime() < before).map(({ name }) => name);
  const named = old.map((name) => basename(name)).filter(isId);
  const kept = new Set(
    named.length === 0
      ? []
      : (await db.select({ scanId: importFile.scanId }).from(importFile).where(inArray(importFile.scanId, named))).map(({ scanId }) => scanId),
  );
  const lost = old.filter((name) => !kept.has(basename(name)));
  for (const name of lost) await files.remove(name);
  return lost.length;
}
