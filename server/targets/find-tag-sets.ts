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
  const { rows } = await tx.execute<{ looked: number; matching: string[] }>(sql`
    with recursive known as (
      (${nextSet(workspaceId, sql``)})
      union all
      select next.* from known cross join lateral (${nextSet(workspaceId, sql`and target.tag_set > known.tag_set`)}) as next),
    looked as (select * from known limit ${most + 1})
    select count(*)::int as looked, coalesce(array_agg(tag_set::text) filter (where tags && ${sql.param(tags)}::text[]), '{}') as matching from looked`);
  const [found] = rows;
  return found && found.looked <= most ? found.matching : undefined;
}

const nextSet = (workspaceId: string, after: SQL): SQL => sql`
  select target.tag_set, target.tags from target where target.workspace_id = ${workspaceId}::uuid ${after} order by target.tag_set limit 1`;
