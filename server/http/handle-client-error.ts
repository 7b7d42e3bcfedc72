import { randomUUID } from "node:crypto";
import { STATUS_CODES } from "node:http";
import type { Socket } from "node:net";

const known: Record<string, [status: number, code: string, message: string]> = {
  HPE_HEADER_OVERFLOW: [431, "request.headers_too_large", "The address and the headers together are larger than 64 KiB."],
  ERR_HTTP_REQUEST_TIMEOUT: [408, "request.timeout", "The request did not come to its end in time."],
};
const unreadable: [number, string, string] = [400, "request.invalid", "This is no request of HTTP/1.1 that can be read."];

/** What Node refuses before there is a request for a handler is answered in the shape of every other error. */
export function handleClientError(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === "ECONNRESET" || socket.destroyed) return;
  const [status, code, message] = known[error.code ?? ""] ?? unreadable;
  const id = randomUUID();
  const body = JSON.stringify({ error: { code, message, request_id: id } });
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    "content-type: application/json; charset=utf-8",
    `content-length: ${Buffer.byteLength(body)}`,
    `x-request-id: ${id}`,
    "connection: close",
  ];
  if (socket.writable) socket.end(`${head.join("\r\n")}\r\n\r\n${body}`, () => socket.destroy());
  else socket.destroy(error);
}
