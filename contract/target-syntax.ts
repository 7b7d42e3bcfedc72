import { domainToASCII } from "node:url";
import ipaddr from "ipaddr.js";

/** A target in canonical form. `text` is what is stored, shown and compared: two spellings of one target have one `text`. */
export type ParsedTarget =
  | { kind: "address"; text: string; host: string }
  | { kind: "name"; text: string; host: string }
  | { kind: "url"; text: string; host: string; port: number; scheme: "http" | "https"; path: string }
  | { kind: "service"; text: string; host: string; port: number };

export type ParseResult = { ok: true; targets: ParsedTarget[] } | { ok: false; reason: string };

/** The most addresses of one block: a /22 of IPv4, a /118 of IPv6. */
export const maxBlockAddresses = 1024;

const forms = "an IPv4 or IPv6 address, a host name, host:port, a URL (http or https), or a CIDR block of at most 1,024 addresses";

/**
 * Reads one target as a user writes it; a CIDR block becomes its addresses. Names are lower case, without a trailing dot and in ASCII
 * (IDNA); a URL loses its default port, fragment and login. Nothing that could pass for a command line's option gets through.
 */
export function parseTarget(input: string): ParseResult {
  const text = input.trim();
  if (text === "" || text.length > 2048) return refuse(input, `is empty or longer than 2,048 characters; give ${forms}`);
  if (/^https?:\/\//i.test(text)) return parseUrl(text);
  if (text.includes("://")) return refuse(input, "has a scheme that cannot be scanned; use http or https");
  const address = parseAddress(text.replace(/^\[(.*)\]$/, "$1"));
  if (address) return { ok: true, targets: [{ kind: "address", text: address, host: address }] };
  if (text.includes("/")) return parseBlock(text);
  const service = /^(.*):(\d{1,5})$/.exec(text);
  if (service) return parseService(text, service[1] ?? "", Number(service[2]));
  const name = parseName(text);
  return name ? { ok: true, targets: [{ kind: "name", text: name, host: name }] } : refuse(input, `is not a target; give ${forms}`);
}

/** The canonical form of an IP literal (IPv4 only as four decimal parts), or undefined. Zones (`%eth0`) are refused. */
export function parseAddress(text: string): string | undefined {
  if (ipaddr.IPv4.isValidFourPartDecimal(text)) return ipaddr.IPv4.parse(text).toString();
  if (!text.includes(":") || text.includes("%") || !ipaddr.IPv6.isValid(text)) return undefined;
  return ipaddr.IPv6.parse(text).toRFC5952String();
}

function parseName(text: string): string | undefined {
  // Only characters of a name in any script: `domainToASCII` would decode percent signs and cut at some others.
  if (!/^[\p{L}\p{M}\p{N}._-]+$/u.test(text)) return undefined;
  const name = domainToASCII(text).replace(/\.$/, "");
  if (name === "" || name.length > 253) return undefined;
  const labels = name.split(".");
  if (!labels.every((label) => /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/.test(label))) return undefined;
  // A last label of digits is an address to some resolvers (`0x7f.1`, `2130706433`), and `192.0.2.1-20` is a range to a reader: neither is a name.
  return /^([\d-]+|0x[0-9a-f]*)$/.test(labels.at(-1) ?? "") ? undefined : name;
}

function parseHost(text: string): string | undefined {
  return parseAddress(text.replace(/^\[(.*)\]$/, "$1")) ?? parseName(text);
}

function parseService(text: string, hostText: string, port: number): ParseResult {
  const host = parseHost(hostText);
  if (!host) return refuse(text, `is not a target; give ${forms}`);
  if (port < 1 || port > 65_535) return refuse(text, "has a port outside 1 to 65535");
  return { ok: true, targets: [{ kind: "service", text: `${bracket(host)}:${port}`, host, port }] };
}

function parseUrl(text: string): ParseResult {
  // The URL parser takes `http://0x7f.1/` for 127.0.0.1 and drops tabs and newlines: look at the host as it was written.
  const written = /^https?:\/\/(?:[^/?#@\\]*@)?(\[[^\]]*\]|[^/?#:\\]*)(?::\d*)?(?:[/?#]|$)/i.exec(text)?.[1] ?? "";
  const host = parseHost(written);
  if (!host || /[\s\p{C}\\]/u.test(text) || !URL.canParse(text)) return refuse(text, "is not a URL that can be scanned");
  const url = new URL(text);
  url.hash = "";
  url.username = "";
  url.password = "";
  url.hostname = bracket(host);
  const scheme = url.protocol === "https:" ? "https" : "http";
  const port = url.port === "" ? { http: 80, https: 443 }[scheme] : Number(url.port);
  if (port === 0) return refuse(text, "has a port outside 1 to 65535");
  return { ok: true, targets: [{ kind: "url", text: url.href, host, port, scheme, path: `${url.pathname}${url.search}` }] };
}

function parseBlock(text: string): ParseResult {
  const [base = "", bits = "", ...rest] = text.split("/");
  const address = parseAddress(base);
  if (!address || rest.length > 0 || !/^\d{1,3}$/.test(bits)) return refuse(text, `is not a target; give ${forms}`);
  const first = ipaddr.parse(address);
  const width = first.kind() === "ipv4" ? 32 : 128;
  const hostBits = width - Number(bits);
  if (hostBits < 0) return refuse(text, `has a prefix longer than /${width}`);
  if (2 ** hostBits > maxBlockAddresses) return refuse(text, `is a block of more than 1,024 addresses; the largest is /${width - 10}`);
  const start = toBigInt(first.toByteArray()) & ~((1n << BigInt(hostBits)) - 1n);
  const targets = Array.from({ length: 2 ** hostBits }, (_, offset): ParsedTarget => {
    const host = fromBigInt(start + BigInt(offset), width / 8);
    return { kind: "address", text: host, host };
  });
  return { ok: true, targets };
}

const toBigInt = (bytes: number[]) => bytes.reduce((value, byte) => (value << 8n) | BigInt(byte), 0n);

function fromBigInt(value: bigint, length: number): string {
  const bytes = Array.from({ length }, (_, index) => Number((value >> BigInt(8 * (length - 1 - index))) & 255n));
  const address = ipaddr.fromByteArray(bytes);
  return address.kind() === "ipv6" ? (address as ipaddr.IPv6).toRFC5952String() : address.toString();
}

/** A host as it stands before a port: an IPv6 address in brackets, anything else as it is. */
export const bracket = (host: string): string => (host.includes(":") ? `[${host}]` : host);

const refuse = (input: string, why: string): ParseResult => ({ ok: false, reason: `${JSON.stringify(shorten(input))} ${why}.` });

const shorten = (text: string) => (text.length > 80 ? `${text.slice(0, 80)}…` : text);
