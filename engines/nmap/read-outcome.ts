import type { Detection, Observation, Outcome } from "@periscan/contract/outcome.ts";
import type { ScanType } from "@periscan/contract/scan.ts";
import { formatPorts, hasPort, maxPort, type PortRange, parsePorts } from "../kit/port-list.ts";
import type { Coverage } from "./coverage.ts";
import { isUdp, type NmapOptions } from "./options.ts";
import type { NmapHost, NmapPort, Protocol } from "./read-nmap-xml.ts";
import { assessPort, isIdentified } from "./threat-levels.ts";
import type { Detail } from "./view.ts";

export interface RunFacts {
  type: ScanType;
  options: Pick<NmapOptions, "host_discovery" | "service_detection">;
  /** Nmap's own list of the ports that it probes on each host. */
  ports: string;
  /** Without raw sockets Nmap scans by whole connections. */
  usesConnect: boolean;
}

export const connectNote = "Scanned by full connections, because Nmap had no raw sockets: slower, and more visible to the host.";

const secondLookNote = "Looked at twice: the first time something that was there before did not answer.";

/** What one host of Nmap's output tells of its target. Never complete where nothing was looked at. */
export function readOutcome(host: NmapHost, run: RunFacts): Outcome {
  const notes = run.usesConnect ? [connectNote] : [];
  if (!host.isUp) return { kind: "unreachable", reason: describeDown(host, run), notes, detections: [] };
  const answered = hasAnswer(host);
  const coverage = makeCoverage(host, run, answered);
  const open = host.ports.filter(({ state }) => state === "open");
  const detections = open.map(readDetection);
  const observations = open.map(readObservation);
  notes.push(...noteNotAsked(open, run));
  if (host.timedOut)
    return {
      kind: "partial",
      reason:
        "Nmap gave up on this host when its time was over, and then tells nothing of its ports. Raise options.host_timeout_minutes, or turn options.service_detection off.",
      notes,
      coverage,
      detections,
      observations,
    };
  if (!answered && !run.options.host_discovery)
    return { kind: "unreachable", reason: "No port answered and nothing else showed that a host is there.", notes, detections: [] };
  if (!answered) notes.push("The host is up, but no scanned port answered. A firewall may be hiding open ports from this scanner.");
  if (coverage.unsure !== "") notes.push("UDP ports that did not answer may be open or filtered; only those that answered are listed.");
  return { kind: "complete", notes, coverage, detections, observations };
}

/**
 * Whether only silence says that something known is gone. To Nmap a network that stands still for three seconds looks like a firewall (measured): ports that
 * are open would be lost, and their risks closed. A port that answers as closed is closed; one of UDP is never taken for closed where it is silent; and where
 * no port answered, nothing closes.
 */
export function isSilentWhereKnown(host: NmapHost, { type, ports }: RunFacts, known: Observation[]): boolean {
  if (!host.isUp) return known.some(({ kind }) => kind === "service");
  if (isUdp(type) || host.timedOut || !hasAnswer(host)) return false;
  const silent = parsePorts(listSilent(host, ports)) ?? [];
  // What other engines saw no look of Nmap's marks as gone: it would cost a second look each time.
  return known.some((seen) => seen.kind === "service" && seen.scope === scopeOf("tcp", seen.port) && hasPort(silent, seen.port));
}

/** What two looks at one host tell of its target. The second counts; but what answered only at the first is not gone because of a silence, so the look is not whole. */
export function joinLooks(first: NmapHost, second: NmapHost, run: RunFacts): Outcome {
  const outcome = readOutcome(second, run);
  const silent = second.isUp && !second.timedOut ? (parsePorts(listSilent(second, run.ports)) ?? []) : [allPorts];
  const lost = first.ports.filter(({ state, number }) => state === "open" && hasPort(silent, number));
  const notes = [...outcome.notes, secondLookNote];
  if (lost.length === 0) return { ...outcome, notes };
  return {
    ...outcome,
    kind: "partial",
    reason: `Of the ports that answered, ${lost.length === 1 ? "one was" : `${lost.length} were`} silent a moment later: the network to the host is not reliable now. Scan it again.`,
    notes,
    coverage: makeCoverage(second, run, false),
    detections: [...outcome.detections, ...lost.map(readDetection)],
    observations: [...(outcome.observations ?? []), ...lost.map(readObservation)],
  };
}

/** Nmap's own list of ports that its version scan leaves out (`Exclude` of nmap-service-probes): printers print whatever they are sent there. */
const printerPorts: PortRange[] = [[9100, 9107]];

function noteNotAsked(open: NmapPort[], { options }: RunFacts): string[] {
  const ports = open.filter(({ protocol, number, service }) => protocol === "tcp" && hasPort(printerPorts, number) && service?.method !== "probed");
  if (ports.length === 0 || !options.service_detection) return [];
  const numbers = ports.map(({ number }) => number).join(", ");
  return [
    `What listens on ${numbers} was not asked: Nmap leaves the TCP ports 9100 to 9107 out of its version scan, because printers print whatever they are sent.`,
  ];
}

