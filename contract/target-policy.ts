import ipaddr from "ipaddr.js";

export interface TargetPolicy {
  /** Only for the platform's own worker, and only where the operator lets it: else a tenant could reach private services of the worker's machine. */
  allowLoopback: boolean;
  /** False: only addresses of the public internet. */
  allowPrivate?: boolean;
}

/** Services of clouds that hand out credentials, on addresses that are not link-local. Sources: the clouds' own documentation. */
const metadataAddresses = new Map([
  ["fd00:ec2::254", "Amazon EC2"],
  ["fd00:ec2::23", "Amazon EKS"],
  ["fd00:42::42", "Scaleway"],
  ["fd00:c1::a9fe:a9fe", "Oracle Cloud"],
  ["fd00:a9fe:a9fe::1", "Linode"],
  ["fd20:ce::254", "Google Cloud"],
  ["100.100.100.200", "Alibaba Cloud"],
  ["168.63.129.16", "Microsoft Azure"],
  ["192.0.0.192", "Oracle Cloud"],
]);

const metadataNames = new Set(["metadata", "metadata.google.internal", "metadata.goog", "instance-data", "instance-data.ec2.internal"]);

const refusedRanges = new Map([
  ["linkLocal", "a link-local address, where clouds serve credentials"],
  ["multicast", "a multicast address"],
  ["unspecified", "an unspecified address"],
  ["broadcast", "a broadcast address"],
  ["teredo", "a Teredo address, whose packets go to an IPv4 address that another host chooses"],
  // Only 64:ff9b:1::/48 is left of it once `unwrap` took the IPv4 address out of the well-known prefix.
  ["rfc6052", "an address of a local NAT64 (RFC 8215), behind which any IPv4 address may stand"],
]);

/** Why this address may not be scanned, as the end of a sentence; undefined where it may. `address` is an IP literal. */
export function refuseAddress(address: string, policy: TargetPolicy): string | undefined {
  const parsed = unwrap(ipaddr.parse(address));
  const range = parsed.range();
  const refused = refusedRanges.get(range);
  if (refused) return `${address} is ${refused}`;
  const cloud = metadataAddresses.get(parsed.kind() === "ipv6" ? (parsed as ipaddr.IPv6).toRFC5952String() : parsed.toString());
  if (cloud) return `${address} is the metadata service of ${cloud}`;
  if (range === "loopback" && !policy.allowLoopback)
    return `${address} is a loopback address, which only the platform's own worker scans, where the operator lets it (PERISCAN_ALLOW_LOOPBACK)`;
  if (policy.allowPrivate === false && !isPublicAddress(address))
    return `${address} is not an address of the public internet, and others may not be scanned where ownership must be proven`;
  return undefined;
}

/**
 * Whether an address (an IP literal) is one of the public internet: none of the special ranges, of IPv6 only 2000::/3, which is all that is
 * given out (IANA), and the IPv4 address inside a translated IPv6 one is public too.
 */
export function isPublicAddress(address: string): boolean {
  const given = ipaddr.parse(address);
  const parsed = unwrap(given);
  if (parsed.range() !== "unicast" || refuseAddress(address, { allowLoopback: false }) !== undefined) return false;
  return parsed !== given || parsed.kind() === "ipv4" || (parsed.toByteArray()[0] ?? 0) >> 5 === 1;
}

/** Why this name may not be scanned, before it is resolved. */
export function refuseName(name: string): string | undefined {
  return metadataNames.has(name) ? `${name} is a cloud's metadata service` : undefined;
}

/**
 * The IPv4 address inside an IPv6 one, where the two reach, or once reached, the same host: mapped and compatible (RFC 4291), translated (RFC 6145), the well-known
 * prefix of NAT64 (RFC 6052) and 6to4 (RFC 3056).
 */
function unwrap(address: ipaddr.IPv4 | ipaddr.IPv6): ipaddr.IPv4 | ipaddr.IPv6 {
  if (address.kind() === "ipv4") return address;
  const bytes = address.toByteArray();
  const range = address.range();
  if (range === "6to4") return ipaddr.fromByteArray(bytes.slice(2, 6)) as ipaddr.IPv4;
  const isCompatible = bytes.slice(0, 12).every((byte) => byte === 0) && bytes.slice(12, 14).some((byte) => byte !== 0);
  const isWrapped = isCompatible || range === "ipv4Mapped" || range === "rfc6145" || (range === "rfc6052" && bytes[5] === 0);
  return isWrapped ? (ipaddr.fromByteArray(bytes.slice(12)) as ipaddr.IPv4) : address;
}
