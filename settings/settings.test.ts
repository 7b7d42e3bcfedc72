import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { writeSettingsPage } from "./describe-settings.ts";
import { describeUnknownSettings, readSetting } from "./read-setting.ts";
import { SettingsError } from "./settings-error.ts";

describe("a setting", () => {
  test("has its usual value where the variable is not set, or empty", () => {
    for (const environment of [{}, { PERISCAN_REQUESTS_PER_MINUTE: "" }, { PERISCAN_REQUESTS_PER_MINUTE: " " }])
      expect(readSetting("PERISCAN_REQUESTS_PER_MINUTE", environment)).toBe(600);
    expect(readSetting("PERISCAN_PUBLIC_URL", {})).toBeUndefined();
  });

  test.each([
    ["PERISCAN_REQUIRE_OWNERSHIP", "maybe", 'PERISCAN_REQUIRE_OWNERSHIP must be 1 or 0 (or true or false, on or off); it is "maybe".'],
    ["PERISCAN_WORKER_SLOTS", "0", 'PERISCAN_WORKER_SLOTS must be a whole number, 1 or more; it is "0".'],
    ["PERISCAN_WORKER_SLOTS", "1e3", 'PERISCAN_WORKER_SLOTS must be a whole number, 1 or more; it is "1e3".'],
    ["PERISCAN_PUBLIC_URL", "periscan.example", 'PERISCAN_PUBLIC_URL must be an address such as https://periscan.example; it is "periscan.example".'],
    ["PERISCAN_CA_FILE", "ca.pem", 'PERISCAN_CA_FILE must be an absolute path; it is "ca.pem".'],
  ] as const)("%s=%s is refused in one sentence that names it", (name, given, message) => {
    expect(() => readSetting(name, { [name]: given })).toThrow(new SettingsError(message));
  });

  test("that is a secret is refused without being shown", () => {
    expect(() => readSetting("PERISCAN_SECRET_KEY", { PERISCAN_SECRET_KEY: "hunter2" })).toThrow(
      new SettingsError("PERISCAN_SECRET_KEY must be 64 hexadecimal digits, such as `openssl rand -hex 32` prints."),
    );
  });

  test.each([
    ["PERISCAN_SAMPLE_DATA", "off", false],
    ["PERISCAN_REQUIRE_OWNERSHIP", "TRUE", true],
    ["PERISCAN_REQUESTS_PER_MINUTE", "0", 0],
    ["PERISCAN_CORS_ORIGINS", "https://a.example, http://b.example:8080", ["https://a.example", "http://b.example:8080"]],
    ["PERISCAN_TRUSTED_PROXIES", "192.0.2.1,198.51.100.0/24", ["192.0.2.1", "198.51.100.0/24"]],
  ] as const)("%s=%s is read", (name, given, value) => {
    expect(readSetting(name, { [name]: given })).toEqual(value);
  });
});

test("a variable that is no setting is named with the nearest one that is", () => {
  const environment = { PERISCAN_WORKER_SLOT: "4", PERISCAN_SOMETHING_ELSE_ENTIRELY: "1", PERISCAN_DATA: "/tmp", PATH: "/bin" };
  expect(describeUnknownSettings(environment)).toEqual([
    "PERISCAN_WORKER_SLOT is not a setting of Periscan. Did you mean PERISCAN_WORKER_SLOTS?",
    "PERISCAN_SOMETHING_ELSE_ENTIRELY is not a setting of Periscan. `periscan settings` lists those that are.",
  ]);
});

test("docs/settings.md is what the code says", () => {
  expect(readFileSync(new URL("../docs/settings.md", import.meta.url), "utf8")).toBe(writeSettingsPage());
});
