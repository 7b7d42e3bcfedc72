import { type ThreatLevel, threatLevels } from "@periscan/contract/risk.ts";
import { parsePorts } from "../kit/port-list.ts";
import type { NmapPort, NmapService } from "./read-nmap-xml.ts";
import { encrypted, type Row, rows, type Sign, signs, unknown } from "./service-table.ts";

export interface PortAssessment {
  threatLevel: ThreatLevel;
  /** What the service is, and why it matters that it is open to the scanner. */
  description: string;
  solution: string;
  references: string[];
  /** What usually listens on the port, where that made the level and not what the service said of itself. */
  usual?: string;
}

interface PortRow {
  row: Row;
  /** What usually listens there. */
  usual: string;
  speaksHttp: boolean;
}

const byService = new Map(rows.flatMap((row) => row.services.map((service): [string, Row] => [service, row])));
const byProduct = new Map(rows.flatMap((row) => (row.products ?? []).map((product): [string, Row] => [product, row])));
const byPort = new Map(rows.flatMap(listPorts));

function listPorts(row: Row): [string, PortRow][] {
  const { tcp = {}, web = {}, udp = {} } = row;
  const groups = [
    ...Object.entries(tcp).map((entry) => ({ protocol: "tcp", entry, speaksHttp: false })),
    ...Object.entries(web).map((entry) => ({ protocol: "tcp", entry, speaksHttp: true })),
    ...Object.entries(udp).map((entry) => ({ protocol: "udp", entry, speaksHttp: false })),
  ];
  return groups.flatMap(({ protocol, entry: [list, usual], speaksHttp }) =>
    (parsePorts(list) ?? []).flatMap(([low, high]) =>
      Array.from({ length: high - low + 1 }, (_, index): [string, PortRow] => [`${protocol}/${low + index}`, { row, usual, speaksHttp }]),
    ),
  );
}

/** Names that tell the language and not the service: many services speak HTTP, and anything may be inside TLS. */
const httpNames = new Set(["http", "https", "http-proxy", "soap", "xml-rpc", "jsonrpc", "websocket", "webdav", "upnp"]);

/** Nmap's confidence in a service that fits one of its probes. */
const fullConfidence = 10;

/**
 * Whether the service said itself what it is. A name from Nmap's table is only the port's number in words, a service that hangs up (`tcpwrapped`) said nothing, and
 * of what speaks TLS and no more the inside is not known.
 */
export const isIdentified = (service: NmapService | undefined): service is NmapService =>
  service !== undefined && service.method === "probed" && !["unknown", "tcpwrapped", "ssl", "dtls"].includes(service.name);

type Port = Pick<NmapPort, "protocol" | "number" | "service">;

/**
 * The threat level of an open port, by service-table.ts.
 *
 * 1. A service that said what it is counts as that, on whatever port: SSH on a database's port is SSH. Plain HTTP, mail, FTP, DNS and LDAP inside TLS are their encrypted kin.
 * 2. HTTP alone proves little: on a port whose usual service speaks HTTP too (etcd, a kubelet), the worse of the two counts. So it does where Nmap is not sure of the
 *    service. A service that the table does not know counts as what usually listens on its port.
 * 3. One that said nothing (`tcpwrapped`, `unknown`, a name of Nmap's list of ports, no service detection) counts as what usually listens on its port. A name of that list is the
 *    port's number in other words, so it counts only where this table does not know the port. Where both are known and neither is proven, the worse counts.
 * 4. What an answer proves of the login changes the level of a service that said what it is: raised where it let the scanner in, lowered where it refused it.
 * 5. All else is LOW: an open port that nobody knows.
 */
export function assessPort(port: Port): PortAssessment {
  const { row, usual } = findRow(port);
  const { solution, references } = row;
  const sign = usual === undefined && isIdentified(port.service) ? findSign(port.service) : undefined;
  return {
    threatLevel: sign?.level ?? row.level,
    description: sign ? `${sign.why} ${row.why}` : row.why,
    solution,
    references,
    ...(usual === undefined ? {} : { usual }),
  };
}

interface Found {
  row: Row;
  usual?: string;
}

function findRow({ protocol, number, service }: Port): Found {
  const inTls = service?.tunnel === "ssl";
  const port = byPort.get(`${protocol}/${number}`);
  const usual: Found | undefined = port && { row: encrypt(port.row, inTls), usual: port.usual };
  const named = service && (byProduct.get(service.product ?? "") ?? byService.get(service.name));
  const own: Found | undefined = named && { row: encrypt(named, inTls) };
  if (own && isIdentified(service) && !mayBeUsual(service, port)) return own;
  return (service?.method === "table" ? (usual ?? own) : findWorse(own, usual)) ?? { row: unknown };
}

/** Whether a service that said what it is may still be what usually listens on its port. */
function mayBeUsual({ name, product = "", confidence }: NmapService, port: PortRow | undefined): boolean {
  if (confidence < fullConfidence) return true;
  return httpNames.has(name) && !byProduct.has(product) && port?.speaksHttp === true;
}

const encrypt = (row: Row, inTls: boolean): Row => (inTls && row.clearText ? encrypted : row);

/** Of two as bad as each other the first. */
function findWorse(own: Found | undefined, usual: Found | undefined): Found | undefined {
  if (!own || !usual) return own ?? usual;
  return threatLevels.indexOf(usual.row.level) < threatLevels.indexOf(own.row.level) ? usual : own;
}

const findSign = (service: NmapService): Sign | undefined => signs.find((sign) => sign.services.includes(service.name) && fits(sign, service));

function fits({ product, version, extraInfo }: Sign, service: NmapService): boolean {
  const says = (wanted: RegExp | undefined, text = "") => wanted === undefined || wanted.test(text);
  return says(product, service.product) && says(version, service.version) && says(extraInfo, service.extraInfo);
}
