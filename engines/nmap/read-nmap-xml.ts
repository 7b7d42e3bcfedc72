import { parseAddress } from "@periscan/contract/target-syntax.ts";
import { ParseError } from "../kit/engine.ts";
import { createXmlReader } from "../kit/read-xml.ts";

export type Protocol = "tcp" | "udp";

export interface NmapService {
  name: string;
  product?: string;
  version?: string;
  extraInfo?: string;
  tunnel?: string;
  /** `probed` where the service answered, `table` where only the port number speaks. */
  method: string;
  /** Nmap's confidence, 0 to 10. */
  confidence: number;
  cpe: string[];
}

export interface NmapPort {
  protocol: Protocol;
  number: number;
  state: string;
  reason: string;
  service?: NmapService;
}

/** Ports of one state and one reason that Nmap lists only together; `ports` is a list of ranges, absent in the output of old versions. */
export interface NmapExtraPorts {
  state: string;
  count: number;
  /** Absent in the output of old versions. */
  protocol?: string;
  ports?: string;
  /** Nmap's word for why, such as `no-response`. */
  reason?: string;
}

/** A port that no scan type is for: of another protocol, such as SCTP, or none at all. */
export interface NmapOtherPort {
  /** Of the file, such as `sctp` or `ip`; `tcp` and `udp` where the number is that of no port. */
  protocol: string;
  number: string;
  isOpen: boolean;
}

export interface NmapHost {
  /** The scanned address, in canonical form; empty where the file's is none that a target can have, such as one with a zone. */
  address: string;
  /** As the file has it. */
  addressText: string;
  /** The name that Nmap was told to scan. */
  userName?: string;
  endedAt?: Date;
  isUp: boolean;
  /** How Nmap knows, such as `echo-reply`, or `user-set` where it was told to take the host for up. */
  upReason: string;
  timedOut: boolean;
  ports: NmapPort[];
  otherPorts: NmapOtherPort[];
  extraPorts: NmapExtraPorts[];
}

export type NmapEvent =
  /** The program that wrote the file, in lower case: `nmap`, or another that writes Nmap's XML. */
  | { kind: "source"; scanner: string; startedAt?: Date }
  /** What is scanned on each host: `services` is a list of port ranges, `type` such as `syn` or `connect`. */
  | { kind: "scope"; protocol: string; type: string; services: string }
  /** Nmap works on one of its phases; `fraction` of it is done. */
  | { kind: "phase"; name: string; fraction: number }
  /** One host, and its own text of the file. */
  | { kind: "host"; host: NmapHost; native: string }
  /** Nmap's end marker. Without one of `success` the output tells nothing of the hosts that it does not name. Nmap before 5.35 wrote it without that word, and only then. */
  | { kind: "finished"; succeeded: boolean; at?: Date };

/** Nmap's XML output as it comes, by its DTD (https://nmap.org/book/nmap-dtd.html). Throws ParseError where it is malformed, cut off, or not Nmap's. */
export async function* readNmapXml(chunks: AsyncIterable<Uint8Array>): AsyncIterable<NmapEvent> {
  const reader = createNmapReader();
  for await (const chunk of chunks) yield* reader.read(chunk);
  yield* reader.end();
}

interface NmapReader {
  read(chunk: Uint8Array): NmapEvent[];
  end(): NmapEvent[];
}

type Attributes = Record<string, string>;

