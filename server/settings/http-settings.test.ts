import { expect, test } from "vitest";
import { SettingsError } from "../errors/settings-error.ts";
import { readHttpSettings } from "./http-settings.ts";

test("without a word of the operator no page may call the API, and there is sample data", () => {
  expect(readHttpSettings({})).toEqual({ corsOrigins: [], sampleData: true, allowedHosts: [], metricsToken: undefined });
  expect(readHttpSettings({ PERISCAN_CORS_ORIGINS: "", PERISCAN_SAMPLE_DATA: "off" })).toMatchObject({ corsOrigins: [], sampleData: false });
});

test("origins are read as browsers send them, and what could never match is refused at the start", () => {
  const read = (PERISCAN_CORS_ORIGINS: string) => readHttpSettings({ PERISCAN_CORS_ORIGINS }).corsOrigins;
  expect(read("https://a.example, http://localhost:5173")).toEqual(["https://a.example", "http://localhost:5173"]);
  expect(read("*")).toEqual(["*"]);
  for (const wrong of ["a.example", "https://a.example/", "https://a.example/x", "ftp://a.example", "https://A.example", "null"])
    expect(() => read(wrong), wrong).toThrow("PERISCAN_CORS_ORIGINS");
  expect(() => readHttpSettings({ PERISCAN_SAMPLE_DATA: "no" })).toThrow(new SettingsError("PERISCAN_SAMPLE_DATA must be on or off."));
});

test("names of the server are read as browsers send them, and a token of the metrics is one that cannot be guessed", () => {
  const read = (PERISCAN_ALLOWED_HOSTS: string) => readHttpSettings({ PERISCAN_ALLOWED_HOSTS }).allowedHosts;
  expect(read("Periscan.example, scanner.,")).toEqual(["periscan.example", "scanner"]);
  expect(read("*")).toEqual(["*"]);
  for (const wrong of ["periscan.example:7700", "https://periscan.example", "a b", "*.example"])
    expect(() => read(wrong), wrong).toThrow("PERISCAN_ALLOWED_HOSTS");
  expect(readHttpSettings({ PERISCAN_METRICS_TOKEN: "0123456789abcdef" }).metricsToken).toBe("0123456789abcdef");
  expect(() => readHttpSettings({ PERISCAN_METRICS_TOKEN: "short" })).toThrow("PERISCAN_METRICS_TOKEN");
});
