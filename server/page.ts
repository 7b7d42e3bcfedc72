import { z } from "zod";
import { ApiError } from "./api-error.ts";
import { findUnfit } from "./find-unfit.ts";

const uuidPattern = /^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/;

/** Whether a text can be one of our ids; anything else is simply not found. */
export const isId = (text: string): boolean => uuidPattern.test(text);

const maxPageSize = 500;

export const pageQuery = {
  page_size: z.coerce.number().int().min(1).max(maxPageSize).default(maxPageSize).describe("Rows on a page, 1 to 500."),
  // A client's loop may begin with an empty one.
  page_token: z
    .string()
    .max(200)
    .transform((token) => token || undefined)
    .optional()
    .describe("`next_page_token` of the page before."),
};

export const pageOf = <T extends z.ZodType>(row: T) => z.object({ data: z.array(row), next_page_token: z.string().optional() });

/** A token is the last row's id, made opaque. */
export function readPageToken(token: string | undefined): string | undefined {
  if (token === undefined) return undefined;
  const id = Buffer.from(token, "base64url").toString();
  if (!isId(id)) throw new ApiError(400, "request.invalid", "page_token is not one that this API gave out.", { field: "page_token" });
  return id;
}

/** `rows` holds one more than the page size where there is a next page. */
export function makePage<R extends { id: string }, T>(rows: R[], pageSize: number, presented: (row: R) => T): { data: T[]; next_page_token?: string } {
  const page = rows.slice(0, pageSize);
  const last = page.at(-1);
  const data = page.map(presented);
  return rows.length > pageSize && last ? { data, next_page_token: Buffer.from(last.id).toString("base64url") } : { data };
}

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
    .describe(`A JSON object, or bracket parameters. Keys: ${Object.keys(keys).join(", ")}; each an array of values, any of which may match.`);
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
  let parsed: unknown;
  try {
    parsed = JSON.parse(value);
  } catch {
    context.addIssue({ code: "custom", message: 'is not JSON; send an object such as {"status":["OPEN"]}' });
    return z.NEVER;
  }
  return fit(parsed, context);
}
