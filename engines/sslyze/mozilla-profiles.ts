import type { AcceptedSuite } from "./find-suites.ts";
import type { MozillaProfile } from "./options.ts";
import { clip } from "./port-look.ts";
import type { Certificate, Commands, Deployment } from "./sslyze-schema.ts";

interface Profile {
  versions: string[];
  /** Before TLS 1.3. */
  suites: string[];
  certificateTypes: string[];
  certificateSignatures: string[];
  rsaBits: number;
  dhBits: number;
  lifetimeDays: number;
}

const withSuffix = (prefix: string, ...ends: string[]) => ends.map((end) => `TLS_${prefix}_WITH_${end}`);
const aead = ["AES_128_GCM_SHA256", "AES_256_GCM_SHA384", "CHACHA20_POLY1305_SHA256"];
const intermediateSuites = [...withSuffix("ECDHE_ECDSA", ...aead), ...withSuffix("ECDHE_RSA", ...aead), ...withSuffix("DHE_RSA", ...aead)];
const cbc = ["AES_128_CBC_SHA256", "AES_128_CBC_SHA", "AES_256_CBC_SHA"];
const ecdsaSignatures = ["ecdsa-with-SHA256", "ecdsa-with-SHA384", "ecdsa-with-SHA512"];

/** Mozilla's guidelines 5.7, which SSLyze 6.3 compares with too: https://ssl-config.mozilla.org/guidelines/5.7.json */
const profiles: Record<Exclude<MozillaProfile, "none">, Profile> = {
  modern: {
    versions: ["TLS 1.3"],
    suites: [],
    certificateTypes: ["ecdsa"],
    certificateSignatures: ecdsaSignatures,
    rsaBits: 0,
    dhBits: 0,
    lifetimeDays: 90,
  },
  intermediate: {
    versions: ["TLS 1.2", "TLS 1.3"],
    suites: intermediateSuites,
    certificateTypes: ["ecdsa", "rsa"],
    certificateSignatures: ["sha256WithRSAEncryption", ...ecdsaSignatures],
    rsaBits: 2048,
    dhBits: 2048,
    lifetimeDays: 366,
  },
  old: {
    versions: ["TLS 1.0", "TLS 1.1", "TLS 1.2", "TLS 1.3"],
    suites: [
      ...intermediateSuites,
      ...withSuffix("ECDHE_ECDSA", ...cbc, "AES_256_CBC_SHA384"),
      ...withSuffix("ECDHE_RSA", ...cbc, "AES_256_CBC_SHA384"),
      ...withSuffix("DHE_RSA", "AES_128_CBC_SHA256", "AES_256_CBC_SHA256"),
      ...withSuffix("RSA", "AES_128_GCM_SHA256", "AES_256_GCM_SHA384", ...cbc, "AES_256_CBC_SHA256", "3DES_EDE_CBC_SHA"),
    ],
    certificateTypes: ["rsa"],
    certificateSignatures: ["sha256WithRSAEncryption"],
    rsaBits: 2048,
    dhBits: 1024,
    lifetimeDays: 366,
  },
};

/** The same for all three. */
const suitesOfTls13 = ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"];
const curves = ["X25519", "secp256r1", "secp384r1"];
const smallestEcdhBits = 253;

export interface ProfileFacts {
  commands: Commands;
  accepted: AcceptedSuite[];
  deployments: Deployment[];
}

/** What differs from the profile, as sentences; by the same criteria as SSLyze's own comparison. All commands that it needs must be complete. */
export function compareWithProfile(name: Exclude<MozillaProfile, "none">, facts: ProfileFacts): string[] {
  const profile = profiles[name];
  return [
    ...compareSuites(profile, facts.accepted),
    ...compareCurves(facts.commands),
    ...compareCertificates(profile, facts.deployments),
    ...listFlaws(facts.commands),
  ];
}

const beside = (what: string, found: string[], wanted: string[]): string[] => {
  const others = [...new Set(found)].filter((each) => !wanted.includes(each)).sort();
  return others.length === 0 ? [] : [`${what} that should be refused: ${others.join(", ")}`.slice(0, 600)];
};