const allPorts: PortRange = [1, maxPort];

function describeDown({ upReason }: NmapHost, { options }: RunFacts): string {
  const why = upReason === "" || upReason === "no-response" ? "It did not answer" : `It did not answer (${upReason})`;
  return options.host_discovery
    ? `${why}: neither to ping nor on common ports. If a host is there and drops such probes, scan it with the option host_discovery=false.`
    : `${why}.`;
}

/** Open and closed are answers of the host; filtered and `open|filtered` are its silence, or a firewall's word. */
const answers = new Set(["open", "closed", "unfiltered"]);

const hasAnswer = (host: NmapHost): boolean =>
  host.ports.some(({ state }) => answers.has(state)) || host.extraPorts.some(({ state, count }) => answers.has(state) && count > 0);

function makeCoverage(host: NmapHost, { type, ports }: RunFacts, answered: boolean): Coverage {
  return isUdp(type) ? { protocol: "udp", ports, answered, unsure: listSilent(host, ports) } : { protocol: "tcp", ports, answered, unsure: "" };
}

/** Ports without an answer, as ranges. Where an old Nmap does not list them, all are. */
function listSilent(host: NmapHost, ports: string): string {
  const single = host.ports.filter(({ state }) => state !== "open" && state !== "closed").map(({ number }) => `${number}`);
  const groups = host.extraPorts.filter(({ state, count }) => !answers.has(state) && count > 0).map((group) => group.ports ?? ports);
  const ranges = [...single, ...groups];
  return ranges.length === 0 ? "" : formatPorts(parsePorts(ranges.join(",")) ?? []);
}

const scopeOf = (protocol: Protocol, port: number): string => `${protocol}/${port}`;

function readDetection(port: NmapPort): Detection {
  const { protocol, number, service } = port;
  const assessed = assessPort(port);
  const scope = scopeOf(protocol, number);
  const detail: Detail = { protocol, port: number, reason: port.reason, ...(service ? { service } : {}) };
  return {
    key: scope,
    scope,
    title: `Open ${protocol.toUpperCase()} Port: ${number}`,
    threat_level: assessed.threatLevel,
    description: `${describeService(port, assessed.usual)} ${assessed.description}`,
    solution: assessed.solution,
    references: assessed.references,
    additional_info: listFacts(port),
    detail: detail as unknown as Detection["detail"],
  };
}

/** The open port for other engines: SSLyze looks at those that speak TLS, ZAP and Nuclei at those that serve a site. */
function readObservation({ protocol, number, service }: NmapPort): Observation {
  const scope = scopeOf(protocol, number);
  return {
    kind: "service",
    key: scope,
    scope,
    protocol,
    port: number,
    tls: service?.tunnel === "ssl",
    ...(isIdentified(service) ? { name: service.name } : {}),
    ...(service?.product ? { product: service.product.slice(0, 500) } : {}),
    ...(service?.version ? { version: service.version.slice(0, 500) } : {}),
    cpe: (service?.cpe ?? []).slice(0, 20).map((cpe) => cpe.slice(0, 500)),
  };
}

function describeService({ protocol, number, service }: NmapPort, usual: string | undefined): string {
  const port = `${protocol.toUpperCase()} port ${number} is open`;
  const listens = usual === undefined ? "" : ` On this port it is usually ${usual}.`;
  if (service?.name === "tcpwrapped") return `${port}; the service hung up without a word.${listens}`;
  if (!service || service.name === "unknown" || (!isIdentified(service) && usual !== undefined))
    return `${port}; the service did not say what it is.${listens}`;
  const name = service.tunnel === "ssl" ? `${service.name} over TLS` : service.name;
  if (!isIdentified(service)) return `${port}; ${name} usually listens there, but the service did not say what it is.`;
  const product = [service.product, service.version].filter(Boolean).join(" ");
  const more = product === "" ? "" : `: ${product}${service.extraInfo ? ` (${service.extraInfo})` : ""}`;
  return `${port} and answers as ${name}${more}.${listens}`;
}

function listFacts({ protocol, number, service }: NmapPort): Detection["additional_info"] {
  return {
    port: number,
    protocol,
    ...(service ? { service: service.name } : {}),
    ...(service?.tunnel ? { tunnel: service.tunnel } : {}),
    ...(service?.product ? { product: service.product } : {}),
    ...(service?.version ? { version: service.version } : {}),
    ...(service?.extraInfo ? { extra_info: service.extraInfo } : {}),
    ...(service && service.cpe.length > 0 ? { cpe: service.cpe.slice(0, 20) } : {}),
  };
}
