import type { Observation } from "@periscan/contract/outcome.ts";
import type { PinnedTarget } from "../kit/engine.ts";
import { listPorts, maxPorts } from "./options.ts";

/** The protocols in which SSLyze can ask for TLS, by its own names. The last three are read from its files, and asked for by no port here. */
export const startTlsProtocols = ["smtp", "imap", "pop3", "ftp", "ldap", "postgres", "xmpp", "xmpp_server", "rdp"] as const;
export type StartTls = (typeof startTlsProtocols)[number];

/** One port of a target, and how TLS begins there. */
export interface PortPlan {
  port: number;
  /** In clear text first, until the client asks for TLS in this protocol; absent where TLS is spoken from the first byte. */
  startTls?: StartTls;
  /** Whether the port may be asked for a page: not where something else is known to answer. */
  asksHttp: boolean;
}

export interface TargetPlan {
  ports: PortPlan[];
  /** How many ports are known to be open and are more than one scan looks at. */
  left: number;
}

type Service = Extract<Observation, { kind: "service" }>;

/** RFC 8314 and IANA's service names: TLS from the first byte, and no HTTP inside. */
const implicitTlsPorts = new Set([465, 636, 853, 989, 990, 992, 993, 994, 995, 3269, 5061, 5671, 6697, 8883]);
const httpsPorts = new Set([443, 4443, 8443, 9443, 10443]);

const startTlsPorts = new Map<number, StartTls>([
  [21, "ftp"],
  [25, "smtp"],
  [587, "smtp"],
  [2525, "smtp"],
  [110, "pop3"],
  [143, "imap"],
  [389, "ldap"],
  [3268, "ldap"],
  [5432, "postgres"],
]);

/** As Nmap names services. */
const startTlsServices = new Map<string, StartTls>([
  ["smtp", "smtp"],
  ["submission", "smtp"],
  ["imap", "imap"],
  ["pop3", "pop3"],
  ["ftp", "ftp"],
  ["ldap", "ldap"],
  ["postgresql", "postgres"],
]);

/**
 * The ports of a target that are looked at. A URL and host:port name theirs. A bare host gets those of the option, else those that are known
 * to be open and that speak TLS or are told to by STARTTLS, else 443.
 */
export function planTarget({ target, known }: Pick<PinnedTarget, "target" | "known">, ports: string | undefined): TargetPlan {
  const services = new Map(known.flatMap((seen) => (seen.kind === "service" && seen.protocol === "tcp" ? [[seen.port, seen] as const] : [])));
  const planned = (numbers: number[]) => numbers.map((port) => planPort(port, services.get(port)));
  if (target.kind === "url") return { ports: [{ port: target.port, asksHttp: true }], left: 0 };
  if (target.kind === "service") return { ports: planned([target.port]), left: 0 };
  if (ports !== undefined) return { ports: planned(listPorts(ports)), left: 0 };
  const open = [...services.values()]
    .filter(speaksTls)
    .map(({ port }) => port)
    .sort((a, b) => a - b);
  if (open.length === 0) return { ports: planned([443]), left: 0 };
  return { ports: planned(open.slice(0, maxPorts)), left: Math.max(0, open.length - maxPorts) };
}

const speaksTls = ({ port, tls, name }: Service): boolean =>
  tls || implicitTlsPorts.has(port) || httpsPorts.has(port) || findStartTls(port, name) !== undefined || name === "https";

/** The service's name wins over the port: anything may listen anywhere. */
const findStartTls = (port: number, name: string | undefined): StartTls | undefined =>
  name === undefined ? startTlsPorts.get(port) : startTlsServices.get(name);

function planPort(port: number, service: Service | undefined): PortPlan {
  if (service?.tls) return { port, asksHttp: service.name === undefined ? !implicitTlsPorts.has(port) : /^https?/.test(service.name) };
  const startTls = findStartTls(port, service?.name);
  if (startTls !== undefined) return { port, startTls, asksHttp: false };
  return { port, asksHttp: !implicitTlsPorts.has(port) };
}
