import { createHash, createPublicKey, type KeyObject, randomBytes, sign } from "node:crypto";
import { isIP, isIPv6 } from "node:net";

// A certificate of X.509 in DER, written by hand: Node reads certificates and cannot make them. The self-test and the tests need some, and
// the machine of a worker may have no openssl program. Structure and object identifiers: RFC 5280, RFC 5480, RFC 4055, RFC 7633.

export interface CertificateSettings {
  name: string;
  /** The private key of the certificate. */
  key: KeyObject;
  /** The authority; absent for a certificate that signs itself. */
  issuer?: { name: string; key: KeyObject };
  notBefore?: Date;
  notAfter?: Date;
  /** Host names and addresses that it is for. */
  names?: string[];
  isAuthority?: boolean;
  digest?: "sha256" | "sha1" | "md5";
  mustStaple?: boolean;
  /** Where the certificate says that more is to be had. */
  urls?: { issuer?: string; status?: string; revocations?: string };
}

const day = 24 * 3600 * 1000;

/** The certificate in PEM. Without dates it is valid from yesterday on, for 90 days. */
export function makeCertificate(settings: CertificateSettings): string {
  const { name, key, issuer = { name, key }, digest = "sha256" } = settings;
  const now = Date.now();
  const algorithm = writeAlgorithm(issuer.key, digest);
  const body = sequence(
    tagged(0xa0, integer(Buffer.from([2]))),
    integer(Buffer.concat([Buffer.from([0x40]), randomBytes(15)])),
    algorithm,
    writeName(issuer.name),
    sequence(writeTime(settings.notBefore ?? new Date(now - day)), writeTime(settings.notAfter ?? new Date(now + 89 * day))),
    writeName(name),
    exportPublic(key),
    tagged(0xa3, sequence(...writeExtensions(settings, issuer.key))),
  );
  const signature = sign(digest, body, issuer.key);
  const certificate = sequence(body, algorithm, tagged(0x03, Buffer.from([0]), signature));
  return `-----BEGIN CERTIFICATE-----\n${certificate.toString("base64").replace(/(.{64})/g, "$1\n")}\n-----END CERTIFICATE-----\n`;
}

const exportPublic = (key: KeyObject): Buffer => createPublicKey(key).export({ type: "spki", format: "der" });

function writeAlgorithm(key: KeyObject, digest: "sha256" | "sha1" | "md5"): Buffer {
  if (key.asymmetricKeyType === "rsa") {
    const name = { sha256: "1.2.840.113549.1.1.11", sha1: "1.2.840.113549.1.1.5", md5: "1.2.840.113549.1.1.4" }[digest];
    return sequence(identifier(name), Buffer.from([0x05, 0x00]));
  }
  return sequence(identifier(digest === "sha1" ? "1.2.840.10045.4.1" : "1.2.840.10045.4.3.2"));
}

const writeName = (name: string): Buffer => sequence(tagged(0x31, sequence(identifier("2.5.4.3"), tagged(0x0c, Buffer.from(name, "utf8")))));

/** UTCTime until 2049, then GeneralizedTime (RFC 5280, 4.1.2.5). */
function writeTime(date: Date): Buffer {
  const digits = date.toISOString().replace(/[-:T]|\.\d+/g, "");
  return date.getUTCFullYear() < 2050 ? tagged(0x17, Buffer.from(digits.slice(2))) : tagged(0x18, Buffer.from(digits));
}

function writeExtensions({ key, names = [], isAuthority = false, mustStaple = false, urls = {} }: CertificateSettings, issuerKey: KeyObject): Buffer[] {
  const access: [string, string | undefined][] = [
    ["1.3.6.1.5.5.7.48.1", urls.status],
    ["1.3.6.1.5.5.7.48.2", urls.issuer],
  ];
  const locations = access.flatMap(([method, url]) => (url === undefined ? [] : [sequence(identifier(method), tagged(0x86, Buffer.from(url)))]));
  return [
    extension("2.5.29.19", isAuthority ? sequence(boolean(true)) : sequence(), true),
    // keyCertSign and cRLSign, or digitalSignature and keyEncipherment.
    extension("2.5.29.15", tagged(0x03, Buffer.from(isAuthority ? [1, 0x06] : [5, 0xa0])), true),
    extension("2.5.29.14", tagged(0x04, keyId(key))),
    extension("2.5.29.35", sequence(tagged(0x80, keyId(issuerKey)))),
    ...(isAuthority ? [] : [extension("2.5.29.37", sequence(identifier("1.3.6.1.5.5.7.3.1")))]),
    ...(names.length === 0 ? [] : [extension("2.5.29.17", sequence(...names.map(writeAlternativeName)))]),
    ...(mustStaple ? [extension("1.3.6.1.5.5.7.1.24", sequence(integer(Buffer.from([5]))))] : []),
    ...(locations.length === 0 ? [] : [extension("1.3.6.1.5.5.7.1.1", sequence(...locations))]),
    ...(urls.revocations === undefined
      ? []
      : [extension("2.5.29.31", sequence(sequence(tagged(0xa0, tagged(0xa0, tagged(0x86, Buffer.from(urls.revocations)))))))]),
  ];
}

const extension = (name: string, value: Buffer, isCritical = false): Buffer =>
  sequence(identifier(name), ...(isCritical ? [boolean(true)] : []), tagged(0x04, value));

const keyId = (key: KeyObject): Buffer => createHash("sha1").update(exportPublic(key)).digest();

function writeAlternativeName(name: string): Buffer {
  if (isIP(name) === 0) return tagged(0x82, Buffer.from(name));
  return tagged(0x87, isIPv6(name) ? writeIPv6(name) : Buffer.from(name.split(".").map(Number)));
}

function writeIPv6(address: string): Buffer {
  const [left = "", right] = address.split("::");
  const words = (text: string) => text.split(":").filter(Boolean);
  const missing = right === undefined ? 0 : 8 - words(left).length - words(right).length;
  const all = [...words(left), ...Array<string>(missing).fill("0"), ...words(right ?? "")];
  return Buffer.from(all.map((word) => word.padStart(4, "0")).join(""), "hex");
}

const sequence = (...parts: Buffer[]): Buffer => tagged(0x30, ...parts);
const boolean = (value: boolean): Buffer => tagged(0x01, Buffer.from([value ? 0xff : 0]));
/** Of a positive number, whose first bit is 0. */
const integer = (bytes: Buffer): Buffer => tagged(0x02, bytes);

function identifier(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split(".").map(Number);
  const bytes = rest.flatMap((number) => {
    const groups = [number & 0x7f];
    for (let left = number >>> 7; left > 0; left >>>= 7) groups.unshift((left & 0x7f) | 0x80);
    return groups;
  });
  return tagged(0x06, Buffer.from([first * 40 + second, ...bytes]));
}

function tagged(tag: number, ...parts: Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  if (content.length < 0x80) return Buffer.concat([Buffer.from([tag, content.length]), content]);
  const length = Buffer.from(content.length.toString(16).padStart(content.length > 0xff ? 4 : 2, "0"), "hex");
  return Buffer.concat([Buffer.from([tag, 0x80 | length.length]), length, content]);
}
