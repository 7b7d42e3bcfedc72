import { type AddressGuard, createAddressGuard } from "../access/address-guard.ts";
import { SettingsError } from "../errors/settings-error.ts";

/** What the operator may set; each has an environment variable, which holds where it is not given. */
export interface LimitSettings {
  /** Of one API key, where its workspace has no number of its own; 0 is no limit. PERISCAN_REQUESTS_PER_MINUTE, or 600. */
  requestsPerMinute?: number;
  /** Requests with wrong keys from one address; 0 is no limit. PERISCAN_WRONG_KEYS_PER_MINUTE, or 60. */
  wrongKeysPerMinute?: number;
  /** Addresses or blocks of proxies whose X-Forwarded-For is believed. PERISCAN_TRUSTED_PROXIES, with commas, or none. */
  trustedProxies?: string[];
}

export interface RequestLimits {
  /** Against whoever tries keys. */
  guard: AddressGuard;
  requestsPerMinute: number;
  trustedProxies: string[];
}

/** The limits of a server's requests. Throws where a variable cannot be read. */
export function readLimitSettings(settings: LimitSettings): RequestLimits {
  return {
    guard: createAddressGuard(settings.wrongKeysPerMinute ?? readRate("PERISCAN_WRONG_KEYS_PER_MINUTE", 60)),
    requestsPerMinute: settings.requestsPerMinute ?? readRate("PERISCAN_REQUESTS_PER_MINUTE", 600),
    trustedProxies: settings.trustedProxies ?? readList("PERISCAN_TRUSTED_PROXIES"),
  };
}

function readRate(variable: string, otherwise: number): number {
  const text = process.env[variable] ?? "";
  if (text !== "" && !/^\d{1,7}$/.test(text)) throw new SettingsError(`${variable} is not a whole number: ${text}`);
  return text === "" ? otherwise : Number(text);
}

const readList = (variable: string): string[] =>
  (process.env[variable] ?? "")
    .split(",")
    .map((text) => text.trim())
    .filter((text) => text !== "");
