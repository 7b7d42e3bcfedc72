import { type Column, type SQL, sql } from "drizzle-orm";

/** That the column has one of the ids, as one parameter: drizzle's `inArray` makes a parameter of each, which takes it 2 ms for the ids of a page. */
export const isOneOf = (column: Column, ids: string[]): SQL => sql`${column} = any(${sql.param(ids)}::uuid[])`;
