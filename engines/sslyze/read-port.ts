import { findCertificates } from "./find-certificates.ts";
import { findCurves, findFlaws, findHsts, findMasterSecret } from "./find-flaws.ts";
import { findSuites, hasSilentRefusals, versions } from "./find-suites.ts";
import { compareWithProfile } from "./mozilla-profiles.ts";
import type { MozillaProfile } from "./options.ts";
import { clip, type PortLook, startLook } from "./port-look.ts";
import type { CommandName, ScannedServer } from "./sslyze-schema.ts";

export interface LookFacts {
  at: Date;
  profile: MozillaProfile;
  /** An https:// URL promises HTTP: there it must be looked at too. */
  mustSpeakHttp: boolean;
  /** Whether the server was asked once more after the scan and still spoke TLS; undefined where nobody asked. */
  stillAnswered?: boolean;
}

/** What SSLyze looks at on every server, in words. */
const needed: Partial<Record<CommandName, string>> = {
  certificate_info: "the certificates",
  ...Object.fromEntries(versions.map(({ command, name }) => [command, `the cipher suites of ${name}`])),
  tls_compression: "compression",
  openssl_ccs_injection: "CCS injection",
  tls_fallback_scsv: "TLS_FALLBACK_SCSV",
  heartbleed: "Heartbleed",
  robot: "ROBOT",
  session_renegotiation: "renegotiation",
  elliptic_curves: "elliptic curves",
  tls_extended_master_secret: "the extended master secret",
};

/** What a server has beside that where it speaks HTTP; looked at where that was asked for. */
const optional: Partial<Record<CommandName, string>> = { http_headers: "HSTS", tls_1_3_early_data: "early data" };

/** Everything that SSLyze's word on one server tells. A look without troubles is complete. */
export function readPort(server: ScannedServer, facts: LookFacts): PortLook {
  const look = startLook();
  look.troubles.push(...explainFailures(server, facts));
  const accepted = findSuites(server, look, facts.stillAnswered === true);
  const name = server.network_configuration.tls_server_name_indication;
  findFlaws(server, accepted, look);
  findCurves(server, look);
  findMasterSecret(server, accepted, look);
  findHsts(server, name, look);
  const { certificate_info } = server.scan_result;
  const deployments = certificate_info.status === "COMPLETED" ? certificate_info.result.certificate_deployments : [];
  findCertificates({ deployments, server: name, port: server.server_location.port, at: facts.at }, look);
  if (hasSilentRefusals(server) && facts.stillAnswered === false) doubtEverything(look);
  const { profile } = facts;
  if (profile !== "none" && look.troubles.length === 0) {
    look.decided.add(`mozilla-${profile}`);
    const list = compareWithProfile(profile, { commands: server.scan_result, accepted, deployments });
    if (list.length > 0) look.sightings.push({ risk: `mozilla-${profile}`, list: list.slice(0, 50) });
  }
  return look;
}

/** What was seen was there; what was not seen may not have been asked for. */
function doubtEverything(look: PortLook): void {
  look.decided.clear();
  look.sightings = look.sightings.filter(({ risk }) => !absences.has(risk));
  look.troubles.push(
    "The server did not answer any more when the scan was over, so what it refused may be its silence. Scan again, with the option slow_connection.",
  );
}

/** Risks that are seen by something not being there. */
const absences = new Set<string>(["no-tls-1.3", "cbc-only", "no-forward-secrecy", "no-hsts"]);

function explainFailures({ scan_result, connectivity_result, network_configuration }: ScannedServer, { mustSpeakHttp }: LookFacts): string[] {
  const troubles: string[] = [];
  const failed = new Map<string, string[]>();
  const isMissing = (command: CommandName): boolean => {
    const { status } = scan_result[command];
    return status === "ERROR" || (status === "NOT_SCHEDULED" && (command in needed || (command === "http_headers" && mustSpeakHttp)));
  };
  for (const [command, words] of Object.entries({ ...needed, ...optional }) as [CommandName, string][]) {
    // SSLyze refuses to ask for a page behind STARTTLS; a plain `sslyze --starttls` with all commands has that error in its file.
    if (command in optional && network_configuration.tls_opportunistic_encryption !== null) continue;
    if (!isMissing(command)) continue;
    const attempt = scan_result[command];
    const why = attempt.status === "ERROR" ? (reasons[attempt.error_reason] ?? attempt.error_reason) : "it was not asked for";
    failed.set(why, [...(failed.get(why) ?? []), words]);
  }
  for (const [why, words] of failed) troubles.push(`SSLyze could not look at ${words.join(", ")}: ${why}.`);
  if (connectivity_result.client_auth_requirement === "REQUIRED" && troubles.length > 0)
    troubles.push("The server wants a certificate of its clients, which this scan has none of.");
  const { http_headers } = scan_result;
  if (mustSpeakHttp && http_headers.status === "COMPLETED" && http_headers.result.http_error_trace !== null)
    troubles.push(`The server did not answer as HTTP: ${clip(http_headers.result.http_error_trace.trim().split("\n").at(-1) ?? "")}. HSTS was not looked for.`);
  return troubles;
}

const reasons: Record<string, string> = {
  CONNECTIVITY_ISSUE: "the server stopped answering; scan again, with the option slow_connection",
  CLIENT_CERTIFICATE_NEEDED: "the server wants a certificate of its clients",
  BUG_IN_SSLYZE: "the server broke off, or answered in a way that SSLyze does not understand; scan again, with the option slow_connection",
  WRONG_USAGE: "it does not go with the other options",
};
