import { createHmac } from "node:crypto";
import { expect, test } from "vitest";
import { verifyWebhook, WebhookVerificationError } from "./verify-webhook.ts";

const secret = "example-secret";
const body = '{"id":"an-event-id","created_at":"2026-01-01T00:00:00.000Z","type":"scan.created","data":{"id":"ä"}}';
const signWith = (key: string, timestamp: string, text = body) => createHmac("sha256", key).update(`${timestamp}.${text}`).digest("hex");
const headersOf = (key = secret, at = Date.now()) => ({ "x-hostedscan-timestamp": `${at}`, "x-hostedscan-signature": signWith(key, `${at}`) });

test("a genuine request is taken in every form in which frameworks hand it over", async () => {
  const headers = headersOf();
  const upper = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toUpperCase(), [value]]));
  for (const each of [headers, upper, new Headers(headers)])
    for (const form of [body, new TextEncoder().encode(body), Buffer.from(body)])
      expect(await verifyWebhook({ body: form, headers: each, secret })).toMatchObject({ id: "an-event-id", type: "scan.created" });
});

test("the documented vectors verify", async () => {
  const vectors = {
    '{"id":"an-event-id","type":"scan.created","data":{"id":"a-scan-id","type":"OWASP_ZAP"}}':
      "24d21b9ddab43faf648ddea1bfdc125bf143a8c501c167fbbce52fcec6c20022",
    '{"id":"an-event-id","type":"scan.updated","data":{"id":"a-scan-id","type":"OWASP_ZAP"}}':
      "b0616c6c740b986fbefce7497f42e161994c3e8287a59a2ae1d0e59ef1413f83",
  };
  for (const [text, signature] of Object.entries(vectors)) {
    const headers = { "x-hostedscan-timestamp": "1676612345678", "x-hostedscan-signature": signature };
    expect(await verifyWebhook({ body: text, headers, secret, toleranceSeconds: Number.POSITIVE_INFINITY })).toEqual(JSON.parse(text));
    await expect(verifyWebhook({ body: text, headers, secret })).rejects.toThrow("timestamp");
  }
});

test("while a secret is rotated the old one, the new one and both together verify", async () => {
  const timestamp = `${Date.now()}`;
  const headers = {
    "x-hostedscan-timestamp": timestamp,
    "x-hostedscan-signature": signWith("old-secret", timestamp),
    "x-hostedscan-signature-new": signWith("new-secret", timestamp),
  };
  for (const known of ["old-secret", "new-secret", ["older-secret", "new-secret"]])
    expect(await verifyWebhook({ body, headers, secret: known })).toMatchObject({ id: "an-event-id" });
  await expect(verifyWebhook({ body, headers, secret: "older-secret" })).rejects.toThrow(WebhookVerificationError);
});

test.each([
  ["another secret", { headers: headersOf("other-secret") }],
  ["a changed body", { body: body.replace("created", "updated") }],
  ["a changed time", { headers: { ...headersOf(), "x-hostedscan-timestamp": `${Date.now() + 1000}` } }],
  ["an old request", { headers: headersOf(secret, Date.now() - 301_000) }],
  ["a request of the future", { headers: headersOf(secret, Date.now() + 301_000) }],
  ["no signature", { headers: { "x-hostedscan-timestamp": `${Date.now()}` } }],
  ["no time", { headers: { "x-hostedscan-signature": "0".repeat(64) } }],
  ["a time that is none", { headers: { ...headersOf(), "x-hostedscan-timestamp": "now" } }],
  ["a signature that is none", { headers: { ...headersOf(), "x-hostedscan-signature": "zz" } }],
  ["an empty secret", { secret: "" }],
  ["no secret", { secret: [] }],
])("%s is refused", async (_, change) => {
  await expect(verifyWebhook({ body, headers: headersOf(), secret, ...change })).rejects.toThrow(WebhookVerificationError);
});
