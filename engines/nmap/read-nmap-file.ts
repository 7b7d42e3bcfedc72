import { type ParsedTarget, parseTarget } from "@periscan/contract/target-syntax.ts";
import { ParseError, type ReadContext, type ReadOutcome } from "../kit/engine.ts";
import { isUdp } from "./options.ts";
import { type NmapEvent, type NmapHost, readNmapXml } from "./read-nmap-xml.ts";
import { readOutcome } from "./read-outcome.ts";

type Scope = Extract<NmapEvent, { kind: "scope" }>;

/** Nmap's XML of any version, ours or another's. A scan of TCP and UDP has both in one file: what is not of `type` is left out. */
export async function* readNmapFile(file: AsyncIterable<Uint8Array>, { type, target }: ReadContext): AsyncIterable<ReadOutcome> {
  const protocol = isUdp(type) ? "udp" : "tcp";
  const scopes = new Map<string, Scope>();
  const told = new Set<string>();
  let finished: boolean | undefined;
  for await (const event of readNmapXml(file)) {
    if (event.kind === "scope") scopes.set(event.protocol, event);
    if (event.kind === "finished") finished = event.succeeded;
    if (event.kind !== "host" || !isWanted(event.host, target)) continue;
    const scope = scopes.get(protocol);
    if (!scope) throw new ParseError(`The file is of no scan of ${protocol.toUpperCase()} ports${describeOther(scopes)}.`);
    const name = nameHost(event.host, target);
    const text = told.has(name) ? event.host.address : name;
    if (told.has(text)) throw new ParseError(`The file names the host ${text} twice.`);
    told.add(text);
    yield readHost(event.host, { scope, type, text, isMixed: scopes.size > 1 });
  }
  if (finished !== true) throw new ParseError(finished === false ? "Nmap says at the file's end that its scan failed." : "Nmap's end marker is missing.");
  if (target && told.size === 0) throw new ParseError(`The file tells nothing of ${target.text}.`);
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
  return { target: text, address: host.address, ...(host.endedAt ? { observedAt: host.endedAt } : {}), outcome };
}
