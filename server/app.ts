import { randomUUID } from "node:crypto";
import fastifyCompress from "@fastify/compress";
import fastifyCors from "@fastify/cors";
import fastifySwagger from "@fastify/swagger";
import fastifySwaggerUi from "@fastify/swagger-ui";
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest, LogController } from "fastify";
import { jsonSchemaTransform, serializerCompiler, validatorCompiler, type ZodTypeProvider } from "fastify-type-provider-zod";
import qs from "qs";
import { addAcceptanceRoutes } from "./api/acceptances.ts";
import { addHealthRoutes } from "./api/health.ts";
import { addImportRoutes } from "./api/imports.ts";
import { addNotificationRoutes } from "./api/notifications.ts";
import { addOwnershipRoutes } from "./api/ownership.ts";
import { addReportRoutes } from "./api/reports.ts";
import { addResultRoutes } from "./api/results.ts";
import { addRiskRoutes } from "./api/risks.ts";
import { addScanRoutes } from "./api/scans.ts";
import { addScheduleRoutes } from "./api/schedules.ts";
import { addSourceRoutes } from "./api/sources.ts";
import { addTargetDetailRoutes } from "./api/target-details.ts";
import { addTargetLoginRoutes } from "./api/target-logins.ts";
import { addTargetRoutes } from "./api/targets.ts";
import { addWebhookRoutes } from "./api/webhooks.ts";
import { addWorkerRoutes } from "./api/worker.ts";
import { describeOnce, printDescription, tags } from "./describe-api.ts";
import { ApiError } from "./errors/api-error.ts";
import { findUnfit } from "./find-unfit.ts";
import { collectMethods } from "./http/allowed-methods.ts";
import { boundUnreadBodies } from "./http/bound-unread-bodies.ts";
import { createHostCheck } from "./http/check-host.ts";
import { handleClientError } from "./http/handle-client-error.ts";
import { createNotFoundHandler, describeUnfit, handleError } from "./http/handle-error.ts";
import { measureRequests } from "./http/metrics.ts";
import { takeTurns } from "./http/request-turns.ts";
import { routeSamples } from "./samples/route-samples.ts";
import type { Services } from "./services.ts";

/** From its first byte to its last: the largest import over a slow line. Without a limit a sender of single bytes holds a connection for ever. */
const slowestRequestMilliseconds = 3600_000;
const bodyLimitBytes = 4 * 1024 * 1024;
/** Address and headers of one request together: the longest `filters` with every byte percent-encoded (page.ts), and as much again as Node gives to all of it. */
const maxHeaderBytes = 64 * 1024;
/** What is still read of a body after its answer: more than the largest import by default, as fast as it comes. */
const unreadBounds = { seconds: 30, bytes: 1024 ** 3 };

