import type { Detection, Observation, Outcome } from "@periscan/contract/outcome.ts";
import { type Coverage, type PortCoverage, scopeOf } from "./coverage.ts";
import { observeCertificates } from "./find-certificates.ts";
import { boundSuites } from "./find-suites.ts";
import { type StartTls, startTlsProtocols } from "./plan-ports.ts";
import { clip, type PortLook, type Sighting, startLook } from "./port-look.ts";
import { type LookFacts, readPort } from "./read-port.ts";
import type { ServerResult } from "./sslyze-schema.ts";
import { type RiskText, riskTexts } from "./threat-levels.ts";
import type { Detail } from "./view.ts";

/** What became of one port of a target. */
export type PortReport =
  | { kind: "read"; port: number; result: ServerResult; facts: LookFacts }
  /** SSLyze was stopped before it had said anything, by a limit; `reason` is a sentence that says what to do. */
  | { kind: "stopped"; port: number; reason: string };

interface ReadPort {
  port: number;
  server: string;
  startTls: StartTls | undefined;
  state: "complete" | "partial" | "unreachable";
  look: PortLook;
  observations: Observation[];
}

/** One outcome of the ports of one target: complete where each was looked at to the end, unreachable where none was at all. */
export function readOutcome(reports: PortReport[], more: { notes?: string[]; left?: number } = {}): Outcome {
  const ports = reports.map(readReport);
  const notes = [...(more.notes ?? []), ...tellByPort(ports, ({ look }) => look.notes)].slice(0, 50);
  const troubles = tellByPort(ports, ({ look }) => look.troubles);
  if (more.left) troubles.push(`${more.left} more ports are known to be open. Name them in options.ports, in a scan of their own.`);
  const looked: Coverage = { ports: ports.flatMap(coverPort) };
  const coverage = looked as unknown as Outcome["coverage"];
  const detections = ports.flatMap((port) => port.look.sightings.map((sighting) => makeDetection(sighting, port)));
  const observations = ports.flatMap((port) => port.observations);
  if (ports.every(({ state }) => state === "unreachable")) return { kind: "unreachable", reason: joinReasons(troubles), notes, detections: [] };
  if (troubles.length === 0 && ports.every(({ state }) => state === "complete")) return { kind: "complete", notes, coverage, detections, observations };
  return { kind: "partial", reason: joinReasons(troubles), notes, coverage, detections, observations };
}

const joinReasons = (troubles: string[]): string => clip(troubles.join(" "), 2000);

const tellByPort = (ports: ReadPort[], list: (port: ReadPort) => string[]): string[] =>
  ports.flatMap((port) => list(port).map((text) => clip(`Port ${port.port}: ${text}`, 1500)));

function readReport(report: PortReport): ReadPort {
  if (report.kind === "stopped")
    return { port: report.port, server: "", startTls: undefined, state: "partial", look: { ...startLook(), troubles: [report.reason] }, observations: [] };
  const { port, result, facts } = report;
  const name = result.network_configuration.tls_opportunistic_encryption;
  const startTls = startTlsProtocols.find((protocol) => protocol === name?.toLowerCase());
  const server = clip(result.network_configuration.tls_server_name_indication);
  if (result.connectivity_status === "ERROR") return { port, server, startTls, ...readFailure(result.connectivity_error_trace, startTls), observations: [] };
  const look = readPort(result, facts);
  look.decided.add("service");
  if (startTls !== undefined) look.decided.add("starttls");
  const { certificate_info } = result.scan_result;
  const deployments = certificate_info.status === "COMPLETED" ? certificate_info.result.certificate_deployments : [];
  const observations = [observeService(port, startTls, look), ...observeCertificates({ deployments, server, port, at: facts.at })];
  return { port, server, startTls, state: look.troubles.length === 0 ? "complete" : "partial", look, observations };
}

const observeService = (port: number, startTls: StartTls | undefined, { decided }: PortLook): Observation => {
  const name = startTls === undefined ? (decided.has("hsts") ? "http" : undefined) : serviceNames[startTls];
  return {
    kind: "service",
    key: `tcp/${port}`,
    scope: scopeOf(port, "service"),
    protocol: "tcp",
    port,
    tls: startTls === undefined,
    ...(name ? { name } : {}),
    cpe: [],
  };
};

