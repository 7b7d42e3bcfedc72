import { expect, test } from "vitest";
import { readHttpSettings } from "./http-settings.ts";
import { SettingsError } from "./settings-error.ts";

test("without a word of the operator no page may call the API, and there is sample data", () => {
  expect(readHttpSettings({})).toEqual({ corsOrigins: [], sampleData: true });
  expect(readHttpSettings({ PERISCAN_CORS_ORIGINS: "", PERISCAN_SAMPLE_DATA: "off" })).toEqual({ corsOrigins: [], sampleData: false });
});

test("origins are read as browsers send them, and what could never match is refused at the start", () => {
  const read = (PERISCAN_CORS_ORIGINS: string) => readHttpSettings({ PERISCAN_CORS_ORIGINS }).corsOrigins;
  expect(read("https://a.example, http://localhost:5173")).toEqual(["https://a.example", "http://localhost:5173"]);
  expect(read("*")).toEqual(["*"]);
  for (const wrong of ["a.example", "https://a.example/", "https://a.example/x", "ftp://a.example", "https://A.example", "null"])
    expect(() => read(wrong), wrong).toThrow("PERISCAN_CORS_ORIGINS");
  expect(() => readHttpSettings({ PERISCAN_SAMPLE_DATA: "no" })).toThrow(new SettingsError("PERISCAN_SAMPLE_DATA must be on or off."));
});
