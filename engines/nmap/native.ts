import type { NativeFacts, NativeFormat } from "../kit/engine.ts";
import { countPorts, formatPorts, intersectPorts, maxPort, type PortRange, parsePorts } from "../kit/port-list.ts";
import { Coverage } from "./coverage.ts";
import { isUdp } from "./options.ts";
import { connectNote } from "./read-outcome.ts";

/** Nmap's own XML, one document for the whole scan: the hosts as Nmap printed them, under one root and one end marker. */
export const native: NativeFormat = {
  contentType: "application/xml",
  extension: "xml",
  head: (facts) => `${openRun(facts)}${describeScope(facts)}`,
  separator: "\n",
  tail: (facts) =>
    `\n<runstats>${finished(facts)}<hosts up="${facts.reached}" down="${facts.unreached}" total="${facts.reached + facts.unreached}"/>\n</runstats>\n</nmaprun>\n`,
};

const openRun = ({ type, engineVersion, startedAt }: NativeFacts): string =>
  `<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE nmaprun>\n<nmaprun scanner="nmap" args="periscan ${type}" start="${seconds(startedAt)}" startstr="${escapeText(startedAt.toUTCString())}" version="${escapeText(engineVersion.replace(/^Nmap /, ""))}" xmloutputversion="1.05">\n`;

/** What was probed on each host, as whoever reads the file must know: ports that a part of the hosts was not asked for are not in it. */
function describeScope({ type, looks }: NativeFacts): string {
  const lists = new Set(looks.flatMap(({ coverage }) => Coverage.safeParse(coverage).data?.ports ?? []));
  const everything: PortRange[] = [[1, maxPort]];
  const ports = lists.size === 0 ? [] : [...lists].map((list) => parsePorts(list) ?? []).reduce(intersectPorts, everything);
  const method = isUdp(type) ? "udp" : looks.some(({ notes }) => notes.includes(connectNote)) ? "connect" : "syn";
  return `<scaninfo type="${method}" protocol="${isUdp(type) ? "udp" : "tcp"}" numservices="${countPorts(ports)}" services="${formatPorts(ports)}"/>\n`;
}

function finished({ startedAt, finishedAt, reached, unreached, succeeded }: NativeFacts): string {
  const elapsed = ((finishedAt.getTime() - startedAt.getTime()) / 1000).toFixed(2);
  const summary = `${reached + unreached} IP addresses (${reached} hosts up) scanned in ${elapsed} seconds`;
  return `<finished time="${seconds(finishedAt)}" timestr="${escapeText(finishedAt.toUTCString())}" summary="${summary}" elapsed="${elapsed}" exit="${succeeded ? "success" : "error"}"/>`;
}

const seconds = (date: Date): number => Math.floor(date.getTime() / 1000);

const escapeText = (text: string): string => text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
