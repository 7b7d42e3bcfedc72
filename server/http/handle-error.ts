import type { FastifyError, FastifyReply, FastifyRequest } from "fastify";
import { hasZodFastifySchemaValidationErrors, isResponseSerializationError } from "fastify-type-provider-zod";
import { sqlState } from "../db/connect.ts";
import { ApiError } from "../errors/api-error.ts";
import type { Unfit } from "../find-unfit.ts";
import type { AllowedMethods } from "./allowed-methods.ts";

/** The one place where an error becomes an answer. What is not meant for the client goes to the log, with the request's id in both. */
export function handleError(error: FastifyError, request: FastifyRequest, reply: FastifyReply): void {
  const problem = toApiError(error, request);
  if (problem.status >= 500) request.log.error({ err: error, cause: problem.cause }, "request failed");
  if ((problem.status === 503 || problem.status === 429) && !reply.hasHeader("retry-after")) reply.header("retry-after", "1");
  // RFC 9110, 15.5.2: a 401 names a way to authenticate.
  if (problem.status === 401) reply.header("www-authenticate", "Bearer");
  send(reply, request, problem);
}

/** 405 where the path has operations of other methods, else 404. */
export const createNotFoundHandler =
  (allowedMethods: AllowedMethods) =>
  (request: FastifyRequest, reply: FastifyReply): void => {
    const path = request.url.split("?")[0] ?? "";
    const methods = allowedMethods(path);
    if (methods.length === 0) {
      send(reply, request, new ApiError(404, "operation.not_found", `There is no operation ${request.method} ${path}; /docs lists them.`));
      return;
    }
    const allow = methods.join(", ");
    reply.header("allow", allow);
    send(reply, request, new ApiError(405, "operation.method_not_allowed", `${request.method} is not a method of ${path}: it has ${allow}.`));
  };

function send(reply: FastifyReply, request: FastifyRequest, { status, code, message, field }: ApiError): void {
  // Past the schema on purpose: an error's shape must not depend on which statuses an operation documents.
  const body = JSON.stringify({ error: { code, message, ...(field === undefined ? {} : { field }), request_id: request.id } });
  reply
    .code(status)
    // What the router itself refuses comes past the hooks.
    .header("x-request-id", request.id)
    .type("application/json; charset=utf-8")
    .serializer((payload: unknown) => payload as string)
    .send(body);
}

function toApiError(error: FastifyError, request: FastifyRequest): ApiError {
  if (error instanceof ApiError) return error;
  if (hasZodFastifySchemaValidationErrors(error)) return describeInvalid(error.validation, error.validationContext ?? "body", request);
  if (isResponseSerializationError(error))
    return new ApiError(500, "server.error", "The server made an answer that breaks its own contract.", { cause: error.cause });
  if (error.code === "FST_ERR_CTP_BODY_TOO_LARGE") return describeTooLarge(request.routeOptions.bodyLimit);
  const known = Object.hasOwn(fastifyErrors, error.code) ? fastifyErrors[error.code] : undefined;
  if (known) return new ApiError(...known);
  if (isDatabaseGone(error)) return new ApiError(503, "server.database_unavailable", "The database cannot be reached now; try again.", { cause: error });
  if (sqlState(error) === "53100")
    return new ApiError(507, "storage.full", "The disk of the server's database is full: free space, then try again.", { cause: error });
  if (error.statusCode && error.statusCode < 500) return new ApiError(error.statusCode, "request.invalid", `${error.message}.`);
  return new ApiError(500, "server.error", "Something failed in the server; its log has the cause under this request id.", { cause: error });
}

const describeTooLarge = (bytes: number): ApiError =>
  new ApiError(413, "request.too_large", `The body is larger than ${(bytes / 1024 ** 2).toLocaleString("en")} MiB, the most that this operation takes.`);

const fastifyErrors: Record<string, [number, string, string]> = {
  FST_ERR_CTP_INVALID_MEDIA_TYPE: [415, "request.unsupported_media_type", "Send the body as Content-Type: application/json."],
  FST_ERR_BAD_URL: [400, "request.invalid", "The address has a percent sign that encodes nothing."],
  FST_ERR_MAX_PARAM_LENGTH: [414, "request.address_too_long", "A part of the address is longer than any id is."],
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: [400, "request.invalid", "The body has another length than Content-Length says."],
};

interface Issue {
  keyword: string;
  instancePath: string;
  message?: string | undefined;
  params: { keys?: unknown };
}

/** The first issue, as one sentence that names its field the way that clients write it: `targets[3]`, `filters.status`. */
function describeInvalid(issues: Issue[], context: string, request: FastifyRequest): ApiError {
  const [issue] = issues;
  if (context === "body" && request.body === undefined) return new ApiError(400, "request.invalid", "The request has no body; send a JSON object.");
  const path = (issue?.instancePath ?? "").split("/").filter((part) => part !== "");
  if (Array.isArray(issue?.params.keys)) return describeUnknown(issue.params.keys.map((key) => nameField([...path, String(key)])));
  const field = nameField(path);
  // The keys of `filters` may all be absent, and JSON that stands in the address cannot be looked into here.
  const mayBeMissing = field !== "" && (context !== "querystring" || path.length === 1);
  const isMissing = mayBeMissing && /^invalid_(type|value)$/.test(issue?.keyword ?? "") && readField(request, context, path) === undefined;
  const message = isMissing ? `${field} is missing.` : `${field || `The ${context}`}: ${issue?.message ?? "is not valid"}.`;
  return new ApiError(400, "request.invalid", message, field ? { field } : {});
}

const nameField = (path: string[]): string =>
  path.reduce((name, part) => (/^\d+$/.test(part) ? `${name}[${part}]` : name ? `${name}.${part}` : part), "").slice(0, 200);

function describeUnknown(fields: string[]): ApiError {
  const [field = "", ...more] = fields;
  const named = fields.slice(0, 10).join(", ");
  return new ApiError(400, "request.invalid", more.length === 0 ? `${field} is not known here.` : `${named} are not known here.`, { field });
}

/** What `findUnfit` found in a body. */
export function describeUnfit({ path, message }: Unfit): ApiError {
  const field = nameField(path).toWellFormed();
  return new ApiError(400, "request.invalid", `${field || "The body"} ${message}.`, field ? { field } : {});
}

/** What the request has there. */
function readField(request: FastifyRequest, context: string, path: string[]): unknown {
  const given = { body: request.body, querystring: request.query, params: request.params, headers: request.headers }[context];
  return path.reduce<unknown>((value, part) => (typeof value === "object" && value !== null ? (value as Record<string, unknown>)[part] : undefined), given);
}

/** Whether an error of the database may be gone at another try: it is away, full, busy, or two transactions collided. */
export const isPassing = (error: unknown): boolean => error instanceof Error && (isDatabaseGone(error) || /^(40|53|55)/.test(sqlState(error) ?? ""));

/** Connection refused or cut, and the SQLSTATE classes 08 (connection), 57P (shutdown, crash). */
function isDatabaseGone(error: Error): boolean {
  const state = sqlState(error) ?? "";
  const cause = error.cause instanceof Error ? error.cause.message : error.message;
  return (
    /^(08|57P|ECONNREFUSED|ENOENT|ECONNRESET|EPIPE)/.test(state) ||
    /Connection terminated|timeout exceeded when trying to connect|the database system is/.test(cause)
  );
}
