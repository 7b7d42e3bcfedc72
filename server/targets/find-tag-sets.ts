import { type SQL, sql } from "drizzle-orm";
import type { Transaction } from "../db/connect.ts";

interface Wanted {
  workspaceId: string;
  tags: string[];
  /** Tag sets that are looked at. */
  most: number;
}

/**
 * The tag sets of the workspace's targets that have one of the tags; undefined where the workspace has more than `most` tag sets. They are
 * read from the index, one look for each, however many targets have it.
 */
export async function findTagSets(tx: Transaction, { workspaceId, tags, most }: Wanted): Promise<string[] | undefined> {
  const { rows } = await tx.execute<{ tag_set: string; matches: boolean }>(sql`
    with recursive known as (
      (${nextSet(workspaceId, sql``)})
      union all
      select next.* from known cross join lateral (${nextSet(workspaceId, sql`and target.tag_set > known.tag_set`)}) as next)
    select tag_set::text, tags && ${sql.param(tags)}::text[] as matches from known limit ${most + 1}`);
  return rows.length > most ? undefined : rows.filter(({ matches }) => matches).map(({ tag_set }) => tag_set);
}

const nextSet = (workspaceId: string, after: SQL): SQL => sql`
  select target.tag_set, target.tags from target where target.workspace_id = ${workspaceId}::uuid ${after} order by target.tag_set limit 1`;
