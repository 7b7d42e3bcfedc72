import { type Column, type SQL, sql } from "drizzle-orm";

/** A `timestamptz`, a column or what a query calls one, as text that `Date.toISOString` would have made of it: `2026-11-28T16:50:04.593Z`. */
export const isoTime = (instant: Column | SQL): SQL<string> => sql<string>`to_char(${instant} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;
