import { type SQL, sql } from "drizzle-orm";
import type { Database, Transaction } from "../db/connect.ts";
import { isOneOf } from "../db/is-one-of.ts";
import { mergeStreams, type StreamColumn, streamsOf } from "../db/merge-streams.ts";
import { target } from "../db/schema.ts";
import { findTagSets, type TagSets } from "./find-tag-sets.ts";
import { canonicalTexts } from "./read-targets.ts";
import type { TargetRow } from "./target-rows.ts";

interface Wanted {
  workspaceId: string;
  filters: { tags?: string[] | undefined; target?: string[] | undefined; label?: string[] | undefined };
  /** The id that the page before ended with. */
  after: string | undefined;
  limit: number;
  mostTagSets?: number;
}

/** More would take longer to look at, one by one, than targets in order. */
const mostTagSets = 4000;

/** The workspace's targets that match every filter, oldest first, as they are at one moment. */
export async function listTargets(db: Database, wanted: Wanted): Promise<TargetRow[]> {
  return db.transaction((tx) => loadPage(tx, wanted), { isolationLevel: "repeatable read", accessMode: "read only" });
}

async function loadPage(tx: Transaction, wanted: Wanted): Promise<TargetRow[]> {
  const { tags } = wanted.filters;
  const tagSets = tags && (await findTagSets(tx, { workspaceId: wanted.workspaceId, tags, most: wanted.mostTagSets ?? mostTagSets }));
  if (tagSets?.count === 0) return [];
  const { rows } = await tx.execute<{ id: string }>(pickQuery(wanted, tagSets));
  const ids = rows.map(({ id }) => id);
  return ids.length === 0 ? [] : tx.select().from(target).where(isOneOf(target.id, ids)).orderBy(target.id);
}

/** `tagSets` is undefined where there are no tags to filter by, or too many sets: then the targets say which tags they have. */
function pickQuery({ workspaceId, filters, after, limit }: Wanted, tagSets: TagSets | undefined): SQL {
  const ours = sql`from target where target.workspace_id = ${workspaceId}::uuid`;
  const hasTags = tagSets
    ? sql`and (target.tag_set in (${tagSets.select})) is true`
    : filters.tags
      ? sql`and target.tags && ${sql.param(filters.tags)}::text[]`
      : sql``;
  const merge = (columns: StreamColumn[], from: SQL) => mergeStreams({ columns, from, id: sql`target.id`, newestFirst: false, beyond: after, limit });
  if (filters.target) {
    const texts = filters.target.flatMap(canonicalTexts);
    const isLabelled = filters.label ? sql`and target.label = any(${sql.param(filters.label)}::text[])` : sql``;
    const few = sql`select target.id ${ours} and target.target = any(${sql.param(texts)}::text[]) ${hasTags} ${isLabelled} offset 0`;
    return sql`select id from (${few}) as found ${after === undefined ? sql`` : sql`where id > ${after}::uuid`} order by id limit ${limit}`;
  }
  if (filters.label) return merge([streamsOf("label", "text", filters.label)], sql`${ours} and target.label = stream.label ${hasTags}`);
  if (tagSets) return merge([{ name: "tag_set", values: tagSets.select, count: tagSets.count }], sql`${ours} and target.tag_set = stream.tag_set`);
  return merge([], sql`${ours} ${hasTags}`);
}
