import { isIP } from "node:net";
import type { AcceptedSuite } from "./find-suites.ts";
import type { PortLook } from "./port-look.ts";
import type { Commands, ScannedServer } from "./sslyze-schema.ts";

type Result<Name extends keyof Commands> = Extract<Commands[Name], { status: "COMPLETED" }>["result"];

/** The flaws that SSLyze has a command each for: what the server said to it, word for word. */
export function findFlaws({ scan_result: commands }: ScannedServer, accepted: AcceptedSuite[], look: PortLook): void {
  const { decided, sightings } = look;
  on(commands, "tls_compression", ({ supports_compression }) => {
    decided.add("compression");
    if (supports_compression) sightings.push({ risk: "compression", facts: [["Compression", "DEFLATE was agreed on"]] });
  });
  on(commands, "heartbleed", ({ is_vulnerable_to_heartbleed }) => {
    decided.add("heartbleed");
    if (is_vulnerable_to_heartbleed)
      sightings.push({ risk: "heartbleed", facts: [["Answer", "The server sent back the payload of a heartbeat whose stated length was wrong"]] });
  });
  on(commands, "openssl_ccs_injection", ({ is_vulnerable_to_ccs_injection }) => {
    decided.add("ccs-injection");
    if (is_vulnerable_to_ccs_injection)
      sightings.push({ risk: "ccs-injection", facts: [["Answer", "The server decrypted a record after an early ChangeCipherSpec (alert bad_record_mac)"]] });
  });
  on(commands, "tls_fallback_scsv", ({ supports_fallback_scsv }) => {
    decided.add("fallback-scsv");
    const old = [...new Set(accepted.flatMap(({ version }) => (version === "TLS 1.3" ? [] : [version])))];
    // With one version there is nothing to push a client down to.
    if (!supports_fallback_scsv && old.length > 1) sightings.push({ risk: "no-fallback-scsv", facts: [["Versions before TLS 1.3", old.join(", ")]] });
  });
  on(commands, "session_renegotiation", (result) => findRenegotiation(result, look));
  on(commands, "robot", (result) => findRobot(result, look));
  on(commands, "tls_1_3_early_data", ({ supports_early_data }) => {
    decided.add("early-data");
    if (supports_early_data) sightings.push({ risk: "early-data", facts: [["Early data", "accepted"]] });
  });
}

function on<Name extends keyof Commands>(commands: Commands, name: Name, take: (result: Result<Name>) => void): void {
  const attempt = commands[name];
  if (attempt.status === "COMPLETED") take(attempt.result as Result<Name>);
}

function findRenegotiation(result: Result<"session_renegotiation">, { decided, sightings }: PortLook): void {
  decided.add("renegotiation");
  if (!result.supports_secure_renegotiation) sightings.push({ risk: "insecure-renegotiation", facts: [["Extension renegotiation_info", "not supported"]] });
  if (result.is_vulnerable_to_client_renegotiation_dos)
    sightings.push({ risk: "client-renegotiation", facts: [["Renegotiations accepted", `${result.client_renegotiations_success_count} in one connection`]] });
}

function findRobot({ robot_result }: Result<"robot">, { decided, sightings, troubles }: PortLook): void {
  if (robot_result === "UNKNOWN_INCONSISTENT_RESULTS") {
    troubles.push(
      "Whether ROBOT works could not be told: the server answered the same question in different ways. Scan again, with the option slow_connection.",
    );
    return;
  }
  decided.add("robot");
  if (robot_result === "VULNERABLE_STRONG_ORACLE") sightings.push({ risk: "robot", facts: [["Oracle", "strong"]] });
  if (robot_result === "VULNERABLE_WEAK_ORACLE") sightings.push({ risk: "robot", level: "MEDIUM", facts: [["Oracle", "weak"]] });
}

/** NIST withdrew what is below 224 bits; the binary curves and secp256k1 were taken out of TLS by RFC 8422. */
const weakCurve = /^(secp1|secp192|prime192|sect|wap-wsg|c2|brainpoolP(160|192))/;

export function findCurves({ connectivity_result, scan_result: { elliptic_curves } }: ScannedServer, { decided, sightings, troubles }: PortLook): void {
  if (elliptic_curves.status !== "COMPLETED") return;
  const { supports_ecdh_key_exchange, supported_curves } = elliptic_curves.result;
  if (supports_ecdh_key_exchange && connectivity_result.supports_ecdh_key_exchange && (supported_curves ?? []).length === 0) {
    troubles.push(
      "The server exchanged keys on a curve at first and on none later: it stopped answering in the middle of the scan, or has only curves that SSLyze does not know.",
    );
    return;
  }
  decided.add("curves");
  const weak = (supported_curves ?? []).map(({ name }) => name).filter((name) => weakCurve.test(name));
  if (weak.length > 0) sightings.push({ risk: "weak-curves", facts: [["Curves", weak.join(", ").slice(0, 600)]] });
}

/** SSLyze does not ask where TLS 1.3 is spoken, and calls it supported there: that says nothing of TLS 1.2. */
export function findMasterSecret(
  { connectivity_result, scan_result }: ScannedServer,
  accepted: AcceptedSuite[],
  { decided, sightings, notes }: PortLook,
): void {
  const { tls_extended_master_secret } = scan_result;
  if (tls_extended_master_secret.status !== "COMPLETED") return;
  const wasAsked = connectivity_result.highest_tls_version_supported !== "TLS_1_3";
  const isOnlyNew = decided.has("cipher-suites") && accepted.every(({ version }) => version === "TLS 1.3");
  if (wasAsked || isOnlyNew) decided.add("extended-master-secret");
  else notes.push("SSLyze does not look for the extended master secret in TLS 1.2 where a server speaks TLS 1.3.");
  if (wasAsked && !tls_extended_master_secret.result.supports_ems_extension)
    sightings.push({ risk: "no-extended-master-secret", facts: [["Extension extended_master_secret", "not used"]] });
}

const shortestHstsSeconds = 180 * 24 * 3600;

/** Browsers ignore HSTS of a host that is an address (RFC 6797, 8.1.1). */
export function findHsts({ scan_result: { http_headers } }: ScannedServer, server: string, look: PortLook): void {
  if (http_headers.status !== "COMPLETED" || isIP(server) !== 0) return;
  const { http_error_trace, http_path_redirected_to, strict_transport_security_header: header } = http_headers.result;
  if (http_error_trace !== null) {
    look.notes.push("The service did not answer as HTTP, so HSTS was not looked for.");
    return;
  }
  look.decided.add("hsts");
  const page: [string, string] = ["Page", (http_path_redirected_to ?? "/").slice(0, 300)];
  if (header === null) look.sightings.push({ risk: "no-hsts", facts: [page, ["Strict-Transport-Security", "not sent"]] });
  else if ((header.max_age ?? 0) < shortestHstsSeconds)
    look.sightings.push({
      risk: "short-hsts",
      facts: [page, ["Strict-Transport-Security", header.max_age === null ? "without max-age" : `max-age=${header.max_age}`]],
    });
}
