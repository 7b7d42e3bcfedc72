import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import type { FastifyReply, FastifyRequest } from "fastify";
import { ApiError } from "../errors/api-error.ts";
import type { Services } from "../services.ts";
import { type ByteRange, readRange } from "./read-range.ts";

export interface StoredFile {
  /** Its name in the store. */
  path: string;
  contentType: string;
  fileName: string;
}

/** A file that never changes, wherever it lies. */
export interface FixedFile {
  /** Tells it from every other file. */
  identity: string;
  bytes: number;
  contentType: string;
  fileName: string;
  read(range: ByteRange): Readable;
}

/** Answers with a file of the store. */
export async function sendFile({ files }: Services, reply: FastifyReply, { path, contentType, fileName }: StoredFile): Promise<FastifyReply> {
  const bytes = await files.size(path);
  if (bytes === undefined) throw new ApiError(500, "result.lost", "The file is missing from the server's data folder.");
  return answerFile(reply, { identity: path, bytes, contentType, fileName, read: (range) => files.read(path, range) });
}

/**
 * Answers with a file, to be kept and not to be run: a page of ours holds what a scanner printed. Whole, or the one range that is asked for (RFC 9110, 14);
 * 304 where the client has it already.
 */
export function answerFile(reply: FastifyReply, file: FixedFile): FastifyReply {
  const { request } = reply;
  const { headers } = request;
  const tag = `"${createHash("sha256").update(`${file.identity} ${file.bytes}`).digest("base64url").slice(0, 27)}"`;
  const known = knows(headers["if-none-match"], tag);
  const asksForRange = request.method === "GET" && !known && isUnchanged(headers["if-range"]?.toString(), tag);
  const range = asksForRange ? readRange(headers.range, file.bytes) : undefined;
  if (range === "unsatisfiable") {
    reply.header("content-range", `bytes */${file.bytes}`);
    throw new ApiError(416, "range.not_satisfiable", `The file has ${file.bytes} bytes, and the range is not within them.`, { field: "Range" });
  }
  // Not for shared caches, and asked again each time: a key may be revoked.
  reply.header("etag", tag).header("cache-control", "private, no-cache").header("accept-ranges", "bytes");
  if (known) return reply.code(304).send();
  if (range) reply.code(206).header("content-range", `bytes ${range.start}-${range.end}/${file.bytes}`);
  const { start, end } = range ?? { start: 0, end: file.bytes - 1 };
  return (
    reply
      // XML says itself which encoding it has, and an imported one may have another; JSON has only one.
      .header("content-type", file.contentType.startsWith("text/") ? `${file.contentType}; charset=utf-8` : file.contentType)
      .header("content-length", end - start + 1)
      .header("content-disposition", `attachment; filename="${file.fileName}"`)
      .header("x-content-type-options", "nosniff")
      .header("content-security-policy", "default-src 'none'; style-src 'unsafe-inline'; font-src data:; img-src data:; sandbox")
      .serializer((payload: unknown) => payload as string)
      .send(request.method === "HEAD" || file.bytes === 0 ? Readable.from([]) : file.read({ start, end }))
  );
}

/** RFC 9110, 13.1.2: by weak comparison, as a compressed answer has the tag weak. */
const knows = (header: string | undefined, tag: string): boolean =>
  header !== undefined && (header.trim() === "*" || header.split(",").some((each) => each.trim().replace(/^W\//, "") === tag));

/** RFC 9110, 13.1.5: by strong comparison. A date never matches, for no file has one. */
const isUnchanged = (header: string | undefined, tag: string): boolean => header === undefined || header.trim() === tag;

interface Waiting<T> {
  request: FastifyRequest;
  seconds: number;
  look(): Promise<T | undefined>;
  /** Takes a moment, and answers whether `look` may find something now. */
  isWorthALook(): Promise<boolean>;
}

/** Looks until `look` finds something, the time is over, or the client has gone. Undefined where it found nothing. */
export async function waitFor<T>({ request, seconds, look, isWorthALook }: Waiting<T>): Promise<T | undefined> {
  const until = performance.now() + seconds * 1000;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    do if (performance.now() > until || request.raw.destroyed) return undefined;
    while (!(await isWorthALook()));
  }
}
