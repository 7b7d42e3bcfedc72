import { SettingsError } from "./settings-error.ts";

/** What the operator decides of the API as HTTP clients see it. */
export interface HttpSettings {
  /** The origins of web pages that may call the API from a browser; `*` is any. None by default. */
  corsOrigins: string[];
  /** Whether `test-data-key` answers with sample data. */
  sampleData: boolean;
}

/** From PERISCAN_CORS_ORIGINS (origins, separated by commas) and PERISCAN_SAMPLE_DATA (`on` or `off`). Throws where one cannot be read. */
export function readHttpSettings(environment: NodeJS.ProcessEnv): HttpSettings {
  const { PERISCAN_CORS_ORIGINS: origins = "", PERISCAN_SAMPLE_DATA: sampleData = "on" } = environment;
  if (sampleData !== "on" && sampleData !== "off") throw new SettingsError("PERISCAN_SAMPLE_DATA must be on or off.");
  return { corsOrigins: origins.split(",").flatMap((origin) => readOrigin(origin.trim())), sampleData: sampleData === "on" };
}

/** A trailing slash, or a path, would never match what a browser sends: said at the start instead of never working. */
function readOrigin(text: string): string[] {
  if (text === "") return [];
  if (text === "*") return [text];
  if (!URL.canParse(text) || !/^https?:$/.test(new URL(text).protocol) || new URL(text).origin !== text)
    throw new SettingsError(`PERISCAN_CORS_ORIGINS: ${text} is not an origin such as https://dashboard.example.`);
  return [text];
}