/** As Nmap names them, so that one word stands for one service. */
const serviceNames: Record<StartTls, string> = {
  smtp: "smtp",
  imap: "imap",
  pop3: "pop3",
  ftp: "ftp",
  ldap: "ldap",
  postgres: "postgresql",
  xmpp: "xmpp-client",
  xmpp_server: "xmpp-server",
  rdp: "ms-wbt-server",
};

/** What SSLyze says where a server that speaks the protocol refuses STARTTLS; everything else is a failure to talk to it. */
const refusals = ["Server does not support STARTTLS with SMTP", "SMTP STARTTLS rejected", "START TLS was rejected", "AUTH TLS was rejected"];

/** The protocol's name stands in front; what the server answered stands behind, and is not looked at. An empty answer is a connection that ended. */
const isRefusal = (message: string): boolean => refusals.some((refusal) => message.slice(0, 60).includes(refusal)) && !message.includes("returned: b''");

/** SSLyze never came to TLS. Only its own exception's name and message are read: a server's answer may stand behind them. */
function readFailure(trace: string, startTls: StartTls | undefined): Pick<ReadPort, "state" | "look"> {
  const look = startLook();
  const [, name = "", message = ""] = /^sslyze\.errors\.(\w+): [^>\n]* -> "(.*)/ms.exec(trace) ?? [];
  const said = clip(message.replace(/"\.?\s*$/, ""), 200);
  if (name === "ServerRejectedOpportunisticTlsNegotiation" && startTls !== undefined && isRefusal(message)) {
    look.decided.add("starttls");
    look.sightings.push({ risk: "no-starttls", facts: [["SSLyze's word", said]] });
    return { state: "complete", look };
  }
  if (message.startsWith("WARNING: Server only supports SSL 2.0")) {
    look.decided.add("ssl-2.0");
    look.sightings.push({ risk: "ssl-2.0", facts: [["Versions accepted", "SSL 2.0 alone"]] });
    look.troubles.push("The server speaks nothing newer than SSL 2.0, so nothing else could be looked at.");
    return { state: "partial", look };
  }
  look.troubles.push(
    (Object.hasOwn(failures, name) ? failures[name] : undefined) ?? `SSLyze could not speak to it: ${said === "" ? "it did not say why" : said}.`,
  );
  return { state: "unreachable", look };
}

const failures: Record<string, string> = {
  ServerRejectedConnection: "It is closed.",
  ConnectionToServerTimedOut: "It did not answer in time. A firewall may drop what is sent to it.",
  ConnectionToServerFailed: "It could not be connected to; the host or its network may be unreachable.",
  ServerTlsConfigurationNotSupported:
    "It is open, but no TLS handshake came about: the service does not speak TLS, or not from the first byte, or it did not answer. Nothing was looked at.",
};

function coverPort({ port, startTls, look }: ReadPort): PortCoverage[] {
  if (look.decided.size === 0) return [];
  return [{ port, ...(startTls === undefined ? {} : { starttls: startTls }), checks: [...look.decided].sort() }];
}

function makeDetection(
  { risk, level, facts = [], suites = [], chains = [], names = [], list = [] }: Sighting,
  { port, server, startTls }: ReadPort,
): Detection {
  const text: RiskText = riskTexts[risk];
  const detail: Detail = {
    port,
    ...(startTls === undefined ? {} : { startTls }),
    server,
    facts: facts.map(([name, value]) => [name.slice(0, 100), value.slice(0, 600)]),
    suites: boundSuites(suites),
    chains,
    names,
    list,
  };
  return {
    key: `tcp/${port}/${risk}`,
    scope: scopeOf(port, text.check),
    title: `${text.title} on Port ${port}`,
    threat_level: level ?? text.level,
    description: text.description,
    solution: text.solution,
    references: text.references,
    additional_info: {
      port,
      server,
      ...(startTls === undefined ? {} : { starttls: startTls }),
      ...(suites.length > 0 ? { cipher_suites: [...new Set(suites.map(({ name }) => name))].slice(0, 200) } : {}),
    },
    detail: detail as unknown as Detection["detail"],
  };
}
