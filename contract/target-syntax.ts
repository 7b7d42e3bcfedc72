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
 * (UTS 46, not transitional); an IPv4 address inside an IPv6 one (`::ffff:192.0.2.1`) is that IPv4 address; a URL loses its default port, fragment
 * and empty query, and its path is normalised (RFC 3986, 6.2.2). A user name or password in a URL is refused: it would be kept and shown as
 * text. Nothing that could pass for a command line's option gets through.
 */
export function parseTarget(input: string): ParseResult {
  const text = input.trim();
  if (text === "" || text.length > 2048) return refuse(input, `is empty or longer than 2,048 characters; give ${forms}`);
  if (/^https?:\/\//i.test(text)) return parseUrl(text);
  if (text.includes("://")) return refuse(input, "has a scheme that cannot be scanned; use http or https");
  const address = parseAddress(withoutBrackets(text));
  if (address) return { ok: true, targets: [{ kind: "address", text: address, host: address }] };
  if (text.includes("/")) return parseBlock(text);
  const service = /^(.*):(\d{1,5})$/.exec(text);
  if (service) return parseService(text, service[1] ?? "", Number(service[2]));
  const name = parseName(text);
  return name ? { ok: true, targets: [{ kind: "name", text: name, host: name }] } : refuse(input, `is not a target; give ${forms}`);
}

/**
 * The canonical form of an IP literal, or undefined. IPv4 only as four decimal parts: octal, hexadecimal and short forms mean one address to
 * some programs and another to others. Zones (`%eth0`) are refused.
 */
export function parseAddress(text: string): string | undefined {
  if (ipaddr.IPv4.isValidFourPartDecimal(text)) return ipaddr.IPv4.parse(text).toString();
  if (!text.includes(":") || text.includes("%") || !ipaddr.IPv6.isValid(text)) return undefined;
  // Of `::192.0.2.1`, which is not `::ffff:192.0.2.1`, ipaddr.js makes the latter; a URL does not.
  if (!URL.canParse(`http://[${text}]`)) return undefined;
  const address = ipaddr.IPv6.parse(new URL(`http://[${text}]`).hostname.slice(1, -1));
  // A socket to it is an IPv4 socket (RFC 4291, 2.5.5.2): one host, one target.
  return address.isIPv4MappedAddress() ? address.toIPv4Address().toString() : address.toRFC5952String();
}

/** Brackets are for IPv6 alone. */
const withoutBrackets = (text: string): string => /^\[(.*:.*)\]$/.exec(text)?.[1] ?? text;

function parseName(text: string): string | undefined {
  // Of ASCII only what stands in names: `domainToASCII` would decode percent signs and cut at some others. Of the rest whatever is seen, symbols too (UTS 46 has
  // them, IDNA 2008 has not), and the joiners that some scripts need, whose places `domainToASCII` checks.
  if (!/^([A-Za-z0-9._-]|[^\p{ASCII}\p{C}\p{Z}]|[\u200c\u200d])+$/u.test(text)) return undefined;
  const ascii = domainToASCII(text);
  // A character that only becomes a dot (`⒈`, `㏂`) would name a host that nobody reads there.
  if (countMatches(ascii, /\./g) !== countMatches(text, /[.\u3002\uff0e\uff61]/g)) return undefined;
  const name = ascii.replace(/\.$/, "");
  if (name === "" || name.length > 253) return undefined;
  const labels = name.split(".");
  if (!labels.every((label) => /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/.test(label))) return undefined;
  // A last label of digits is an address to some resolvers (`0x7f.1`, `2130706433`), and `192.0.2.1-20` is a range to a reader: neither is a name.
  return /^([\d-]+|0x[0-9a-f]*)$/.test(labels.at(-1) ?? "") ? undefined : name;
}

const countMatches = (text: string, pattern: RegExp): number => text.match(pattern)?.length ?? 0;

function parseHost(text: string): string | undefined {
  return parseAddress(withoutBrackets(text)) ?? parseName(text);
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
  if (!host || /[\s\p{C}\\]/u.test(text.replace(written, "")) || !URL.canParse(text)) return refuse(text, "is not a URL that can be scanned");
  const url = new URL(text);
  if (/^https?:\/\/[^/?#]*@/i.test(text))
    return refuse(hideLogin(text), "has a user name or password in it; leave it out, and set a login of the target (PUT /v1/targets/:id/auth)");
  url.hash = "";
  url.hostname = bracket(host);
  url.pathname = normaliseEscapes(url.pathname);
  // Without a query of no characters: `/?` is `/`.
  url.search = normaliseEscapes(url.search);
  const scheme = url.protocol === "https:" ? "https" : "http";
  const port = url.port === "" ? { http: 80, https: 443 }[scheme] : Number(url.port);
  if (port === 0) return refuse(text, "has a port outside 1 to 65535");
  return { ok: true, targets: [{ kind: "url", text: url.href, host, port, scheme, path: `${url.pathname}${url.search}` }] };
}

/** Escapes in capitals, and none of a character that needs none (RFC 3986, 6.2.2.1 and 6.2.2.2). */
const normaliseEscapes = (text: string): string =>
  text.replaceAll(/%[0-9a-f]{2}/gi, (escaped) => {
    const character = String.fromCharCode(Number.parseInt(escaped.slice(1), 16));
    return /[A-Za-z0-9._~-]/.test(character) ? character : escaped.toUpperCase();
  });

const hideLogin = (text: string): string => text.replace(/^(https?:\/\/)[^/?#]*@/i, "$1…@");

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