/** The HTTP server with every operation, not yet listening. */
export async function buildApp(services: Services): Promise<FastifyInstance> {
  const app = Fastify({
    loggerInstance: services.log,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: bodyLimitBytes,
    trustProxy: services.trustedProxies,
    routerOptions: {
      querystringParser: (text) => qs.parse(text, { depth: 3, parameterLimit: 2000, arrayLimit: 500, plainObjects: true }) as Record<string, unknown>,
      maxParamLength: 200,
    },
    forceCloseConnections: true,
    // Unlike a counter it names one request of any number of servers.
    genReqId: () => randomUUID(),
    frameworkErrors: handleError,
    clientErrorHandler: handleClientError,
    // Node would refuse one without `Host` with an empty answer; refuseUnreadable does it with a sentence.
    http: { requireHostHeader: false, maxHeaderSize: maxHeaderBytes },
    requestTimeout: slowestRequestMilliseconds,
  }) as unknown as FastifyInstance;
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  app.removeContentTypeParser("text/plain");
  app.setErrorHandler(handleError);
  const answerNotFound = createNotFoundHandler(collectMethods(app));
  app.setNotFoundHandler(answerNotFound);
  boundUnreadBodies(app, unreadBounds);
  const checkHost = createHostCheck(services);
  app.addHook("onRequest", async (request, reply) => {
    reply.header("x-request-id", request.id);
    refuseUnreadable(request);
    checkHost(request);
    // Of a body that is empty the type says nothing: curl names one for `--data ''`.
    if (request.headers["content-length"] === "0" && !request.headers["content-type"]?.startsWith("multipart/")) delete request.headers["content-type"];
  });
  // Node would answer an `Expect` that it does not know with an empty 417; RFC 9110, 10.1.1, lets a server pass it by.
  app.server.on("checkExpectation", (request, response) => app.server.emit("request", request, response));
  measureRequests(app, services);
  await addHttpFeatures(app, services);
  // Before its body is looked at: what that is says nothing of a path or a method that is not there.
  app.addHook("onRequest", async (request, reply) => {
    if (!request.is404) return;
    answerNotFound(request, reply);
    return reply;
  });
  await addDocumentation(app);
  await app.register(async (scope) => {
    // An answer is for its key alone, which a shared cache does not know. Files say more (answerFile).
    scope.addHook("onRequest", async (_request, reply) => {
      reply.header("cache-control", "no-store");
    });
    refuseUnfit(scope);
    routeSamples(scope);
    takeTurns(scope);
    const typed = scope.withTypeProvider<ZodTypeProvider>();
    addScanRoutes(typed, services);
    addResultRoutes(typed, services);
    addTargetRoutes(typed, services);
    addTargetDetailRoutes(typed, services);
    addTargetLoginRoutes(typed, services);
    addOwnershipRoutes(typed, services);
    addRiskRoutes(typed, services);
    addAcceptanceRoutes(typed, services);
    addReportRoutes(typed, services);
    addWebhookRoutes(typed, services);
    addNotificationRoutes(typed, services);
    addScheduleRoutes(typed, services);
    addSourceRoutes(typed, services);
    await addImportRoutes(typed, services);
    addHealthRoutes(typed, services);
  });
  await app.register(async (scope) => addWorkerRoutes(scope.withTypeProvider<ZodTypeProvider>(), services));
  return app;
}

/** CORS where the operator names origins, and compression of text. */
async function addHttpFeatures(app: FastifyInstance, { http: { corsOrigins } }: Services): Promise<void> {
  if (corsOrigins.length > 0)
    await app.register(fastifyCors, {
      origin: corsOrigins.includes("*") ? "*" : corsOrigins,
      methods: ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"],
      exposedHeaders: ["content-disposition", "content-range", "etag", "idempotency-replayed", "ratelimit", "ratelimit-policy", "retry-after", "x-request-id"],
      maxAge: 600,
    });
  // Compressed requests are refused before (refuseUnreadable).
  await app.register(fastifyCompress, { encodings: ["br", "gzip"], globalDecompression: false });
  app.addHook("onRoute", (route) => {
    route.onSend = [...[route.onSend ?? []].flat(), describeCompression];
  });
}

/**
 * A compressed answer is not byte for byte what its tag stands for: then the tag is a weak one (RFC 9110, 8.8.3.3). HEAD says the same of what GET would compress, and no length of
 * it (8.6); a cache is told that both forms are there (12.5.5).
 */
async function describeCompression({ method, headers }: FastifyRequest, reply: FastifyReply): Promise<void> {
  const type = reply.getHeader("content-type");
  if (typeof type !== "string" || !/^text\/|[/+](json|xml)\b/.test(type)) return;
  const vary = reply.getHeader("vary")?.toString() ?? "";
  if (!vary.includes("accept-encoding")) reply.header("vary", vary === "" ? "accept-encoding" : `${vary}, accept-encoding`);
  const isAsked = method === "HEAD" && /\b(br|gzip)\b|\*/.test(headers["accept-encoding"]?.toString() ?? "");
  if (isAsked) reply.removeHeader("content-length");
  const tag = reply.getHeader("etag");
  const isCompressed = isAsked || reply.getHeader("content-encoding") !== undefined;
  if (isCompressed && typeof tag === "string" && tag.startsWith('"')) reply.header("etag", `W/${tag}`);
}

