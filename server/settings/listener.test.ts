import { expect, test } from "vitest";
import { readAllowLoopback } from "./listener.ts";

const local = { host: "127.0.0.1", publicUrl: undefined, trustedProxies: [], hasOwnWorker: true };
const proxied = { ...local, publicUrl: "https://periscan.example" };

test.each([
  ["on loopback alone", local, {}, true],
  ["on ::1", { ...local, host: "::1" }, {}, true],
  ["on localhost", { ...local, host: "localhost" }, {}, true],
  ["on all addresses", { ...local, host: "0.0.0.0" }, {}, false],
  ["on a name", { ...local, host: "127.example" }, {}, false],
  ["behind a proxy that a public URL tells of", proxied, {}, false],
  ["behind a proxy that is trusted", { ...local, trustedProxies: ["127.0.0.1"] }, {}, false],
  ["where the operator lets it", proxied, { PERISCAN_ALLOW_LOOPBACK: "1" }, true],
  ["where the operator does not", local, { PERISCAN_ALLOW_LOOPBACK: "0" }, false],
  ["without a worker of its own", { ...local, hasOwnWorker: false }, { PERISCAN_ALLOW_LOOPBACK: "1" }, false],
])("loopback may be scanned %s: %#", (_, listener, environment, allowed) => {
  expect(readAllowLoopback(environment, listener)).toBe(allowed);
});

test("a switch that is neither on nor off stops the start", () => {
  expect(() => readAllowLoopback({ PERISCAN_ALLOW_LOOPBACK: "maybe" }, local)).toThrow("PERISCAN_ALLOW_LOOPBACK must be 1 or 0");
});
