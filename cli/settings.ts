import { readFileSync, statSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { threatLevels } from "@periscan/contract/words.ts";
import { UserError } from "./user-error.ts";

/** A setting with where it comes from, for a person: a variable, the file, or the default. */
export interface Setting<T = string> {
  value: T;
  from: string;
}

export interface Settings {
  server: Setting<string | undefined>;
  apiKey: Setting<string | undefined>;
  /** Where result files go. */
  output: Setting;
  /** How lists are printed. */
  format: Setting;
  /** The least threat level by which `scan` and `import` fail. */
  failOn: Setting<string | undefined>;
}

const checks: Record<string, { is(text: string): boolean; what: string }> = {
  server: { is: (text) => URL.canParse(text) && /^https?:\/\//i.test(text), what: "an address that begins with http:// or https://" },
  api_key: { is: (text) => /^[\x21-\x7e]+$/.test(text), what: "a key" },
  output: { is: (text) => text !== "", what: "a folder" },
  format: { is: (text) => ["table", "json", "csv"].includes(text), what: "table, json or csv" },
  fail_on: { is: (text) => (threatLevels as readonly string[]).includes(text), what: `one of ${threatLevels.join(", ")}` },
};

/** PERISCAN_CONFIG, else periscan/config.json in the user's folder of configurations (XDG Base Directory). */
export const settingsFile = (): string =>
  process.env.PERISCAN_CONFIG || join(process.env.XDG_CONFIG_HOME || join(homedir(), ".config"), "periscan", "config.json");

/**
 * What counts for this command: a variable of the environment before the file, the file before the default. PERISCAN_DATA names a platform of this machine, so it also
 * goes before the file's `server`. Throws a UserError where the file cannot be read, has a key that others can read, or says what cannot be.
 */
export function readSettings(): Settings {
  const file = readFile();
  const choose = <D>(name: string, variable: string | undefined, fallback: D): Setting<string | D> => {
    const fromEnvironment = variable && process.env[variable];
    if (fromEnvironment) return { value: fromEnvironment, from: variable };
    const text = file[name];
    return text === undefined ? { value: fallback, from: "default" } : { value: text, from: settingsFile() };
  };
  const server = choose("server", "PERISCAN_SERVER", undefined);
  const isLocal = server.from === settingsFile() && process.env.PERISCAN_DATA;
  const apiKey = choose("api_key", "PERISCAN_API_KEY", undefined);
  // The file's key is for the file's server alone.
  const isForeign = apiKey.from === settingsFile() && (isLocal || server.from !== settingsFile());
  return {
    server: isLocal ? { value: undefined, from: "PERISCAN_DATA" } : server,
    apiKey: isForeign ? { value: undefined, from: "default" } : apiKey,
    output: choose("output", undefined, "periscan-results"),
    format: choose("format", undefined, "table"),
    failOn: choose("fail_on", undefined, undefined),
  };
}

function readFile(): Record<string, string> {
  const path = settingsFile();
  const text = readText(path);
  if (text === undefined) return {};
  const values = parse(path, text);
  for (const [name, value] of Object.entries(values)) {
    const check = Object.hasOwn(checks, name) ? checks[name] : undefined;
    if (!check) throw new UserError(`${path}: ${name} is not known; there are ${Object.keys(checks).join(", ")}.`, { exitCode: 2 });
    if (typeof value !== "string" || !check.is(value)) throw new UserError(`${path}: ${name} must be ${check.what}.`, { exitCode: 2 });
  }
  if (Object.hasOwn(values, "api_key") && (statSync(path).mode & 0o077) !== 0)
    throw new UserError(`${path} has an API key in it, and others can read it: chmod 600 ${path}`, { exitCode: 2 });
  return values as Record<string, string>;
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === "ENOENT" && !process.env.PERISCAN_CONFIG) return undefined;
    throw new UserError(`The configuration ${path} cannot be read (${code}).`, { exitCode: 2, cause });
  }
}

function parse(path: string, text: string): object {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value;
  } catch {
    // Said below.
  }
  throw new UserError(`${path} must be a JSON object, such as {"server": "https://periscan.example", "api_key": "ps_…"}.`, { exitCode: 2 });
}
