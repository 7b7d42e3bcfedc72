import { Problem } from "@periscan/contract/problem.ts";
import { z } from "zod";

interface Described {
  tag: string;
  summary: string;
  /** The statuses beside 200, 401, 429 and 5xx. */
  errors: number[];
}

interface Operation<A extends z.ZodType> extends Described {
  answer: A;
}

interface Parts {
  params?: z.ZodType;
  querystring?: z.ZodType;
  headers?: z.ZodType;
  body?: z.ZodType;
}

/** The schema of an operation: what fastify validates and what `openapi.json` says of it. */
export function operation<A extends z.ZodType, R extends Parts>(given: Operation<A> & R) {
  const { tag, summary, answer, errors, ...request } = given;
  const problems = Object.fromEntries([401, 429, ...errors].sort().map((status) => [status, Problem]));
  return {
    ...(request as unknown as Omit<R, keyof Operation<A>>),
    tags: [tag],
    summary,
    security: [{ key: [] }, { bearer: [] }],
    response: { 200: answer, ...problems } as { 200: A },
  };
}

interface FileOperation extends Described {
  /** Those that the file may have. */
  contentTypes: readonly string[];
  description: string;
  /** Kept as it is: then it has a tag, and a part of it can be asked for. */
  isKept: boolean;
}

/** The same of an operation that answers with a file. */
export function fileOperation<R extends Parts>({ contentTypes, description, isKept, ...given }: FileOperation & R) {
  const file = z.unknown().describe(description);
  const schema = operation({ ...given, answer: file } as unknown as Operation<typeof file> & R);
  const content = Object.fromEntries(contentTypes.map((type) => [type, { schema: z.unknown() }]));
  const kept = isKept
    ? {
        206: { description: "The part of the file that `Range` asks for.", content },
        304: z.null().describe("The file is the one that `If-None-Match` names."),
      }
    : {};
  return { ...schema, response: { ...schema.response, 200: { description, content }, ...kept } };
}
