import type { WebhookEvent } from "./types.ts";

export interface SignedWebhook {
  /** The body exactly as it came, before any JSON parsing: the signature is over its bytes. */
  body: string | Uint8Array;
  /** The request's headers: a `Headers`, or an object as Node and its frameworks give it; names in any case. */
  headers: Headers | Record<string, string | string[] | undefined>;
  /** The signing secret. Several while one is rotated: any of them may match. */
  secret: string | string[];
  /** How old, or how far ahead, the timestamp may be. Default 300; a replayed request is refused past it. */
  toleranceSeconds?: number;
}

/** The request is not one that the holder of the secret sent, or not now. Answer it with 400 and do nothing. */
export class WebhookVerificationError extends Error {
  override readonly name = "WebhookVerificationError";
}

/**
 * Checks that a webhook's request is genuine and fresh, and answers its event. Throws `WebhookVerificationError`. Works in Node, browsers and workers
 * (Web Crypto). An event may come twice: drop what has an `id` that was seen before.
 */
export async function verifyWebhook({ body, headers, secret, toleranceSeconds = 300 }: SignedWebhook): Promise<WebhookEvent> {
  const timestamp = readHeader(headers, "x-hostedscan-timestamp");
  // A new secret's signature has a header of its own while the old one signs too.
  const signatures = [readHeader(headers, "x-hostedscan-signature"), readHeader(headers, "x-hostedscan-signature-new")].filter((text) => text !== undefined);
  if (timestamp === undefined || !/^\d{1,16}$/.test(timestamp)) throw new WebhookVerificationError("The header X-HOSTEDSCAN-TIMESTAMP is missing, or no time.");
  if (signatures.length === 0) throw new WebhookVerificationError("The header X-HOSTEDSCAN-SIGNATURE is missing.");
  if (!(Math.abs(Date.now() - Number(timestamp)) <= toleranceSeconds * 1000))
    throw new WebhookVerificationError(`The timestamp is more than ${toleranceSeconds} s away from this machine's clock.`);

  const text = typeof body === "string" ? body : new TextDecoder("utf-8", { ignoreBOM: true }).decode(body);
  const bytes = typeof body === "string" ? new TextEncoder().encode(body) : body;
  const signed = concatenate(new TextEncoder().encode(`${timestamp}.`), bytes);
  for (const each of [secret].flat()) for (const signature of signatures) if (await matches(each, signature, signed)) return JSON.parse(text) as WebhookEvent;
  throw new WebhookVerificationError("The signature does not match: another secret, or the body was changed on its way.");
}

function readHeader(headers: SignedWebhook["headers"], name: string): string | undefined {
  if (headers instanceof Headers) return headers.get(name) ?? undefined;
  const value = Object.entries(headers).find(([key]) => key.toLowerCase() === name)?.[1];
  return Array.isArray(value) ? value[0] : value;
}

function concatenate(first: Uint8Array, second: Uint8Array): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(first.length + second.length);
  whole.set(first);
  whole.set(second, first.length);
  return whole;
}

/** In constant time: Web Crypto compares. */
async function matches(secret: string, signature: string, signed: Uint8Array<ArrayBuffer>): Promise<boolean> {
  const pairs = /^[0-9a-f]{64}$/.test(signature) ? (signature.match(/../g) ?? []) : [];
  if (pairs.length === 0 || secret === "") return false;
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  const key = await crypto.subtle.importKey("raw", new TextEncoder().encode(secret), algorithm, false, ["verify"]);
  return crypto.subtle.verify(
    "HMAC",
    key,
    Uint8Array.from(pairs, (pair) => Number.parseInt(pair, 16)),
    signed,
  );
}
