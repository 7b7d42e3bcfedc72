import ipaddr from "ipaddr.js";
import { SettingsError } from "../errors/settings-error.ts";

/** Addresses and blocks (`198.51.100.7`, `198.51.100.0/24`) as they are kept. Throws where one cannot be read. */
export const readNetworks = (texts: string[]): string[] =>
  texts.map((text) => {
    if (ipaddr.isValidCIDR(text) || (ipaddr.isValid(text) && text.includes(text.includes(":") ? ":" : "."))) return text;
    throw new SettingsError(`${text} is neither an address nor a block such as 198.51.100.0/24.`);
  });

/** Whether an address (an IP literal) is one of these, or in one of these blocks. An IPv4 address is the same written as IPv6. */
export function isInNetworks(address: string, networks: string[]): boolean {
  const plain = address.split("%")[0] ?? "";
  if (!ipaddr.isValid(plain)) return false;
  const parsed = ipaddr.process(plain);
  return networks.some((network) => {
    const [base, bits] = network.includes("/") ? ipaddr.parseCIDR(network) : exactly(network);
    return base.kind() === parsed.kind() && parsed.match(base as never, bits);
  });
}

function exactly(address: string): [ipaddr.IPv4 | ipaddr.IPv6, number] {
  const parsed = ipaddr.process(address);
  return [parsed, parsed.kind() === "ipv4" ? 32 : 128];
}
