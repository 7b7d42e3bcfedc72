import ipaddr from "ipaddr.js";

/** Slows down whoever tries keys, by address (OWASP ASVS 5, 2.4.1). */
export interface AddressGuard {
  /** Seconds until the address may try a secret again; 0 where it may now. A secret that was good within ten minutes may always. */
  secondsToWait(address: string, secretHash: Buffer): number;
  noteFailure(address: string): void;
  noteSuccess(secretHash: Buffer): void;
}

const windowMilliseconds = 60_000;
const goodMilliseconds = 600_000;
/** Of each kind; the oldest go first. A flood from more addresses than this is for a firewall. */
const maxEntries = 10_000;

/**
 * Each address has a bucket of failures that refills evenly, in the memory of this server: a flood of guesses must not become a flood of
 * writes. `now` in milliseconds, never backwards.
 */
export function createAddressGuard(failuresPerMinute: number, now: () => number = () => performance.now()): AddressGuard {
  /** When the bucket of each address is full again. */
  const fullAt = new Map<string, number>();
  const goodUntil = new Map<string, number>();
  const step = windowMilliseconds / failuresPerMinute;
  const wait = (network: string) => (fullAt.get(network) ?? 0) + step - windowMilliseconds - now();
  return {
    secondsToWait: (address, secretHash) => {
      if (failuresPerMinute === 0 || (goodUntil.get(secretHash.toString("latin1")) ?? 0) > now()) return 0;
      return Math.max(0, Math.ceil(wait(toNetwork(address)) / 1000));
    },
    noteFailure: (address) => {
      const network = toNetwork(address);
      if (failuresPerMinute > 0) put(fullAt, network, Math.max(fullAt.get(network) ?? 0, now()) + step);
    },
    noteSuccess: (secretHash) => put(goodUntil, secretHash.toString("latin1"), now() + goodMilliseconds),
  };
}

function put(map: Map<string, number>, key: string, value: number): void {
  map.delete(key);
  map.set(key, value);
  if (map.size > maxEntries) map.delete(map.keys().next().value as string);
}

/** Whoever has one IPv6 address has the other 2⁶⁴ of its network too. */
function toNetwork(address: string): string {
  const plain = address.split("%")[0] ?? "";
  if (!ipaddr.isValid(plain)) return address;
  const parsed = ipaddr.process(plain);
  return parsed.kind() === "ipv6" ? parsed.toByteArray().slice(0, 8).join(".") : parsed.toString();
}
