import { X509Certificate } from "node:crypto";
import { isIP, isIPv6 } from "node:net";
import type { Observation } from "@periscan/contract/outcome.ts";
import { scopeOf } from "./coverage.ts";
import { clip, type PortLook, type Sighting } from "./port-look.ts";
import type { Certificate, Deployment } from "./sslyze-schema.ts";
import type { RiskName } from "./threat-levels.ts";
import type { CertificateDetail } from "./view.ts";

export interface CertificateFacts {
  deployments: Deployment[];
  /** The name (or the address) that clients connect to. */
  server: string;
  port: number;
  /** When it was looked at. */
  at: Date;
}

const day = 24 * 3600 * 1000;
const soonDays = 30;

/** Each fault once, with every certificate chain that has it: a server may show one chain with RSA and one with elliptic curves. */
export function findCertificates(facts: CertificateFacts, look: PortLook): void {
  const { deployments } = facts;
  // Without a certificate (anonymous suites alone) there is none to be faulty, and none that is sound.
  if (deployments.length === 0) return;
  const faults = new Map<RiskName, { chains: Deployment[]; facts: [string, string][] }>();
  const report = (deployment: Deployment, risk: RiskName, said: [string, string][] = []) => {
    const fault = faults.get(risk) ?? { chains: [], facts: said };
    faults.set(risk, fault);
    fault.chains.push(deployment);
  };
  const undecided = new Set<string>();
  for (const deployment of deployments) {
    for (const { risk, said } of [...findDates(deployment, facts), ...findName(deployment, facts), ...findStrength(deployment), ...findStatus(deployment)])
      report(deployment, risk, said);
    for (const { risk, said } of findLifetime(deployment)) report(deployment, risk, said);
    const trust = findTrust(deployment, facts);
    if (trust === "undecided") undecided.add("trust");
    else if (trust) report(deployment, trust.risk, trust.said);
  }
  for (const check of ["certificate", "certificate-dates", "certificate-name", "certificate-strength", "certificate-lifetime", "certificate-status"] as const)
    look.decided.add(check);
  if (undecided.size === 0) look.decided.add("certificate-trust");
  else
    look.notes.push(
      "Whether the certificate leads to a trusted authority could not be told: SSLyze stops at its dates, its name or its signature, which are wrong.",
    );
  for (const [risk, { chains, facts: said }] of faults) look.sightings.push(drawFault(risk, chains, said));
}

interface Fault {
  risk: RiskName;
  said: [string, string][];
}

const drawFault = (risk: RiskName, chains: Deployment[], facts: [string, string][]): Sighting => ({
  risk,
  facts,
  chains: chains.slice(0, 3).map(describeChain),
  names:
    risk === "certificate-name"
      ? [...new Set(chains.flatMap(({ received_certificate_chain: [leaf] }) => listNames(leaf)))].slice(0, 50).map((name) => clip(name, 260))
      : [],
});

const leafOf = ({ received_certificate_chain }: Deployment): Certificate => received_certificate_chain[0] as Certificate;

function findDates(deployment: Deployment, { at }: CertificateFacts): Fault[] {
  const leaf = leafOf(deployment);
  const [from, to] = [Date.parse(leaf.not_valid_before), Date.parse(leaf.not_valid_after)];
  const said: [string, string][] = [
    ["Valid from", describeTime(leaf.not_valid_before)],
    ["Valid to", describeTime(leaf.not_valid_after)],
    ["Looked at", describeTime(at.toISOString())],
  ];
  if (to < at.getTime()) return [{ risk: "certificate-expired", said }];
  if (from > at.getTime()) return [{ risk: "certificate-not-yet-valid", said }];
  return to - at.getTime() < soonDays * day ? [{ risk: "certificate-expires-soon", said }] : [];
}

/** SSLyze's verdict where it is good; else the names are compared here, for it tells only the first thing that is wrong. */
function findName(deployment: Deployment, { server }: CertificateFacts): Fault[] {
  if (isTrusted(deployment) || listNames(leafOf(deployment)).some((name) => matchesName(name, server))) return [];
  return [{ risk: "certificate-name", said: [["Connected to", clip(server)]] }];
}

