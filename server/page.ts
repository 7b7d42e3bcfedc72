import { z } from "zod";
import { ApiError } from "./errors/api-error.ts";
import { findUnfit } from "./find-unfit.ts";

const uuidPattern = /^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/;

/** Whether a text can be one of our ids; anything else is simply not found. */
export const isId = (text: string): boolean => uuidPattern.test(text);

const maxPageSize = 500;

export const pageQuery = {
  page_size: z.coerce
    .number()
    .int()
    .min(1)
    .max(maxPageSize)
    .default(maxPageSize)
    .describe("Rows on a page, 1 to 500. A page ends earlier where its rows are longer than 2 MiB together; go on with its token."),
  // A client's loop may begin with an empty one.
  page_token: z
    .string()
    .max(200)
    .transform((token) => token || undefined)
    .optional()
    .describe("`next_page_token` of the page before."),
};

/** So large a page's rows may be as JSON: a page that would be larger ends before, and has a token. One row is always on it. */
export const mostPageBytes = 2 * 1024 * 1024;

export const pageOf = <T extends z.ZodType>(row: T) => z.object({ data: z.array(row), next_page_token: z.string().optional() });

/** A token is the last row's id, made opaque. */
export function readPageToken(token: string | undefined): string | undefined {
  if (token === undefined) return undefined;
  const id = Buffer.from(token, "base64url").toString();
  if (!isId(id)) throw foreignToken();
  return id;
}

export const foreignToken = (): ApiError => new ApiError(400, "request.invalid", "page_token is not one that this API gave out.", { field: "page_token" });

export interface Page<T> {
  data: T[];
  next_page_token?: string;
}

/** `rows` are all that there may be of a page, and one more where there is a next page. For rows that are short; `fillPage` is for those that may be long. */
export function makePage<R extends { id: string }, T>(rows: R[], pageSize: number, presented: (row: R) => T): Page<T> {
  return endPage(
    takeFitting(
      rows.slice(0, pageSize).map((row) => [row, presented(row)] as const),
      mostPageBytes,
    ).taken,
    rows,
    ({ id }) => id,
  );
}

interface Filling<R, T> {
  /** As of `makePage`: no more of each than says which it is. */
  rows: R[];
  pageSize: number;
  /** What is shown of these rows, in their order; undefined of one that has gone meanwhile. */
  load(rows: R[]): Promise<(T | undefined)[]>;
  /** What the token of a page says that ends with this row. */
  tokenOf(row: R): string;
}

/** How many rows are read at first; then as many as seem to fit, and at most twice as many as before. */
const firstStep = 25;

/** A page whose rows may be long: no more of them is read than about what fits on it. */
export async function fillPage<R, T>({ rows, pageSize, load, tokenOf }: Filling<R, T>): Promise<Page<T>> {
  const page = rows.slice(0, pageSize);
  const filled: (readonly [R, T | undefined])[] = [];
  let bytes = 0;
  for (let step = firstStep; filled.length < page.length; ) {
    const some = page.slice(filled.length, filled.length + step);
    const loaded = await load(some);
    const fitting = takeFitting(
      some.map((row, index) => [row, loaded[index]] as const),
      filled.length === 0 ? mostPageBytes : mostPageBytes - bytes,
      filled.length === 0,
    );
    filled.push(...fitting.taken);
    bytes += fitting.bytes;
    if (fitting.taken.length < some.length) break;
    step = Math.max(1, Math.min(step * 2, Math.floor(((mostPageBytes - bytes) * filled.length) / Math.max(1, bytes))));
  }
  return endPage(filled, rows, tokenOf);
}

type Presented<R, T> = readonly [row: R, shown: T | undefined];

