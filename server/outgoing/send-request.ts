import http from "node:http";
import https from "node:https";
import { isIP } from "node:net";
import { unlessAborted } from "@periscan/contract/unless-aborted.ts";
import { hostOf, OutgoingError, type OutgoingPolicy, readOutgoingUrl, resolveOutgoing } from "./outgoing-policy.ts";

export interface OutgoingRequest {
  url: string;
  method: "GET" | "POST";
  headers: Record<string, string>;
  body?: string;
  /** Ends the request early, as when the server stops. */
  signal?: AbortSignal;
}

export interface OutgoingAnswer {
  status: number;
  headers: http.IncomingHttpHeaders;
  /** At most 64 KiB of it. */
  body: Buffer;
}

/** Name, connection, TLS and answer together. */
const limitMilliseconds = 15_000;
const maxAnswerBytes = 64 * 1024;

/**
 * Makes a request to an address that a user gave: resolved once, refused where the policy does, connected to that very address, no redirect
 * followed, no proxy, 15 s in all, the answer cut at 64 KiB; TLS with a certificate that a public authority signed for the name. Answers whatever status came.
 * Throws `OutgoingError`.
 */
export async function sendOutgoing(policy: OutgoingPolicy, request: OutgoingRequest): Promise<OutgoingAnswer> {
  const url = readOutgoingUrl(request.url, policy);
  const ending = new AbortController();
  const limit = setTimeout(() => ending.abort(new OutgoingError(`There was no whole answer within ${limitMilliseconds / 1000} s.`)), limitMilliseconds);
  const signal = request.signal ? AbortSignal.any([ending.signal, request.signal]) : ending.signal;
  try {
    const addresses = await unlessAborted(resolveOutgoing(url, policy), signal);
    return await exchange({ url, addresses, request, signal });
  } catch (error) {
    throw explain(signal.aborted ? signal.reason : error);
  } finally {
    clearTimeout(limit);
  }
}

interface Exchange {
  url: URL;
  addresses: string[];
  request: OutgoingRequest;
  signal: AbortSignal;
}

function exchange({ url, addresses, request, signal }: Exchange): Promise<OutgoingAnswer> {
  const { promise, resolve, reject } = Promise.withResolvers<OutgoingAnswer>();
  const secure = url.protocol === "https:";
  const body = request.body === undefined ? undefined : Buffer.from(request.body);
  const sent = (secure ? https : http).request({
    method: request.method,
    host: hostOf(url),
    port: url.port === "" ? (secure ? 443 : 80) : Number(url.port),
    path: `${url.pathname}${url.search}`,
    headers: { "user-agent": "Periscan", accept: "*/*", "accept-encoding": "identity", ...request.headers, ...(body ? { "content-length": body.length } : {}) },
    // A connection of its own, and an agent that knows no proxy.
    agent: false,
    // A literal address never comes here: `readOutgoingUrl` has judged it.
    lookup: pin(addresses),
    signal,
  });
  sent.on("error", reject);
  sent.on("upgrade", (_response, socket) => {
    socket.destroy();
    reject(new OutgoingError("The receiver answered 101, which is no answer."));
  });
  sent.on("response", (response) => {
    const { statusCode: status = 0, headers } = response;
    const chunks: Buffer[] = [];
    let size = 0;
    const end = () => resolve({ status, headers, body: Buffer.concat(chunks).subarray(0, maxAnswerBytes) });
    response.on("data", (chunk: Buffer) => {
      chunks.push(chunk);
      size += chunk.length;
      if (size < maxAnswerBytes) return;
      end();
      sent.destroy();
    });
    response.on("end", end);
    // Only a hang-up in the midst of the answer: after `end` the promise is settled.
    response.on("close", () => reject(new OutgoingError("The receiver hung up in the midst of its answer.")));
    response.on("error", reject);
  });
  sent.end(body);
  return promise;
}

/** The addresses that were checked, whatever the name means by now. */
function pin(addresses: string[]): NonNullable<http.RequestOptions["lookup"]> {
  const found = addresses.map((address) => ({ address, family: isIP(address) }));
  return (_host, options, done) => {
    const [first] = found;
    if (options.all) done(null, found);
    else done(null, first?.address ?? "", first?.family);
  };
}

/** Node's errors have a code and no sentence. */
function explain(error: unknown): Error {
  if (error instanceof OutgoingError) return error;
  const cause = error instanceof AggregateError ? error.errors[0] : error;
  const { code = "", message } = cause as NodeJS.ErrnoException;
  if (Object.hasOwn(connectionErrors, code)) return new OutgoingError(connectionErrors[code], { cause });
  if (/CERT|SELF_SIGNED|ALTNAME|UNABLE_TO|SSL|TLS/.test(code)) return new OutgoingError(`TLS failed: ${message} (${code}).`, { cause });
  if (/^HPE_/.test(code)) return new OutgoingError(`The answer is not HTTP (${code}).`, { cause });
  return new OutgoingError(`The request failed: ${message}${code === "" ? "" : ` (${code})`}.`, { cause });
}

const connectionErrors: Record<string, string> = {
  ECONNREFUSED: "The receiver refused the connection.",
  ECONNRESET: "The receiver cut the connection.",
  EPIPE: "The receiver cut the connection.",
  EHOSTUNREACH: "The receiver's network cannot be reached.",
  ENETUNREACH: "The receiver's network cannot be reached.",
  ETIMEDOUT: "The receiver did not answer the connection.",
};
