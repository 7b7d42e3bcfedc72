import { bracket, type ParsedTarget, parseTarget } from "@periscan/contract/target-syntax.ts";
import type { NucleiResult } from "./read-result.ts";

/** Where a hit of somebody's file belongs. */
export interface Place {
  /** The target that a scan of the whole host would have. */
  host: string;
  port?: number;
  /** As a scan names it: a site with its port, or `tcp:PORT`. */
  text: string;
}

/**
 * The place that Nuclei was told to look at, which goes before where it was led: a template may ask elsewhere, and its hit is still one of what was
 * scanned. Undefined where that is no host.
 */
export const findPlace = (result: NucleiResult): Place | undefined => (result.type === "http" ? findSite(result) : findPort(result));

const isUrl = (text: string): boolean => /^https?:\/\//i.test(text) && URL.canParse(text);

/** Nuclei 3 tells the site as `url`, Nuclei 2 as `host`; `host` is a bare name or address else. */
function findSite(result: NucleiResult): Place | undefined {
  const { url = "", host = "", "matched-at": matched } = result;
  const told = [url, host].find(isUrl) ?? (isUrl(matched) && (host === "" || isSameHost(matched, host)) ? matched : makeUrl(result));
  return isUrl(told) ? readSite(new URL(told)) : undefined;
}

const isSameHost = (url: string, host: string): boolean => readHost(new URL(url).hostname) === readHost(splitPort(host).name);

function makeUrl({ host = "", port, scheme = "https" }: NucleiResult): string {
  const given = splitPort(host);
  const number = given.port ?? port;
  return `${scheme}://${bracket(given.name)}${number ? `:${number}` : ""}`;
}

function readSite(url: URL): Place | undefined {
  const host = readHost(url.hostname);
  const port = Number(url.port) || (url.protocol === "https:" ? 443 : 80);
  return host === undefined ? undefined : { host, port, text: `${url.protocol}//${url.hostname}:${port}` };
}

function findPort(result: NucleiResult): Place | undefined {
  const { host: told = "", url = "", "matched-at": matched } = result;
  const text = [told, url, matched].find(Boolean) ?? "";
  const host = readHost(nameOf(text));
  if (host === undefined) return undefined;
  const port = [matched, text].map(portOf).find((number) => number !== undefined) ?? readNumber(result.port);
  return port === undefined ? { host, text: result.type } : { host, port, text: `tcp:${port}` };
}

const nameOf = (text: string): string => (/^[a-z]+:\/\//i.test(text) && URL.canParse(text) ? new URL(text).hostname : splitPort(text).name);

function portOf(text: string): number | undefined {
  if (isUrl(text)) return readSite(new URL(text))?.port;
  return readNumber(/:(\d{1,5})$/.exec(text)?.[1]);
}

function readNumber(text: string | undefined): number | undefined {
  const number = Number(text);
  return number >= 1 && number <= 65_535 ? number : undefined;
}

function splitPort(text: string): { name: string; port?: string } {
  const [, name = text, port] = /^(\[.*\]|[^:]*):(\d{1,5})$/.exec(text) ?? [];
  return port === undefined ? { name } : { name, port };
}

function readHost(name: string): string | undefined {
  const parsed = parseTarget(name);
  const [one] = parsed.ok ? parsed.targets : [];
  return one && (one.kind === "name" || one.kind === "address") ? one.text : undefined;
}

/** Whether the place is on the target. */
export const isOn = (place: Place, target: ParsedTarget): boolean =>
  place.host === target.host && (!("port" in target) || place.port === undefined || target.port === place.port);
