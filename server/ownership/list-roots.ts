import { parseAddress } from "@periscan/contract/target-syntax.ts";
import { getDomain } from "tldts";

/**
 * The names whose proof covers this host, the nearest first: itself, and the domains above it down to the one that somebody registered. A public suffix
 * (`co.uk`, `github.io`) covers nothing below it, for everybody may have a name there: https://publicsuffix.org, with its private part.
 */
export function listRoots(host: string): string[] {
  const registered = registeredDomain(host);
  if (registered === undefined) return [host];
  const labels = host.split(".");
  const depth = labels.length - registered.split(".").length;
  return Array.from({ length: depth + 1 }, (_, index) => labels.slice(index).join("."));
}

/** Whether a proof of this root is one of all names below it. */
export const coversSubdomains = (root: string): boolean => registeredDomain(root) !== undefined;

function registeredDomain(host: string): string | undefined {
  if (parseAddress(host) !== undefined) return undefined;
  return getDomain(host, { allowPrivateDomains: true, validateHostname: false, extractHostname: false }) ?? undefined;
}