/** RFC 9525: a wildcard is the whole leftmost label and stands for one label. Addresses are compared as such. */
export function matchesName(pattern: string, server: string): boolean {
  if (isIP(server) !== 0) return canonicalAddress(pattern) === canonicalAddress(server);
  const [wanted, given] = [pattern.toLowerCase().replace(/\.$/, ""), server.toLowerCase()];
  if (wanted === given) return true;
  if (!wanted.startsWith("*.")) return false;
  const rest = given.indexOf(".");
  return rest > 0 && wanted.slice(2).includes(".") && given.slice(rest + 1) === wanted.slice(2);
}

const canonicalAddress = (text: string): string => (isIPv6(text) ? new URL(`http://[${text.split("%")[0]}]`).hostname.slice(1, -1) : text);

const listNames = (leaf: Certificate | undefined): string[] =>
  leaf ? [...leaf.subject_alternative_name.dns_names, ...leaf.subject_alternative_name.ip_addresses] : [];

const isTrusted = ({ path_validation_results }: Deployment): boolean =>
  path_validation_results.some(({ was_validation_successful }) => was_validation_successful);

/** SSLyze's built-in stores; one that the user supplied is no public authority. */
const isPubliclyTrusted = ({ path_validation_results }: Deployment): boolean =>
  path_validation_results.some(({ was_validation_successful, trust_store }) => was_validation_successful && trust_store.name !== "Supplied CA file");

function findTrust(deployment: Deployment, facts: CertificateFacts): Fault | "undecided" | undefined {
  if (isTrusted(deployment)) return undefined;
  const leaf = leafOf(deployment);
  const errors = deployment.path_validation_results.flatMap(({ validation_error }) => validation_error ?? []);
  // A store that knows the authority says more than those that do not.
  const error = errors.find((each) => !each.includes("no interior errors")) ?? errors[0] ?? "";
  const said: [string, string][] = [
    ["SSLyze's word", clip(error)],
    ["Compared with", clip(deployment.path_validation_results.map(({ trust_store }) => trust_store.name).join(", "))],
  ];
  // Nothing else can vouch for a certificate that names itself as its issuer.
  if (leaf.subject !== null && leaf.subject.rfc4514_string === leaf.issuer?.rfc4514_string) return { risk: "certificate-self-signed", said };
  // SSLyze stops at the first thing that is wrong.
  const at = facts.at.getTime();
  const datesAreWrong = deployment.received_certificate_chain.some((each) => Date.parse(each.not_valid_after) < at || Date.parse(each.not_valid_before) > at);
  if (datesAreWrong || findName(deployment, facts).length > 0 || /forbidden signature algorithm/i.test(error)) return "undecided";
  if (deployment.received_certificate_chain.length === 1 && namesIssuerAddress(leaf)) return { risk: "certificate-chain-incomplete", said };
  return { risk: "certificate-untrusted", said };
}

/** Whether the certificate says where its issuer's is to be had (RFC 5280, 4.2.2.1). Nothing is fetched from there. */
function namesIssuerAddress({ as_pem }: Certificate): boolean {
  try {
    return new X509Certificate(as_pem).infoAccess?.includes("CA Issuers - URI:") === true;
  } catch {
    return false;
  }
}

/** Signatures of trust anchors are not looked at by clients: a self-issued certificate at the end of the chain is one. */
function findStrength({ received_certificate_chain }: Deployment): Fault[] {
  const signed = received_certificate_chain.filter((each, index) => index === 0 || each.subject?.rfc4514_string !== each.issuer?.rfc4514_string);
  const faults: Fault[] = [];
  const bySignature = (pattern: RegExp) => signed.filter((each) => pattern.test(each.signature_hash_algorithm?.name ?? each.signature_algorithm_oid.name));
  const said = (weak: Certificate[]): [string, string][] =>
    weak.slice(0, 5).map((each) => [clip(nameOf(each.subject), 100), `${describeKey(each)}, ${describeSignature(each)}`]);
  const sha1 = bySignature(/^sha-?1$|sha1With/i);
  if (sha1.length > 0) faults.push({ risk: "certificate-sha1", said: said(sha1) });
  const md5 = bySignature(/^md[245]|md[245]With/i);
  if (md5.length > 0) faults.push({ risk: "certificate-md5", said: said(md5) });
  const short = received_certificate_chain.filter(hasShortKey);
  if (short.length > 0) faults.push({ risk: "certificate-weak-key", said: said(short) });
  return faults;
}

