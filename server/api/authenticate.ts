import type { FastifyRequest } from "fastify";
import { ApiError } from "../api-error.ts";
import { findKey, isWorkerToken } from "../keys.ts";
import type { Services } from "../services.ts";

declare module "fastify" {
  interface FastifyRequest {
    workspaceId: string;
    /** The name of the API key that the request came with. */
    keyName: string;
  }
}

/** A hook that takes the API key of the header or the bearer, and sets the request's workspace and the key's name. */
export const requireKey =
  ({ db }: Services) =>
  async (request: FastifyRequest): Promise<void> => {
    const key = headerKey(request) ?? bearer(request);
    if (!key) throw new ApiError(401, "key.missing", "Send your API key in the header X-HOSTEDSCAN-API-KEY.");
    const known = await findKey(db, key);
    if (!known) throw new ApiError(401, "key.invalid", "This API key is not known, or was revoked.");
    request.workspaceId = known.workspaceId;
    request.keyName = known.name;
  };

/** The same for workers and their tokens. */
export const requireWorkerToken =
  ({ db }: Services) =>
  async (request: FastifyRequest): Promise<void> => {
    const token = bearer(request);
    if (!token || !(await isWorkerToken(db, token))) throw new ApiError(401, "token.invalid", "This worker token is not known, or was revoked.");
  };

function headerKey(request: FastifyRequest): string | undefined {
  const value = request.headers["x-hostedscan-api-key"];
  return typeof value === "string" && value !== "" ? value : undefined;
}

const bearer = (request: FastifyRequest): string | undefined => /^Bearer\s+(\S+)$/i.exec(request.headers.authorization ?? "")?.[1];
