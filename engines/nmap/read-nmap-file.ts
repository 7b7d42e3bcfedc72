import type { Outcome } from "@periscan/contract/outcome.ts";
import { type ParsedTarget, parseAddress, parseTarget } from "@periscan/contract/target-syntax.ts";
import { ParseError, type ReadContext, type ReadOutcome } from "../kit/engine.ts";
import { isUdp } from "./options.ts";
import { type NmapEvent, type NmapHost, readNmapXml } from "./read-nmap-xml.ts";
import { readOutcome } from "./read-outcome.ts";

type Scope = Extract<NmapEvent, { kind: "scope" }>;

/**
 * Nmap's XML of any version, ours or another's. A scan of TCP and UDP has both in one file: what is not of `type` is left out, and so is a host that comes again, as it does where
 * the targets of a scan overlap. A name that the file does not have stands for its only host.
 */
export async function* readNmapFile(file: AsyncIterable<Uint8Array>, { type, target }: ReadContext): AsyncIterable<ReadOutcome> {
  const protocol = isUdp(type) ? "udp" : "tcp";
  const scopes = new Map<string, Scope>();
  const told = new Set<string>();
  const addresses = new Set<string>();
  let unnamed: ReadOutcome | undefined;
  let finished: boolean | undefined;
  for await (const event of readNmapXml(file)) {
    if (event.kind === "scope") scopes.set(event.protocol, event);
    if (event.kind === "finished") finished = event.succeeded;
    if (event.kind !== "host" || addresses.has(event.host.address)) continue;
    addresses.add(event.host.address);
    const isNamed = isWanted(event.host, target);
    if (!isNamed && addresses.size > 1) continue;
    const scope = scopes.get(protocol);
    if (!scope) throw new ParseError(`The file is of no scan of ${protocol.toUpperCase()} ports${describeOther(scopes)}.`);
    const name = nameHost(event.host, target);
    const text = told.has(name) ? event.host.address : name;
    const read = readHost(event.host, { scope, type, text, isMixed: scopes.size > 1 });
    if (isNamed) {
      told.add(text);
      yield read;
    } else unnamed = read;
  }
  if (finished !== true) throw new ParseError(finished === false ? "Nmap says at the file's end that its scan failed." : "Nmap's end marker is missing.");
  if (unnamed && addresses.size === 1 && target && parseAddress(target.host) === undefined) yield unnamed;
  else if (target && told.size === 0) throw new ParseError(`The file tells nothing of ${target.text}.`);
}

const describeOther = (scopes: Map<string, Scope>): string => {
  if (scopes.has("udp")) return ": import it as NMAP_UDP";
  return scopes.has("tcp") ? ": import it as NMAP" : "";
};

const isWanted = ({ address, userName }: NmapHost, target: ParsedTarget | undefined): boolean =>
  target === undefined || target.host === address || target.host === userName?.toLowerCase();

/** The name that Nmap was told to scan stands for the target, and a scan of Periscan's of that name has the same one. */
function nameHost({ address, userName }: NmapHost, target: ParsedTarget | undefined): string {
  if (target) return target.text;
  const parsed = userName === undefined ? undefined : parseTarget(userName);
  return parsed?.ok && parsed.targets[0]?.kind === "name" ? parsed.targets[0].text : address;
}

interface HostFacts {
  scope: Scope;
  type: ReadContext["type"];
  text: string;
  isMixed: boolean;
}

function readHost(host: NmapHost, { scope, type, text, isMixed }: HostFacts): ReadOutcome {
  const { protocol } = scope;
  // Of two protocols in one file, a group of ports that does not say which it is of tells nothing.
  const groups = host.extraPorts.map((group) => (isMixed && group.protocol === undefined ? { ...group, state: "unknown" } : group));
  const own = {
    ...host,
    ports: host.ports.filter((port) => port.protocol === protocol),
    extraPorts: groups.filter((group) => group.protocol === undefined || group.protocol === protocol),
  };
  const options = { host_discovery: host.upReason !== "user-set", service_detection: true };
  const outcome = readOutcome(own, { type, options, ports: scope.services, usesConnect: scope.type === "connect" });
  return { target: text, address: host.address, ...(host.endedAt ? { observedAt: host.endedAt } : {}), outcome: limitToOpen(outcome, scope.type) };
}

/** Nmap's other ways to scan (`-sA`, `-sF`, …) do not tell an open port from a filtered or closed one: what they do not name as open is not known. */
function limitToOpen(outcome: Outcome, method: string): Outcome {
  if (outcome.kind !== "complete" || ["syn", "connect", "udp"].includes(method)) return outcome;
  return { ...outcome, kind: "partial", reason: `Nmap's ${method} scan does not tell which ports are open: scan with -sS or -sT.` };
}