function createNmapReader(): NmapReader {
  let events: NmapEvent[] = [];
  let host: NmapHost | undefined;
  let port: NmapPort | undefined;
  let other: NmapOtherPort | undefined;

  const openers: Record<string, (attributes: Attributes) => void> = {
    scaninfo: ({ protocol = "", type = "", services = "" }) => events.push({ kind: "scope", protocol, type, services: dropPortZero(services) }),
    taskbegin: ({ task = "" }) => events.push({ kind: "phase", name: task, fraction: 0 }),
    taskprogress: ({ task = "", percent }) => events.push({ kind: "phase", name: task, fraction: Math.min(1, Number(percent) / 100 || 0) }),
    taskend: ({ task = "" }) => events.push({ kind: "phase", name: task, fraction: 1 }),
    host: ({ timedout, endtime }) => {
      const endedAt = readTime(endtime);
      const facts = { address: "", addressText: "", isUp: false, upReason: "", timedOut: timedout === "true", ports: [], otherPorts: [], extraPorts: [] };
      host = { ...facts, ...(endedAt ? { endedAt } : {}) };
      xml.startKeeping();
    },
    finished: ({ exit, time }) => {
      const at = readTime(time);
      events.push({ kind: "finished", succeeded: exit === undefined || exit === "success", ...(at ? { at } : {}) });
    },
  };
  const hostOpeners: Record<string, (attributes: Attributes, host: NmapHost) => unknown> = {
    status: ({ state, reason = "" }, current) => Object.assign(current, { isUp: state === "up", upReason: clip(reason) }),
    address: ({ addr = "", addrtype }, current) => {
      if (addrtype !== "mac") Object.assign(current, { address: parseAddress(addr) ?? "", addressText: clip(addr) });
    },
    hostname: ({ name = "", type }, current) => {
      if (type === "user" && name !== "") current.userName ??= clip(name);
    },
    extraports: ({ state = "", count }, current) => current.extraPorts.push({ state, count: Number(count) || 0 }),
    extrareasons: (attributes, current) => addReason(current, attributes),
    port: (attributes, current) => {
      port = readPort(attributes);
      if (port) return current.ports.push(port);
      other = { protocol: clip(attributes.protocol ?? ""), number: clip(attributes.portid ?? ""), isOpen: false };
      return current.otherPorts.push(other);
    },
    state: ({ state = "", reason = "" }) => {
      if (port) Object.assign(port, { state, reason: clip(reason) });
      if (other) other.isOpen = state === "open";
    },
    service: (attributes) => {
      if (port) port.service = readService(attributes);
    },
  };

  const xml = createXmlReader({
    open: (name, attributes, depth) => {
      if (depth === 1 && name !== "nmaprun") throw new ParseError(`This is not Nmap's XML: its root is <${name.slice(0, 50)}>.`);
      if (depth === 1) events.push(readSource(attributes));
      // A `hosthint` repeats elements of a host before the host itself comes.
      else if (host) Object.hasOwn(hostOpeners, name) && hostOpeners[name]?.(attributes, host);
      else if (depth <= 3 && Object.hasOwn(openers, name)) openers[name]?.(attributes);
    },
    close: (name, depth) => {
      if (name === "port") [port, other] = [undefined, undefined];
      if (name !== "host" || depth !== 2 || !host) return;
      // Programs that list open ports alone write no status.
      host.isUp ||= host.ports.some(({ state }) => state === "open" || state === "closed");
      events.push({ kind: "host", host, native: xml.takeKept() });
      host = undefined;
    },
    text: (name, text) => {
      if (name === "cpe") port?.service?.cpe.push(clip(text));
    },
  });
  const take = () => {
    const taken = events;
    events = [];
    return taken;
  };
  return {
    read: (chunk) => {
      xml.write(chunk);
      return take();
    },
    end: () => {
      xml.end();
      return take();
    },
  };
}

function readSource({ scanner = "", start }: Attributes): NmapEvent {
  const startedAt = readTime(start);
  return { kind: "source", scanner: clip(scanner).toLowerCase(), ...(startedAt ? { startedAt } : {}) };
}

/** Seconds since 1970. */
const readTime = (text: string | undefined): Date | undefined =>
  text !== undefined && /^[1-9]\d{0,10}$/.test(text) ? new Date(Number(text) * 1000) : undefined;

function readPort({ protocol, portid = "" }: Attributes): NmapPort | undefined {
  const number = Number(portid);
  if ((protocol !== "tcp" && protocol !== "udp") || !/^\d{1,5}$/.test(portid) || number < 1 || number > 65_535) return undefined;
  return { protocol, number, state: "", reason: "" };
}

/** Nmap's script mqtt-subscribe puts the broker's own words where the service's name belongs. */
const mosquitto = /^mosquitto version (\S+)$/;

function readService(attributes: Attributes): NmapService {
  const broker = mosquitto.exec(attributes.name ?? "");
  if (broker) return readService({ ...attributes, name: "mqtt", product: "Mosquitto", version: broker[1] ?? "" });
  const { name = "unknown", product, version, extrainfo, tunnel, method = "", conf } = attributes;
  return {
    name: clip(name),
    ...(product === undefined ? {} : { product: clip(product) }),
    ...(version === undefined ? {} : { version: clip(version) }),
    ...(extrainfo === undefined ? {} : { extraInfo: clip(extrainfo) }),
    ...(tunnel === undefined ? {} : { tunnel: clip(tunnel) }),
    method: clip(method),
    confidence: Number(conf) || 0,
    cpe: [],
  };
}

/** A service chooses its own banner: more than this is not for reading. */
const maxTextCharacters = 500;
const clip = (text: string): string => (text.length > maxTextCharacters ? `${text.slice(0, maxTextCharacters)}…` : text);

/** A state's ports come with their reasons, of TCP and UDP alike: a group for each. */
function addReason(host: NmapHost, { reason = "", ports, proto, count }: Attributes): void {
  const last = host.extraPorts.at(-1);
  if (!last) return;
  const group = last.reason === undefined ? last : { state: last.state, count: 0 };
  if (group !== last) host.extraPorts.push(group);
  Object.assign(group, {
    reason,
    ...(count === undefined ? {} : { count: Number(count) || 0 }),
    ...(proto === undefined ? {} : { protocol: proto }),
    ...(ports === undefined ? {} : { ports: dropPortZero(ports) }),
  });
}

/** Nmap can scan port 0, which is the port of nothing. */
const dropPortZero = (list: string): string =>
  list
    .split(",")
    .filter((range) => range !== "0")
    .map((range) => range.replace(/^0-/, "1-"))
    .join(",");
