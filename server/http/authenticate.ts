import { timingSafeEqual } from "node:crypto";
import type { FastifyReply, FastifyRequest } from "fastify";
import { hashSecret, useApiKey, useWorkerToken } from "../access/keys.ts";
import { applyAllowance } from "../access/limit-requests.ts";
import { isInNetworks } from "../access/networks.ts";
import { ApiError } from "../errors/api-error.ts";
import type { Services } from "../services.ts";

declare module "fastify" {
  interface FastifyRequest {
    workspaceId: string;
    /** The name of the API key that the request came with. */
    keyName: string;
    /** The key was `test-data-key`: sample data answers, and no workspace is touched. */
    isSample?: boolean;
    /** Whose token the request came with. */
    worker: WorkerIdentity;
  }
}

export interface WorkerIdentity {
  name: string;
  /** The platform's own worker. */
  isEmbedded: boolean;
}

/** The documented key that answers every call with sample data. */
export const sampleKey = "test-data-key";

/** A hook that takes the API key of the header or the bearer, and sets the request's workspace and the key's name. Too many requests of a key are refused. */
export const requireKey =
  (services: Services) =>
  async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
    const key = headerKey(request) ?? bearer(request);
    if (!key) throw new ApiError(401, "key.missing", "Send your API key in the header X-HOSTEDSCAN-API-KEY.");
    if (key === sampleKey && services.http.sampleData) {
      request.isSample = true;
      return;
    }
    const use = await guardGuesses(services, { request, reply, secret: key }, (hash) => useApiKey(services.db, hash, services.requestsPerMinute));
    if (!use) throw new ApiError(401, "key.invalid", "This API key is not known, or was revoked.");
    request.workspaceId = use.workspaceId;
    request.keyName = use.name;
    if (use.allowance) applyAllowance(reply, use.allowance);
  };

/** The same for workers and their tokens, whose requests are not limited: sets the worker that the token is for. From another network than the token's the answer is 403. */
export const requireWorkerToken =
  (services: Services) =>
  async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
    const token = bearer(request);
    const known = token && (await guardGuesses(services, { request, reply, secret: token }, (hash) => useWorkerToken(services.db, hash)));
    if (!known) throw new ApiError(401, "token.invalid", "This worker token is not known, or was revoked.");
    const { name, isEmbedded, networks } = known;
    if (networks && !isInNetworks(request.ip, networks))
      throw new ApiError(
        403,
        "token.other_network",
        `This worker token may be used from ${networks.join(", ")} alone, and the request came from ${request.ip}.`,
      );
    request.worker = { name, isEmbedded };
  };

/** The same for whoever reads the metrics: with the operator's token, or, where there is none, only while programs of this machine alone can reach the server. */
export const requireMetricsToken =
  (services: Services) =>
  async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
    const { metricsToken } = services.http;
    if (metricsToken === undefined && services.isLocalAlone) return;
    if (metricsToken === undefined)
      throw new ApiError(403, "metrics.closed", "The metrics are closed: the operator sets PERISCAN_METRICS_TOKEN, which is then sent as a bearer token.");
    const secret = bearer(request) ?? "";
    const wanted = hashSecret(metricsToken);
    const isRight = await guardGuesses(services, { request, reply, secret }, async (hash) => timingSafeEqual(hash, wanted));
    if (!isRight) throw new ApiError(401, "metrics.token_invalid", "Send the operator's PERISCAN_METRICS_TOKEN as a bearer token.");
  };

interface Attempt {
  request: FastifyRequest;
  reply: FastifyReply;
  secret: string;
}

/** Looks the secret up, unless its address has tried too many wrong ones: then 429. */
async function guardGuesses<T>({ guard }: Services, { request, reply, secret }: Attempt, look: (hash: Buffer) => Promise<T>): Promise<T> {
  const hash = hashSecret(secret);
  const seconds = guard.secondsToWait(request.ip, hash);
  if (seconds > 0) {
    reply.header("retry-after", `${seconds}`);
    throw new ApiError(429, "key.too_many_guesses", `Too many requests with wrong keys came from your address; try again in ${seconds} s.`);
  }
  const found = await look(hash);
  if (found) guard.noteSuccess(hash);
  else guard.noteFailure(request.ip);
  return found;
}

function headerKey(request: FastifyRequest): string | undefined {
  const value = request.headers["x-hostedscan-api-key"];
  return typeof value === "string" && value !== "" ? value : undefined;
}

const bearer = (request: FastifyRequest): string | undefined => /^Bearer\s+(\S+)$/i.exec(request.headers.authorization ?? "")?.[1];
