import type { Check } from "./coverage.ts";
import type { PortLook, Sighting } from "./port-look.ts";
import type { CipherSuites, Commands, ScannedServer } from "./sslyze-schema.ts";
import type { RiskName } from "./threat-levels.ts";

export const versions = [
  { command: "ssl_2_0_cipher_suites", check: "ssl-2.0", name: "SSL 2.0", code: "SSL_2_0" },
  { command: "ssl_3_0_cipher_suites", check: "ssl-3.0", name: "SSL 3.0", code: "SSL_3_0" },
  { command: "tls_1_0_cipher_suites", check: "tls-1.0", name: "TLS 1.0", code: "TLS_1_0" },
  { command: "tls_1_1_cipher_suites", check: "tls-1.1", name: "TLS 1.1", code: "TLS_1_1" },
  { command: "tls_1_2_cipher_suites", check: "tls-1.2", name: "TLS 1.2", code: "TLS_1_2" },
  { command: "tls_1_3_cipher_suites", check: "tls-1.3", name: "TLS 1.3", code: "TLS_1_3" },
] as const satisfies { command: keyof Commands; check: Check; name: string; code: string }[];

export interface AcceptedSuite {
  version: (typeof versions)[number]["name"];
  name: string;
  isAnonymous: boolean;
  keySize: number;
  /** SSLyze gives none where there is no ephemeral key, or where its own OpenSSL refused one as too small. */
  ephemeral: { type: string; bits: number; curve: string | undefined } | undefined;
}

/** How SSLyze tells that no answer came; it counts such a suite as refused, which it may not be. */
const isSilence = (message: string): boolean => message.includes("timed out");
/** A connection that ends without a TLS alert may be a refusal (Windows does so) or a server that is gone. */
const closings = ["Server rejected the connection", "Server closed the connection during the TLS handshake", "Server interrupted the TLS handshake"];

type Refusals = CipherSuites["rejected_cipher_suites"];

/** Some servers do not answer a hello of a version that they do not know: then all of that version's suites were met by silence. */
const isSilentThroughout = (refusals: Refusals): boolean => refusals.length > 0 && refusals.every(({ error_message }) => isSilence(error_message));

/**
 * Whether refusals of this server cannot be told from its end without another look at it. SSL 2.0 does not count: every server that does not
 * know its hello ends the connection.
 */
export const hasSilentRefusals = ({ scan_result }: ScannedServer): boolean =>
  versions.some(({ command, name }) => {
    const attempt = scan_result[command];
    if (attempt.status !== "COMPLETED") return false;
    const { accepted_cipher_suites, rejected_cipher_suites } = attempt.result;
    if (accepted_cipher_suites.length === 0 && isSilentThroughout(rejected_cipher_suites)) return true;
    return name !== "SSL 2.0" && rejected_cipher_suites.some(({ error_message }) => closings.includes(error_message));
  });

/** Versions and cipher suites, as far as they are known for certain. Answers the suites that the server accepted. */
export function findSuites(server: ScannedServer, look: PortLook, stillAnswered: boolean): AcceptedSuite[] {
  const accepted: AcceptedSuite[] = [];
  let decidedVersions = 0;
  for (const { command, check, name, code } of versions) {
    const attempt = server.scan_result[command];
    if (attempt.status !== "COMPLETED") continue;
    accepted.push(...attempt.result.accepted_cipher_suites.map((suite) => readSuite(name, suite)));
    const trouble = explainDoubt(attempt.result, { name, isHighest: code === server.connectivity_result.highest_tls_version_supported, stillAnswered });
    if (trouble) look.troubles.push(trouble);
    // One accepted suite decides the version, whatever became of the others.
    if (!trouble || attempt.result.accepted_cipher_suites.length > 0) look.decided.add(check);
    if (!trouble) decidedVersions += 1;
  }
  if (decidedVersions === versions.length) look.decided.add("cipher-suites");
  look.sightings.push(
    ...findVersions(accepted, look.decided),
    ...findWeakSuites(accepted),
    ...(look.decided.has("cipher-suites") ? findMissing(accepted) : []),
  );
  return accepted;
}

/** Why the suites of a version are not all decided; undefined where they are. */
function explainDoubt(
  { accepted_cipher_suites, rejected_cipher_suites }: CipherSuites,
  { name, isHighest, stillAnswered }: { name: string; isHighest: boolean; stillAnswered: boolean },
): string | undefined {
  if (isHighest && accepted_cipher_suites.length === 0)
    return `The server spoke ${name} at first and accepted no suite of it later: it stopped answering in the middle of the scan. Scan again, with the option slow_connection.`;
  const silent = rejected_cipher_suites.filter(({ error_message }) => isSilence(error_message)).length;
  if (silent === 0 || (stillAnswered && accepted_cipher_suites.length === 0 && isSilentThroughout(rejected_cipher_suites))) return undefined;
  return `The server did not answer in time to ${silent} of the cipher suites of ${name}, so they may be accepted. Scan again, with the option slow_connection.`;
}

