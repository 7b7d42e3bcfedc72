import { expect, test } from "vitest";
import { sign, signDelivery } from "./sign.ts";

const created = '{"id":"an-event-id","type":"scan.created","data":{"id":"a-scan-id","type":"OWASP_ZAP"}}';
const updated = created.replace("scan.created", "scan.updated");

test("the documented vectors come out", () => {
  expect(sign("example-secret", "1676612345678", created)).toBe("24d21b9ddab43faf648ddea1bfdc125bf143a8c501c167fbbce52fcec6c20022");
  expect(sign("example-secret", "1676612345678", updated)).toBe("b0616c6c740b986fbefce7497f42e161994c3e8287a59a2ae1d0e59ef1413f83");
});

test("the headers hold the time in milliseconds, and while a secret is rotated the old one's signature in the documented place", () => {
  const now = new Date(1676612345678);
  const old = { "x-hostedscan-timestamp": "1676612345678", "x-hostedscan-signature": "24d21b9ddab43faf648ddea1bfdc125bf143a8c501c167fbbce52fcec6c20022" };
  expect(signDelivery({ secret: "example-secret", body: created, now })).toEqual(old);
  const rotating = signDelivery({ secret: "new-secret", previousSecret: "example-secret", body: created, now });
  expect(rotating).toEqual({ ...old, "x-hostedscan-signature-new": sign("new-secret", "1676612345678", created) });
});
