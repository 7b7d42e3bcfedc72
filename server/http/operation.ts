import { Problem } from "@periscan/contract/problem.ts";
import { z } from "zod";

interface Described {
  tag: string;
  summary: string;
  /** The statuses beside 200, 401, 429, 431 and 5xx. */
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
export const operation = <A extends z.ZodType, R extends Parts>({ answer, ...given }: Operation<A> & R) => describe<R, { 200: A }>(given, { 200: answer });

interface FileOperation extends Described {
  /** Those that the file may have. */
  contentTypes: readonly string[];
  description: string;
  /** Kept as it is: then it has a tag, and a part of it can be asked for. */
  isKept: boolean;
}

/** The same of an operation that answers with a file. */
export function fileOperation<R extends Parts>({ contentTypes, description, isKept, ...given }: FileOperation & R) {
  const content = Object.fromEntries(contentTypes.map((type) => [type, { schema: z.unknown().meta({ type: "string", format: "binary" }) }]));
  const kept = {
    206: { description: "The part of the file that `Range` asks for.", content },
    304: z.null().describe("The file is the one that `If-None-Match` names."),
  };
  return describe<R, { 200: { description: string; content: typeof content } }>(given, { 200: { description, content }, ...(isKept ? kept : {}) });
}

function describe<R extends Parts, A>(given: Described, answers: A) {
  const { tag, summary, errors, ...request } = given;
  const problems = Object.fromEntries([401, 429, 431, ...errors].sort().map((status) => [status, Problem]));
  return {
    ...(request as unknown as Omit<R, keyof Operation<z.ZodType> | keyof FileOperation>),
    tags: [tag],
    summary,
    security: [{ key: [] }, { bearer: [] }],
    response: { ...answers, ...problems } as A,
  };
}