const readSuite = (version: AcceptedSuite["version"], { cipher_suite, ephemeral_key }: CipherSuites["accepted_cipher_suites"][number]): AcceptedSuite => ({
  version,
  name: cipher_suite.name,
  isAnonymous: cipher_suite.is_anonymous,
  keySize: cipher_suite.key_size,
  ephemeral: ephemeral_key ? { type: ephemeral_key.type_name, bits: ephemeral_key.size, curve: ephemeral_key.curve_name ?? undefined } : undefined,
});

function findVersions(accepted: AcceptedSuite[], decided: PortLook["decided"]): Sighting[] {
  const names = [...new Set(accepted.map(({ version }) => version))];
  const facts: [string, string][] = [["Versions accepted", names.join(", ")]];
  const old = versions.slice(0, 4).filter(({ name }) => names.includes(name));
  const sightings: Sighting[] = old.map(({ check, name }) => ({
    risk: check as RiskName,
    facts,
    suites: accepted.filter(({ version }) => version === name).map(describeSuite),
  }));
  if (decided.has("tls-1.3") && !names.includes("TLS 1.3")) sightings.push({ risk: "no-tls-1.3", facts });
  return sightings;
}

/** By the names that IANA gives suites (RFC 5246 and others), and those that SSL 2.0 had. */
const weak: { risk: RiskName; matches(suite: AcceptedSuite): boolean }[] = [
  { risk: "cipher-null", matches: ({ name }) => /_NULL_(SHA|MD5)|_WITH_NULL/.test(name) },
  { risk: "cipher-anonymous", matches: ({ name, isAnonymous }) => isAnonymous || /_anon_/i.test(name) },
  { risk: "cipher-export", matches: ({ name }) => /EXPORT/.test(name) },
  { risk: "cipher-des", matches: ({ name }) => /_DES(40)?_(64_)?CBC/.test(name) && !/EXPORT/.test(name) },
  { risk: "cipher-rc4", matches: ({ name }) => /RC4/.test(name) && !/EXPORT/.test(name) },
  { risk: "cipher-3des", matches: ({ name }) => /3DES|DES_192/.test(name) },
];

function findWeakSuites(accepted: AcceptedSuite[]): Sighting[] {
  const sightings: Sighting[] = weak.flatMap(({ risk, matches }) => {
    const suites = accepted.filter(matches);
    return suites.length === 0 ? [] : [{ risk, suites: suites.map(describeSuite) }];
  });
  const short = accepted.filter((suite) => readDhBits(suite) < 2048);
  if (short.length === 0) return sightings;
  const fewest = Math.min(...short.map(readDhBits));
  const facts: [string, string][] = [["Shortest parameters", fewest === 0 ? "so short that SSLyze's own TLS library refused them" : `${fewest} bits`]];
  // Logjam's authors broke 512 bits in a minute, 768 bits with a cluster; 1,024 bits are a matter for states.
  return [...sightings, { risk: "weak-dh", ...(fewest < 1024 ? { level: "HIGH" as const } : {}), facts, suites: short.map(describeSuite) }];
}

/** Bits of a suite's Diffie-Hellman group: 0 where SSLyze's OpenSSL refused the group as too small, infinite where the suite has none. */
function readDhBits({ name, ephemeral }: AcceptedSuite): number {
  if (!/_DHE?_/.test(name) || /EXPORT/.test(name)) return Number.POSITIVE_INFINITY;
  if (!ephemeral) return /_DHE_|_DH_anon_/.test(name) ? 0 : Number.POSITIVE_INFINITY;
  return ephemeral.type === "DH" ? ephemeral.bits : Number.POSITIVE_INFINITY;
}

const isAuthenticated = ({ name }: AcceptedSuite) => /GCM|CCM|POLY1305/.test(name);
const hasForwardSecrecy = ({ name, version }: AcceptedSuite) => version === "TLS 1.3" || /_(EC)?DHE_/.test(name);

/** What is missing can be told only where every suite was asked for. */
function findMissing(accepted: AcceptedSuite[]): Sighting[] {
  if (accepted.length === 0) return [];
  const suites = accepted.map(describeSuite);
  return [
    ...(accepted.some(isAuthenticated) ? [] : [{ risk: "cbc-only" as const, suites }]),
    ...(accepted.some(hasForwardSecrecy) ? [] : [{ risk: "no-forward-secrecy" as const, suites }]),
  ];
}

const maxSuites = 100;

function describeSuite({ version, name, ephemeral }: AcceptedSuite): { version: string; name: string; key: string } {
  const curve = ephemeral?.curve === undefined ? "" : ` ${ephemeral.curve}`;
  return { version, name: name.slice(0, 100), key: ephemeral ? `${ephemeral.type.slice(0, 20)}${curve.slice(0, 40)}, ${ephemeral.bits} bits` : "" };
}

/** Evidence is bounded: a server that accepts everything has some 300 suites. */
export const boundSuites = <Suite>(suites: Suite[]): Suite[] => suites.slice(0, maxSuites);
