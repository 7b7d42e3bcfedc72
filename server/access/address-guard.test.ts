import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { createAddressGuard } from "./address-guard.ts";

const hash = (text: string) => createHash("sha256").update(text).digest();

test("failures refill evenly, and an IPv6 network counts as one address", () => {
  let now = 0;
  const guard = createAddressGuard(6, () => now);
  const wait = (address: string) => guard.secondsToWait(address, hash("wrong"));
  for (let count = 0; count < 6; count++) {
    expect(wait("2001:db8::1")).toBe(0);
    guard.noteFailure(`2001:db8::${count}`);
  }
  expect([wait("2001:db8::ffff"), wait("2001:db8:0:1::1"), wait("::ffff:192.0.2.1")]).toEqual([10, 0, 0]);
  now = 9_999;
  expect(wait("2001:db8::1")).toBe(1);
  now = 10_000;
  expect(wait("2001:db8::1")).toBe(0);
  guard.noteFailure("2001:db8::1");
  expect(wait("2001:db8::1")).toBe(10);
});

test("an IPv4 address is the same written as IPv6", () => {
  const guard = createAddressGuard(1, () => 0);
  guard.noteFailure("::ffff:192.0.2.1");
  expect(guard.secondsToWait("192.0.2.1", hash("wrong"))).toBe(60);
});

test("a secret that was good passes for ten minutes", () => {
  let now = 0;
  const guard = createAddressGuard(1, () => now);
  guard.noteSuccess(hash("good"));
  guard.noteFailure("192.0.2.1");
  expect([guard.secondsToWait("192.0.2.1", hash("good")), guard.secondsToWait("192.0.2.1", hash("wrong"))]).toEqual([0, 60]);
  now = 600_000;
  for (let count = 0; count < 2; count++) guard.noteFailure("192.0.2.1");
  expect(guard.secondsToWait("192.0.2.1", hash("good"))).toBeGreaterThan(0);
});

test("a flood from many addresses does not fill the memory", () => {
  const guard = createAddressGuard(1, () => 0);
  guard.noteFailure("192.0.2.1");
  for (let count = 0; count < 10_000; count++) guard.noteFailure(`10.0.${count >> 8}.${count & 255}`);
  expect(guard.secondsToWait("192.0.2.1", hash("wrong"))).toBe(0);
});
