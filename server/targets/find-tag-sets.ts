import { type SQL, sql } from "drizzle-orm";
import type { Transaction } from "../db/connect.ts";

/** Tag sets, which stay in the database: of a tag on many targets they may be thousands. */
export interface TagSets {
  /** A query of one column. */
  select: SQL;
  count: number;
}

interface Wanted {
  workspaceId: string;
  tags: string[];
  /** Of more it is not told which they are. */
  most: number;
}

/** The tag sets of the workspace that have one of the tags; undefined where they are more than `most`. */
export async function findTagSets(tx: Transaction, { workspaceId, tags, most }: Wanted): Promise<TagSets | undefined> {
  const select = selectTagSets(workspaceId, tags);
  const { rows } = await tx.execute<{ count: number }>(sql`select count(*)::int as count from (${select} limit ${most + 1}) as counted`);
  const count = rows[0]?.count ?? 0;
  return count > most ? undefined : { select, count };
}

export const selectTagSets = (workspaceId: string, tags: string[]): SQL =>
  sql`select tag_set.tag_set from tag_set where tag_set.workspace_id = ${workspaceId}::uuid and tag_set.tags && ${sql.param(tags)}::text[]`;
