import { setTimeout as sleep } from "node:timers/promises";
import type { FastifyReply, FastifyRequest } from "fastify";
import { ApiError } from "../api-error.ts";
import type { Services } from "../services.ts";

export interface StoredFile {
  /** Its name in the store. */
  path: string;
  contentType: string;
  fileName: string;
}

/** Answers with a file of the store, to be kept and not to be run: a page of ours holds what a scanner printed. */
export async function sendFile({ files }: Services, reply: FastifyReply, { path, contentType, fileName }: StoredFile): Promise<FastifyReply> {
  const size = await files.size(path);
  if (size === undefined) throw new ApiError(500, "result.lost", "The file is missing from the server's data folder.");
  return reply
    .header("content-type", contentType === "application/pdf" ? contentType : `${contentType}; charset=utf-8`)
    .header("content-length", size)
    .header("content-disposition", `attachment; filename="${fileName}"`)
    .header("x-content-type-options", "nosniff")
    .header("content-security-policy", "default-src 'none'; style-src 'unsafe-inline'; font-src data:; img-src data:; sandbox")
    .serializer((payload: unknown) => payload as string)
    .send(files.read(path));
}

/** Looks until `look` finds something, the time is over, or the client has gone. Undefined where it found nothing. */
export async function waitFor<T>(request: FastifyRequest, seconds: number, look: () => Promise<T | undefined>): Promise<T | undefined> {
  const until = performance.now() + seconds * 1000;
  for (;;) {
    const found = await look();
    if (found !== undefined || performance.now() > until || request.raw.destroyed) return found;
    await sleep(100);
  }
}