function refuseUnreadable({ raw, headers }: FastifyRequest): void {
  if (headers.host === undefined && raw.httpVersion === "1.1")
    throw new ApiError(400, "request.invalid", "The request has no Host header, which HTTP/1.1 requires.", { field: "Host" });
  // A compressed request could be a bomb, and no client needs to send one.
  const { "content-encoding": encoding = "identity" } = headers;
  if (encoding !== "identity")
    throw new ApiError(415, "request.unsupported_media_type", "Send the body as it is, without a Content-Encoding.", { field: "Content-Encoding" });
}

/** What PostgreSQL cannot keep is refused here once for clients, instead of in each field; the filters of lists do the same (page.ts), and forms. */
function refuseUnfit(app: FastifyInstance): void {
  app.removeContentTypeParser("application/json");
  app.addContentTypeParser("application/json", { parseAs: "string" }, (_request, body, done) => {
    const text = body.toString();
    try {
      const value: unknown = text === "" ? undefined : JSON.parse(text);
      const unfit = findUnfit(value);
      if (unfit) throw describeUnfit(unfit);
      done(null, value);
    } catch (error) {
      done(
        error instanceof ApiError ? error : new ApiError(400, "request.invalid_json", `The body is not JSON: ${(error as Error).message}.`, { cause: error }),
      );
    }
  });
  app.addHook("onRequest", async (request) => {
    // The parser of the query leaves it out without a word, and a list without its filter would be another list.
    const [foreign] = [...new URLSearchParams(request.url.split("?")[1]).keys()]
      .map((name) => name.split(/[[\]]+/))
      .filter((path) => path.includes("__proto__"));
    if (foreign) throw describeUnfit({ path: foreign.filter((part) => part !== ""), message: "is not known here" });
    if (request.url.includes("%00")) throw new ApiError(400, "request.invalid", "The address holds a NUL character (%00), which is not allowed.");
  });
}

const documentationPolicy =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

async function addDocumentation(app: FastifyInstance): Promise<void> {
  await app.register(fastifySwagger, {
    openapi: {
      openapi: "3.1.0",
      info: {
        title: "Periscan",
        version: "1",
        description: "Vulnerability scans on the real engines. Send your API key in `X-HOSTEDSCAN-API-KEY`, or as a bearer token.",
        license: { name: "Apache-2.0", identifier: "Apache-2.0" },
      },
      servers: [{ url: "/" }],
      tags,
      components: {
        securitySchemes: {
          key: { type: "apiKey", in: "header", name: "X-HOSTEDSCAN-API-KEY" },
          bearer: { type: "http", scheme: "bearer" },
        },
      },
    },
    transform: jsonSchemaTransform,
    transformObject: describeOnce,
  });
  // The page of Swagger's own, without its bar: that would ask for the address of another description.
  const theme = { title: "Periscan API", css: [{ filename: "periscan.css", content: ".swagger-ui .topbar { display: none }" }] };
  await app.register(async (scope) => {
    scope.addHook("onSend", async (_request, reply) => {
      reply.header("x-content-type-options", "nosniff").header("referrer-policy", "no-referrer");
    });
    // A key that was typed in stays in the page's memory alone, and nothing but the page's own files runs there.
    await scope.register(fastifySwaggerUi, { routePrefix: "/docs", uiConfig: { persistAuthorization: false }, theme, staticCSP: documentationPolicy });
  });
  // Whoever opens the address in a browser finds what it can do.
  app.get("/", { schema: { hide: true } }, (_request, reply) => reply.redirect("/docs"));
  let description: string | undefined;
  app.get("/openapi.json", { schema: { hide: true } }, async (_request, reply) => {
    description ??= printDescription(app.swagger());
    return reply.type("application/json; charset=utf-8").send(description);
  });
}
