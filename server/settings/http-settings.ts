import { SettingsError } from "../errors/settings-error.ts";

/** What the operator decides of the API as HTTP clients see it. */
export interface HttpSettings {
  /** The origins of web pages that may call the API from a browser; `*` is any. None by default. */
  corsOrigins: string[];
  /** Whether `test-data-key` answers with sample data. */
  sampleData: boolean;
  /** Names of the server beside `localhost`, the listener's and the public URL's; `*` is any. */
  allowedHosts: string[];
  /** What `/metrics` is read with; needed where others than programs of this machine reach the server. */
  metricsToken: string | undefined;
}

/**
 * From PERISCAN_CORS_ORIGINS (origins, separated by commas), PERISCAN_SAMPLE_DATA (`on` or `off`), PERISCAN_ALLOWED_HOSTS (names, separated by commas) and
 * PERISCAN_METRICS_TOKEN. Throws where one cannot be read.
 */
export function readHttpSettings(environment: NodeJS.ProcessEnv): HttpSettings {
  const { PERISCAN_CORS_ORIGINS: origins = "", PERISCAN_SAMPLE_DATA: sampleData = "on" } = environment;
  if (sampleData !== "on" && sampleData !== "off") throw new SettingsError("PERISCAN_SAMPLE_DATA must be on or off.");
  const { PERISCAN_ALLOWED_HOSTS: hosts = "", PERISCAN_METRICS_TOKEN: metricsToken } = environment;
  if (metricsToken && !/^[\x21-\x7e]{16,200}$/.test(metricsToken))
    throw new SettingsError("PERISCAN_METRICS_TOKEN must have 16 to 200 characters of ASCII, without spaces.");
  return {
    corsOrigins: origins.split(",").flatMap((origin) => readOrigin(origin.trim())),
    sampleData: sampleData === "on",
    allowedHosts: hosts.split(",").flatMap((host) => readHost(host.trim())),
    metricsToken: metricsToken || undefined,
  };
}

/** A name with a port, or a URL, would never match. */
function readHost(text: string): string[] {
  if (text === "") return [];
  const name = text.toLowerCase().replace(/\.$/, "");
  if (name !== "*" && (name.includes("*") || !URL.canParse(`http://${name}`) || new URL(`http://${name}`).hostname !== name))
    throw new SettingsError(`PERISCAN_ALLOWED_HOSTS: ${text} is not a name such as periscan.example, without a port.`);
  return [name];
}

/** A trailing slash, or a path, would never match what a browser sends: said at the start instead of never working. */
function readOrigin(text: string): string[] {
  if (text === "") return [];
  if (text === "*") return [text];
  if (!URL.canParse(text) || !/^https?:$/.test(new URL(text).protocol) || new URL(text).origin !== text)
    throw new SettingsError(`PERISCAN_CORS_ORIGINS: ${text} is not an origin such as https://dashboard.example.`);
  return [text];
}
