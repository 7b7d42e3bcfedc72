import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { ApiError } from "../errors/api-error.ts";
import { sampleAnswers } from "./sample-answers.ts";

/**
 * From here on operations answer requests with `test-data-key` from the sample data, or refuse them, in the place of its handler: so after its own checks of the request, and
 * through its own schema of the answer.
 */
export function routeSamples(app: FastifyInstance): void {
  app.addHook("onRoute", (route) => {
    const { handler, url, method } = route;
    const operation = `${method === "HEAD" ? "GET" : method} ${url}`;
    route.handler = function answer(this: FastifyInstance, request: FastifyRequest, reply: FastifyReply) {
      return request.isSample ? answerSample(operation, request, reply) : handler.call(this, request, reply);
    };
  });
}

async function answerSample(operation: string, request: FastifyRequest, reply: FastifyReply): Promise<unknown> {
  const answer = sampleAnswers[operation];
  // What names a thing may say 404; what makes one only 400.
  if (!answer) throw new ApiError(operation.includes(":") ? 404 : 400, "sample.not_found", `There is no sample data for ${operation}; use a key of your own.`);
  return answer(request, reply);
}
