import { type SQL, sql } from "drizzle-orm";

/** A column in front of the id in an index, and the values that are asked for. */
export interface StreamColumn {
  name: string;
  /** A query of one column. */
  values: SQL;
  count: number;
}

/** A column with these values. */
export const streamsOf = (name: string, type: "text" | "boolean", values: readonly string[]): StreamColumn => {
  const different = [...new Set(values)];
  return { name, values: sql`select unnest(${sql.param(different)}::${sql.raw(type)}[])`, count: different.length };
};

interface Merge {
  /** Each combination of their values is a stream; `from` calls them `stream.NAME`. */
  columns: StreamColumn[];
  /** `from … where …` of the rows of one stream, which an index has in the order of ids. */
  from: SQL;
  /** The id in `from`. */
  id: SQL;
  newestFirst: boolean;
  /** The id that the page before ended with. */
  beyond: string | undefined;
  limit: number;
}

/**
 * The first `limit` ids of all streams together; no row is in two of them. PostgreSQL reads an index in the order of ids only where all columns in front of the id
 * have one value; so each stream is read by itself. First a few rows of each, which show how far the page reaches at most, then of those that were
 * cut before that the rest as far as there.
 */
export function mergeStreams(merge: Merge): SQL {
  const { columns, from, id, newestFirst, beyond, limit } = merge;
  const order = newestFirst ? sql`desc` : sql`asc`;
  const isBeyond = (place: SQL) => (newestFirst ? sql`and ${id} < ${place}` : sql`and ${id} > ${place}`);
  const rows = (place: SQL | undefined, most: number, within = sql``) =>
    sql`select ${id} as id ${from} ${place ? isBeyond(place) : sql``} ${within} order by ${id} ${order} limit ${most}`;
  const begin = beyond === undefined ? undefined : sql`${beyond}::uuid`;
  if (columns.length === 0) return rows(begin, limit);
  const few = Math.min(limit, Math.ceil((2 * limit) / countStreams(columns)) + 8);
  const last = sql`stream.ids[${few}::int]`;
  const combinations = sql.join(
    columns.map(({ name, values }) => sql`(${values}) as ${sql.raw(`${name}(${name})`)}`),
    sql` cross join `,
  );
  // Fewer rows than a page have no end of it: then all are on it.
  const onPage = (place: SQL) =>
    newestFirst
      ? sql`${place} >= coalesce((select id from page_end), ${leastId}::uuid)`
      : sql`${place} <= coalesce((select id from page_end), ${greatestId}::uuid)`;
  return sql`
    with stream as materialized (select * from ${combinations}),
    first_look as materialized (select stream.*, array(${rows(begin, few)}) as ids from stream),
    page_end as materialized (select id from first_look, unnest(ids) as id order by id ${order} offset ${limit - 1} limit 1),
    second_look as (select more.id from first_look as stream cross join lateral (${rows(last, limit, sql`and ${onPage(id)}`)}) as more where ${last} is not null and ${onPage(last)})
    select id from (
      select first.id from first_look, unnest(ids) as first(id) where ${onPage(sql`first.id`)} union all select second.id from second_look as second
    ) as found order by id ${order} limit ${limit}`;
}

const countStreams = (columns: StreamColumn[]): number => columns.reduce((all, { count }) => all * count, 1);

const leastId = "00000000-0000-0000-0000-000000000000";
const greatestId = "ffffffff-ffff-ffff-ffff-ffffffffffff";
