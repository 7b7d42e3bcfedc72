import { expect, test } from "vitest";
import { pinTarget } from "./pin-target.ts";

const pin = (target: string, allowLoopback = true) => pinTarget({ target_id: "t", target, known: [] }, { allowLoopback });

test("an address, a name and a URL are pinned to one address that the policy allows", async () => {
  expect(await pin("127.0.0.1")).toMatchObject({ ok: true, target: { address: "127.0.0.1" } });
  expect(await pin("localhost")).toMatchObject({ ok: true, target: { address: "127.0.0.1" } });
  expect(await pin("http://localhost:8080/app")).toMatchObject({ ok: true, target: { address: "127.0.0.1", target: { path: "/app" } } });
  expect(await pin("[::1]:443")).toMatchObject({ ok: true, target: { address: "::1" } });
});

test("the policy holds for what a name resolves to, not only for what it looks like", async () => {
  expect(await pin("localhost", false)).toMatchObject({ ok: false, reason: expect.stringContaining("loopback") });
  expect(await pin("169.254.169.254")).toMatchObject({ ok: false, reason: expect.stringContaining("link-local") });
  expect(await pin("metadata.google.internal")).toMatchObject({ ok: false, reason: expect.stringContaining("metadata") });
});

test("a name that does not resolve is a reason with what to check", async () => {
  expect(await pin("no-such-name.invalid")).toMatchObject({ ok: false, reason: expect.stringMatching(/did not resolve \(ENOTFOUND\)\. Check its spelling/) });
});