function compareSuites({ versions, suites, dhBits }: Profile, accepted: AcceptedSuite[]): string[] {
  const isNew = ({ version }: AcceptedSuite) => version === "TLS 1.3";
  const bitsOf = (type: string) => Math.min(...accepted.flatMap(({ ephemeral }) => (ephemeral?.type === type ? [ephemeral.bits] : [])));
  return [
    ...beside(
      "Versions",
      accepted.map(({ version }) => version),
      versions,
    ),
    ...beside(
      "Cipher suites of TLS 1.3",
      accepted.filter(isNew).map(({ name }) => name),
      suitesOfTls13,
    ),
    ...beside(
      "Cipher suites",
      accepted.filter((suite) => !isNew(suite)).map(({ name }) => name),
      suites,
    ),
    ...(bitsOf("ECDH") < smallestEcdhBits ? [`Elliptic-curve key exchange with ${bitsOf("ECDH")} bits`] : []),
    ...(bitsOf("DH") < dhBits ? [`Diffie-Hellman parameters of ${bitsOf("DH")} bits; at least ${dhBits}`] : []),
  ];
}

function compareCurves({ elliptic_curves }: Commands): string[] {
  if (elliptic_curves.status !== "COMPLETED") return [];
  return beside(
    "Curves",
    (elliptic_curves.result.supported_curves ?? []).map(({ name }) => name),
    curves,
  );
}

const typeOf = ({ public_key: { algorithm } }: Certificate): string =>
  /^EC|Elliptic/.test(algorithm) ? "ecdsa" : /RSA/.test(algorithm) ? "rsa" : clip(algorithm, 50);

function compareCertificates({ certificateTypes, certificateSignatures, rsaBits, lifetimeDays }: Profile, deployments: Deployment[]): string[] {
  const leaves = deployments.flatMap(({ received_certificate_chain: [leaf] }) => leaf ?? []);
  const differences: string[] = [];
  if (deployments.some(({ path_validation_results }) => !path_validation_results.some(({ was_validation_successful }) => was_validation_successful)))
    differences.push("A certificate that does not lead to a trusted authority, or is not for this name or time");
  for (const { public_key } of leaves) {
    const curve = public_key.ec_curve_name;
    if (curve !== null && !curves.includes(curve)) differences.push(`A certificate's key on the curve ${clip(curve, 50)}; secp256r1 or secp384r1`);
    if (/RSA/.test(public_key.algorithm) && (public_key.key_size ?? 0) < rsaBits)
      differences.push(`A certificate's RSA key of ${public_key.key_size} bits; at least ${rsaBits}`);
  }
  const days = leaves.map((leaf) => Math.floor((Date.parse(leaf.not_valid_after) - Date.parse(leaf.not_valid_before)) / 86_400_000));
  if (days.some((each) => each > lifetimeDays)) differences.push(`A certificate that is valid for ${Math.max(...days)} days; at most ${lifetimeDays}`);
  if (!leaves.map(typeOf).some((type) => certificateTypes.includes(type))) differences.push(`No certificate of type ${certificateTypes.join(" or ")}`);
  if (!leaves.some(({ signature_algorithm_oid }) => certificateSignatures.includes(signature_algorithm_oid.name)))
    differences.push(`No certificate signed with ${certificateSignatures.join(", ")}`);
  return [...new Set(differences)];
}

function listFlaws(commands: Commands): string[] {
  const { tls_compression, openssl_ccs_injection, tls_fallback_scsv, heartbleed, robot, session_renegotiation, tls_extended_master_secret } = commands;
  const flaws: [boolean, string][] = [
    [tls_compression.status === "COMPLETED" && tls_compression.result.supports_compression, "TLS compression"],
    [openssl_ccs_injection.status === "COMPLETED" && openssl_ccs_injection.result.is_vulnerable_to_ccs_injection, "OpenSSL CCS injection"],
    [tls_fallback_scsv.status === "COMPLETED" && !tls_fallback_scsv.result.supports_fallback_scsv, "No TLS_FALLBACK_SCSV"],
    [heartbleed.status === "COMPLETED" && heartbleed.result.is_vulnerable_to_heartbleed, "Heartbleed"],
    [robot.status === "COMPLETED" && robot.result.robot_result === "VULNERABLE_STRONG_ORACLE", "ROBOT"],
    [session_renegotiation.status === "COMPLETED" && !session_renegotiation.result.supports_secure_renegotiation, "Insecure renegotiation"],
    [tls_extended_master_secret.status === "COMPLETED" && !tls_extended_master_secret.result.supports_ems_extension, "No extended master secret"],
  ];
  return flaws.flatMap(([isThere, name]) => (isThere ? [name] : []));
}
