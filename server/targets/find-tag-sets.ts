import { and, arrayOverlaps, eq } from "drizzle-orm";
import type { Transaction } from "../db/connect.ts";
import { tagSet } from "../db/schema.ts";

interface Wanted {
  workspaceId: string;
  tags: string[];
  /** Of more it is not told which they are. */
  most: number;
}

/** The tag sets of the workspace that have one of the tags; undefined where they are more than `most`. */
export async function findTagSets(tx: Transaction, { workspaceId, tags, most }: Wanted): Promise<string[] | undefined> {
  const rows = await tx
    .select({ tagSet: tagSet.tagSet })
    .from(tagSet)
    .where(and(eq(tagSet.workspaceId, workspaceId), arrayOverlaps(tagSet.tags, tags)))
    .limit(most + 1);
  return rows.length > most ? undefined : rows.map((row) => row.tagSet);
}
