import { Problem } from "@periscan/contract/problem.ts";
import type { z } from "zod";

interface Operation<A extends z.ZodType> {
  tag: string;
  summary: string;
  answer: A;
  /** The statuses beside 200, 401, 429 and 5xx. */
  errors: number[];
}

/** The schema of an operation: what fastify validates and what `openapi.json` says of it. */
export function operation<A extends z.ZodType, R extends { params?: z.ZodType; querystring?: z.ZodType; headers?: z.ZodType; body?: z.ZodType }>(
  given: Operation<A> & R,
) {
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