const hasShortKey = ({ public_key: { algorithm, key_size } }: Certificate): boolean => {
  if (key_size === null) return false;
  return /^EC|Elliptic/i.test(algorithm) ? key_size < 224 : /RSA|DSA/i.test(algorithm) && key_size < 2048;
};

/** From 2020-09-01 on, Apple and others refuse new certificates of public authorities beyond 398 days; before and for all others it is 825. */
function findLifetime(deployment: Deployment): Fault[] {
  const leaf = leafOf(deployment);
  const days = (Date.parse(leaf.not_valid_after) - Date.parse(leaf.not_valid_before)) / day;
  const isRecent = leaf.not_valid_before >= "2020-09-01";
  const limit = isPubliclyTrusted(deployment) && isRecent ? 398 : 825;
  if (days <= limit) return [];
  return [
    {
      risk: "certificate-long-lived",
      said: [
        ["Valid for", `${Math.round(days).toLocaleString("en")} days`],
        ["Clients accept", `${limit} days`],
      ],
    },
  ];
}

function findStatus({ ocsp_response, ocsp_response_is_trusted, leaf_certificate_has_must_staple_extension }: Deployment): Fault[] {
  if (ocsp_response === null)
    return leaf_certificate_has_must_staple_extension ? [{ risk: "certificate-must-staple", said: [["Stapled answer", "none"]] }] : [];
  if (ocsp_response.certificate_status !== "REVOKED" || ocsp_response_is_trusted === false) return [];
  const since = ocsp_response.revocation_time === null ? "" : ` since ${describeTime(ocsp_response.revocation_time)}`;
  return [{ risk: "certificate-revoked", said: [["Stapled answer", `revoked${since}`]] }];
}

const nameOf = (name: Certificate["subject"]): string => name?.rfc4514_string || "(no name)";
const describeTime = (time: string): string =>
  new Date(time)
    .toISOString()
    .replace("T", " ")
    .replace(/\.\d+Z$/, " UTC");
const describeSignature = ({ signature_algorithm_oid: { name, dotted_string } }: Certificate): string =>
  clip(name.startsWith("Unknown") || name === "" ? dotted_string : name, 100);

function describeKey({ public_key: { algorithm, key_size, ec_curve_name } }: Certificate): string {
  const name = algorithm.replace(/PublicKey$/, "").replace(/^_+/, "");
  return clip([name, ec_curve_name ?? "", key_size === null ? "" : `${key_size} bits`].filter(Boolean).join(" "), 150);
}

const describeChain = ({ received_certificate_chain }: Deployment): CertificateDetail[] =>
  received_certificate_chain.slice(0, 6).map((each) => ({
    subject: clip(nameOf(each.subject)),
    issuer: clip(nameOf(each.issuer)),
    notBefore: describeTime(each.not_valid_before),
    notAfter: describeTime(each.not_valid_after),
    key: describeKey(each),
    signature: describeSignature(each),
    sha256: fingerprint(each),
  }));

const fingerprint = ({ fingerprint_sha256 }: Certificate): string => Buffer.from(fingerprint_sha256, "base64").toString("hex");

/** Each certificate that the server shows, once. */
export function observeCertificates({ deployments, port }: CertificateFacts): Observation[] {
  const leaves = new Map(deployments.map((deployment) => [fingerprint(leafOf(deployment)), leafOf(deployment)]));
  return [...leaves].map(([sha256, leaf]) => ({
    kind: "certificate",
    key: `tcp/${port}/${sha256}`,
    scope: scopeOf(port, "certificate"),
    port,
    sha256,
    subject: clip(nameOf(leaf.subject), 2000),
    issuer: clip(nameOf(leaf.issuer), 2000),
    names: listNames(leaf)
      .slice(0, 200)
      .map((name) => clip(name, 500)),
    not_before: new Date(leaf.not_valid_before).toISOString(),
    not_after: new Date(leaf.not_valid_after).toISOString(),
  }));
}
