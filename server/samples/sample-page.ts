import { foreignToken } from "../page.ts";

interface ListQuery {
  filters?: Record<string, string[] | undefined>;
  page_size: number;
  page_token?: string | undefined;
}

/** How a filter reads a row where it is not the field of its own name. */
type Readers<R> = Record<string, (row: R) => unknown>;

/** A page of rows that are in their order: as the lists of real data answer, over an array. `query` is what the operation's schema made of the request. */
export function makeSamplePage<R extends { id: string }>(rows: R[], query: unknown, readers: Readers<R> = {}): { data: R[]; next_page_token?: string } {
  const { filters = {}, page_size, page_token } = query as ListQuery;
  const matching = rows.filter((row) => Object.entries(filters).every(([key, wanted]) => wanted === undefined || matches(read(row, key, readers), wanted)));
  const start = page_token === undefined ? 0 : findStart(rows, matching, page_token);
  const data = matching.slice(start, start + page_size);
  const last = data.at(-1);
  return start + page_size < matching.length && last ? { data, next_page_token: Buffer.from(last.id).toString("base64url") } : { data };
}

function findStart<R extends { id: string }>(rows: R[], matching: R[], token: string): number {
  const id = Buffer.from(token, "base64url").toString();
  const position = rows.findIndex((row) => row.id === id);
  if (position < 0) throw foreignToken();
  const after = new Set(rows.slice(position + 1));
  const start = matching.findIndex((row) => after.has(row));
  return start < 0 ? matching.length : start;
}

/** `risk_definition.title` is the field of a field. */
const read = <R>(row: R, key: string, readers: Readers<R>): unknown =>
  readers[key] ? readers[key](row) : key.split(".").reduce<unknown>((value, part) => (value as Record<string, unknown> | undefined)?.[part], row);

const matches = (value: unknown, wanted: string[]): boolean => [value].flat().some((each) => wanted.includes(String(each)));
