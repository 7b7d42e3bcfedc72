import { lookup, Resolver } from "node:dns/promises";
import { isIP } from "node:net";
import { isPublicAddress, refuseAddress, refuseName } from "@periscan/contract/target-policy.ts";
import { readSwitch } from "../read-switch.ts";

/** Where requests to addresses that users give may go. Both options are the operator's, for receivers inside the own network. */
export interface OutgoingPolicy {
  /** Also plain HTTP. */
  allowHttp: boolean;
  /** Also private and loopback addresses. Link-local ones and those of metadata services never. */
  allowPrivate: boolean;
  /** The operator's option that allows them, where it is another than that of webhooks. */
  privateOption?: string;
  /** `address:port` of the name servers to ask, instead of the system's. */
  dnsServers?: string[];
}

/** The operator's options: `PERISCAN_WEBHOOKS_ALLOW_HTTP` and `PERISCAN_WEBHOOKS_ALLOW_PRIVATE`, each on with `1` or `true`. */
export function readOutgoingPolicy(environment: NodeJS.ProcessEnv): OutgoingPolicy {
  return {
    allowHttp: readSwitch(environment, "PERISCAN_WEBHOOKS_ALLOW_HTTP") ?? false,
    allowPrivate: readSwitch(environment, "PERISCAN_WEBHOOKS_ALLOW_PRIVATE") ?? false,
  };
}

/** The request was not made, or had no whole answer. The message is a sentence for the user who gave the address. */
export class OutgoingError extends Error {
  override readonly name = "OutgoingError";
}

/** Reads a URL and refuses what no name resolution can mend. Throws `OutgoingError`. */
export function readOutgoingUrl(text: string, policy: OutgoingPolicy): URL {
  if (!URL.canParse(text)) throw new OutgoingError("This is not a URL such as https://example.com/hook.");
  const url = new URL(text);
  if (url.protocol !== "https:" && !(url.protocol === "http:" && policy.allowHttp)) {
    const hint = url.protocol === "http:" ? " The operator can allow plain HTTP with PERISCAN_WEBHOOKS_ALLOW_HTTP=1." : "";
    throw new OutgoingError(`The URL must begin with https://.${hint}`);
  }
  if (url.username !== "" || url.password !== "") throw new OutgoingError("The URL must not have a user name or password in it.");
  const host = hostOf(url);
  const refusal = isIP(host) === 0 ? refuseName(host.replace(/\.$/, "")) : refuse(host, policy);
  if (refusal) throw new OutgoingError(`${refusal}.`);
  return url;
}

/** Without the brackets of IPv6. WHATWG URLs have read `0x7f.1` and `2130706433` as addresses already. */
export const hostOf = (url: URL): string => url.hostname.replace(/^\[(.*)\]$/, "$1");

/** Why no request may go to this address, as a sentence without its end; undefined where one may. */
function refuse(address: string, policy: OutgoingPolicy): string | undefined {
  const never = refuseAddress(address, { allowLoopback: true });
  if (never || policy.allowPrivate || isPublicAddress(address)) return never;
  return `${address} is not an address of the public internet. The operator can allow others with ${policy.privateOption ?? "PERISCAN_WEBHOOKS_ALLOW_PRIVATE"}=1`;
}

const lookupMilliseconds = 4000;

/**
 * The addresses that a URL's host has and that a request may go to, IPv4 first; resolved once, so that the address that was checked is the one
 * that is connected to. Throws `OutgoingError` where there are none. Asks the name servers itself: the system's resolver would hold one of four
 * threads for as long as somebody's name server likes.
 */
export async function resolveOutgoing(url: URL, policy: OutgoingPolicy): Promise<string[]> {
  const host = hostOf(url);
  const addresses = isIP(host) === 0 ? await resolveName(host, policy) : [host];
  const allowed = addresses.filter((address) => refuse(address, policy) === undefined);
  const [first] = addresses;
  if (first === undefined) throw new OutgoingError(`The name ${host} does not resolve.`);
  if (allowed.length > 0) return allowed;
  const why = refuse(first, policy) ?? "";
  throw new OutgoingError(first === host ? `${why}.` : `The name ${host} may not be used: ${why}.`);
}

async function resolveName(name: string, { dnsServers, allowPrivate }: OutgoingPolicy): Promise<string[]> {
  const resolver = new Resolver({ timeout: lookupMilliseconds / 2, tries: 2, maxTimeout: lookupMilliseconds / 2 });
  if (dnsServers) resolver.setServers(dnsServers);
  const none = (): never[] => [];
  const [v4, v6] = await Promise.all([resolver.resolve4(name).catch(none), resolver.resolve6(name).catch(none)]);
  if (v4.length + v6.length > 0 || !allowPrivate) return [...v4, ...v6];
  // Names of the own network may stand in the hosts file alone, such as `localhost`.
  return (await lookup(name, { all: true, order: "ipv4first" }).catch(none)).map(({ address }) => address);
}
