import { createHmac } from "node:crypto";

/** Lower-case hexadecimal HMAC-SHA256, keyed with the secret's text, over `timestamp + "." + body`, as documented. `timestamp` is in milliseconds. */
export const sign = (secret: string, timestamp: string, body: string): string => createHmac("sha256", secret).update(`${timestamp}.${body}`).digest("hex");

interface Signing {
  secret: string;
  /** While a rotation lasts. */
  previousSecret?: string | undefined;
  body: string;
  now: Date;
}

/**
 * The headers of a delivery. While a secret is rotated the documented header is still signed with the old one, because a receiver that knows only
 * that compares only this; the new secret's signature stands in a header of its own, for receivers that know it already.
 */
export function signDelivery({ secret, previousSecret, body, now }: Signing): Record<string, string> {
  const timestamp = String(now.getTime());
  const signature = sign(previousSecret ?? secret, timestamp, body);
  return {
    "x-hostedscan-timestamp": timestamp,
    "x-hostedscan-signature": signature,
    ...(previousSecret === undefined ? {} : { "x-hostedscan-signature-new": sign(secret, timestamp, body) }),
  };
}
