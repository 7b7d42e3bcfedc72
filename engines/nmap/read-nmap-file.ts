import type { Outcome } from "@periscan/contract/outcome.ts";
import { ParseError, type ReadContext, type ReadOutcome } from "../kit/engine.ts";
import { formatPorts, joinPorts } from "../kit/port-list.ts";
import type { Tally } from "../kit/tally.ts";
import { type FileLook, joinFileLooks } from "./join-looks.ts";
import { type HostEntry, type HostGroup, NmapHosts, telling } from "./nmap-hosts.ts";
import { isUdp } from "./options.ts";
import { type NmapHost, type Protocol, readNmapXml } from "./read-nmap-xml.ts";
import { readOutcome } from "./read-outcome.ts";

/**
 * Nmap's XML of any version, ours or another's, or of a program that writes the same. A scan of TCP and UDP has both in one file: what is not of `type` is left out. Each target comes
 * once, at the end, for a file may have a host in several places. A name that the file does not have stands for its only host.
 */
export async function* readNmapFile(file: AsyncIterable<Uint8Array>, context: ReadContext): AsyncIterable<ReadOutcome> {
  const hosts = new NmapHosts();
  let failure: ParseError | undefined;
  try {
    for await (const event of readNmapXml(file)) hosts.take(event);
    hosts.checkEnd();
  } catch (error) {
    if (!(error instanceof ParseError)) throw error;
    failure = error;
  }
  let told = 0;
  for (const outcome of tell(hosts, context)) {
    told += 1;
    yield outcome;
  }
  if (failure) throw failure;
  if (told === 0) hosts.explainNothing(context);
}

function* tell(hosts: NmapHosts, context: ReadContext): Iterable<ReadOutcome> {
  const { target, tally } = context;
  hosts.countStrange(tally);
  const { chosen, others } = hosts.pick(target);
  for (const { entries } of others) for (const { host } of entries()) countOther(host, target?.text ?? "", tally);
  for (const group of chosen) {
    const read = readGroup(group, hosts, context);
    if (read) yield read;
  }
}

function readGroup({ text, address, entries }: HostGroup, hosts: NmapHosts, context: ReadContext): ReadOutcome | undefined {
  const looks: FileLook[] = [];
  for (const entry of entries()) {
    count(entry.host, context);
    const outcome = readEntry(entry, hosts, context);
    if (outcome) looks.push({ outcome, ...(entry.host.endedAt ? { endedAt: entry.host.endedAt } : {}) });
  }
  if (looks.length === 0) return undefined;
  const times = looks.flatMap(({ endedAt }) => endedAt?.getTime() ?? []);
  const observedAt = times.length > 0 ? new Date(Math.max(...times)) : hosts.writtenAt;
  return { target: text, address, ...(observedAt ? { observedAt } : {}), outcome: joinFileLooks(looks, context.tally) };
}

const isOpen = ({ state }: { state: string }): boolean => state === "open";

const countOpen = ({ ports, otherPorts }: NmapHost): number => ports.filter(isOpen).length + otherPorts.filter((port) => port.isOpen).length;

/** Counts the host's open ports, and those among them that become no detection. */
function count(host: NmapHost, { type, tally }: ReadContext): void {
  tally.read(countOpen(host));
  for (const { protocol } of host.ports.filter(isOpen))
    if (protocol !== protocolOf(type))
      tally.leaveOut(`open ${protocol.toUpperCase()} ports, of which this scan type is not: import the file as ${typeOf(protocol)} too`);
  for (const { protocol, number } of host.otherPorts.filter((port) => port.isOpen)) tally.leaveOut(describeOther(protocol, number));
}

function countOther(host: NmapHost, target: string, tally: Tally): void {
  const open = countOpen(host);
  tally.read(open);
  if (open > 0) tally.leaveOut(`of other targets than ${target}`, open);
}

const protocolOf = (type: ReadContext["type"]): Protocol => (isUdp(type) ? "udp" : "tcp");
const typeOf = (protocol: Protocol): string => (protocol === "udp" ? "NMAP_UDP" : "NMAP");

function describeOther(protocol: string, number: string): string {
  if (protocol === "ip") return "IP protocols (-sO), which are no ports";
  if (protocol === "sctp") return "open SCTP ports, which no scan type is for";
  return number === "0" ? "port 0, which is the port of nothing" : "ports whose number or protocol is none";
}

/** What one entry tells of the ports of the type; undefined where nothing. */
function readEntry({ host, scopes }: HostEntry, { scanner }: NmapHosts, { type }: ReadContext): Outcome | undefined {
  const protocol = protocolOf(type);
  const scope = scopes.get(protocol);
  const ports = host.ports.filter((port) => port.protocol === protocol);
  if (!scope && ports.length === 0) return undefined;
  // Of two protocols in one file, a group of ports that does not say which it is of tells nothing.
  const groups = host.extraPorts.map((group) => (scopes.size > 1 && group.protocol === undefined ? { ...group, state: "unknown" } : group));
  const own = { ...host, ports, extraPorts: groups.filter((group) => group.protocol === undefined || group.protocol === protocol) };
  const options = { host_discovery: host.upReason !== "user-set", service_detection: true };
  const listed = formatPorts(joinPorts(ports.map(({ number }) => [[number, number]])));
  const services = scope && scanner === "nmap" ? scope.services : listed;
  const outcome = readOutcome(own, { type, options, ports: services, usesConnect: scope?.type === "connect" });
  const doubts = [
    ...(scanner === "nmap"
      ? []
      : [
          `The file was written by ${scanner || "a program that it does not name"}, not by Nmap: it tells which ports are open, and of no other that it is closed.`,
        ]),
    ...(scope ? [] : ["The file does not say which ports were scanned: only those that it lists are known."]),
    ...(scope && !telling.has(scope.type) ? [`Nmap's ${scope.type} scan does not tell which ports are open: scan with -sS or -sT.`] : []),
    ...describeBroken(host),
  ];
  if (outcome.kind === "unreachable" || doubts.length === 0) return outcome;
  return { ...outcome, kind: "partial", reason: [...(outcome.reason ? [outcome.reason] : []), ...doubts].join(" ").slice(0, 2000) };
}

function describeBroken({ otherPorts }: NmapHost): string[] {
  const broken = otherPorts.filter(({ protocol, number }) => protocol !== "ip" && protocol !== "sctp" && number !== "0");
  if (broken.length === 0) return [];
  const some = broken.slice(0, 5).map(({ protocol, number }) => `${protocol}/${number}`.slice(0, 40));
  const which = broken.length === 1 ? "a port of this host that is none" : `${broken.length} ports of this host that are none`;
  return [`The file has ${which}: ${some.join(", ")}${broken.length > some.length ? ", …" : ""}.`];
}