/** Those from the first on that fit together into so many bytes of JSON; with `always` at least one. */
function takeFitting<R, T>(presented: Presented<R, T>[], most: number, always = true): { taken: Presented<R, T>[]; bytes: number } {
  let bytes = 0;
  for (const [index, [, shown]] of presented.entries()) {
    const size = shown === undefined ? 0 : Buffer.byteLength(JSON.stringify(shown)) + 1;
    if (bytes + size > most && !(always && index === 0)) return { taken: presented.slice(0, index), bytes };
    bytes += size;
  }
  return { taken: presented, bytes };
}

function endPage<R, T>(filled: Presented<R, T>[], rows: R[], tokenOf: (row: R) => string): Page<T> {
  const data = filled.flatMap(([, shown]) => (shown === undefined ? [] : [shown]));
  const last = filled.at(-1);
  return last && filled.length < rows.length ? { data, next_page_token: Buffer.from(tokenOf(last[0])).toString("base64url") } : { data };
}

/** The same with the rows' ids, and shown things that have them too, in any order. */
export function fillPageById<R extends { id: string }, T extends { id: string }>(
  rows: R[],
  pageSize: number,
  load: (rows: R[]) => Promise<T[]>,
): Promise<Page<T>> {
  return fillPage({
    rows,
    pageSize,
    tokenOf: ({ id }) => id,
    load: async (some) => {
      const byId = new Map((await load(some)).map((each) => [each.id, each]));
      return some.map(({ id }) => byId.get(id));
    },
  });
}

/** So long may the JSON of `filters` be, in bytes of UTF-8: with every byte percent-encoded it fits into what the server takes of an address (app.ts). It is about 400 ids. */
export const maxFiltersBytes = 16_000;

/**
 * The `filters` of a list. Clients send a JSON object in one parameter, or bracket parameters (`filters[status][]=OPEN`); each value is an
 * array (any of) or a single value. An unknown key is refused by name.
 */
export function filtersQuery<S extends Record<string, z.ZodType<string>>>(keys: S) {
  const shape = Object.fromEntries(Object.entries(keys).map(([key, value]) => [key, anyOf(value).optional()])) as unknown as {
    [K in keyof S]: z.ZodOptional<z.ZodType<z.infer<S[K]>[]>>;
  };
  return z
    .preprocess(parseJson, z.strictObject(shape).default({} as never))
    .meta({ "x-consume": "application/json" })
    .describe(
      `A JSON object, or bracket parameters. Keys: ${Object.keys(keys).join(", ")}; each an array of values, any of which may match. At most ${maxFiltersBytes.toLocaleString("en")} bytes of UTF-8.`,
    );
}

const anyOf = <V extends z.ZodType<string>>(value: V) => z.preprocess(toArray, z.array(value).min(1).max(500)) as unknown as z.ZodType<z.infer<V>[]>;

/** In JSON a value may be a boolean or a number. What is neither that nor text stays as it is, and is refused: as text it would match nothing, and seem to be clean. */
function toArray(value: unknown): unknown {
  if (value === undefined) return undefined;
  // Past its array limit the query parser makes an object of an indexed list.
  const values = typeof value === "object" && value !== null ? Object.values(value) : [value];
  return values.map((each) => (typeof each === "boolean" || typeof each === "number" ? String(each) : each));
}

function fit(value: unknown, context: z.RefinementCtx): unknown {
  const unfit = findUnfit(value);
  if (!unfit) return value;
  context.addIssue({ code: "custom", ...unfit });
  return z.NEVER;
}

function parseJson(value: unknown, context: z.RefinementCtx): unknown {
  if (typeof value !== "string") return fit(value, context);
  const refuse = (message: string) => {
    context.addIssue({ code: "custom", message });
    return z.NEVER;
  };
  if (Buffer.byteLength(value) > maxFiltersBytes) return refuse(`has more than ${maxFiltersBytes.toLocaleString("en")} bytes; ask in several requests`);
  let parsed: unknown;
  try {
    parsed = JSON.parse(value);
  } catch {
    return refuse('is not JSON; send an object such as {"status":["OPEN"]}');
  }
  return fit(parsed, context);
}
