import type { FastifyRequest } from "fastify";
import { ApiError } from "../api-error.ts";
import { findWorkspaceOfKey, isWorkerToken } from "../keys.ts";
import type { Services } from "../services.ts";

declare module "fastify" {
  interface FastifyRequest {
    workspaceId: string;
    /** The key was `test-data-key`: sample data answers, and no workspace is touched. */
    isSample?: boolean;
  }
}

/** The documented key that answers every call with sample data. */
export const sampleKey = "test-data-key";

/** A hook that takes the API key of the header or the bearer, and sets the request's workspace. */
export const requireKey =
  ({ db, http }: Services) =>
  async (request: FastifyRequest): Promise<void> => {
    const key = headerKey(request) ?? bearer(request);
    if (!key) throw new ApiError(401, "key.missing", "Send your API key in the header X-HOSTEDSCAN-API-KEY.");
    if (key === sampleKey && http.sampleData) {
      request.isSample = true;
      return;
    }
    const workspaceId = await findWorkspaceOfKey(db, key);
    if (!workspaceId) throw new ApiError(401, "key.invalid", "This API key is not known, or was revoked.");
    request.workspaceId = workspaceId;
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
