import type { FastifyRequest } from "fastify";
import { validatorCompiler } from "fastify-type-provider-zod";
import { ApiError } from "../errors/api-error.ts";

/** A hook that refuses another content type than a form's before its body is read. */
export async function requireForm({ headers }: FastifyRequest): Promise<void> {
  if (!/^multipart\/form-data\s*(;|$)/i.test(headers["content-type"] ?? ""))
    throw new ApiError(415, "request.unsupported_media_type", "Send the file as multipart/form-data.");
}

/** Of a route whose form is read by hand, part by part: a file is never a value. */
export const readsForm = {
  validatorCompiler: (route: { httpPart?: string }) => (route.httpPart === "body" ? (value: unknown) => ({ value }) : validatorCompiler(route as never)),
};

/** What the parser of forms throws, as a 400: a body that is cut off, has no boundary or one that is too long, or has more parts than there are. An ApiError is itself. */
export function explainFormError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  const message = /^FST_(FILES|FIELDS|PARTS)_LIMIT$/.test(code)
    ? "The form has more parts than this operation knows."
    : "The body is not a whole multipart form.";
  return new ApiError(400, "request.invalid", message, { cause: error });
}
