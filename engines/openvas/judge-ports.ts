import { formatPorts, parsePorts, subtractPorts } from "../kit/port-list.ts";
import type { SecondLook } from "./look-again.ts";
import type { OpenvasOptions } from "./options.ts";
import { isSight, type ScanResult } from "./read-answers.ts";

/** What is known of a host's ports after a scan and a second look at them. */
export interface JudgedPorts {
  /** What was asked for, and on what a test reported though nobody asked, as ranges. */
  tcp: string;
  udp: string;
  /** Those of them of which it is known what is there. */
  sure: { tcp: string; udp: string };
  /** Whether a test reported on any TCP port. */
  sawTcp: boolean;
  /** TCP ports that were seen, and that were open at the end. */
  steady: number[];
  /** Seen, and not open at the end. */
  lost: number[];
  /** Seen, and not looked at again. */
  unasked: number[];
  /** Not seen, and open at the end. */
  missed: number[];
}

/**
 * Judges each port by itself. A TCP port is sure on a host of which a TCP port was seen and is open still: where it was seen it is open at the end,
 * and where it was known before and not seen it refused, or was silent, twice. A UDP port is sure where a test reported on it: silence of UDP tells nothing.
 */
export function judgePorts(
  seen: ScanResult[],
  { ports, udp_ports = "" }: Pick<OpenvasOptions, "ports" | "udp_ports">,
  look: SecondLook | undefined,
): JudgedPorts {
  const [seenTcp, seenUdp] = [listTcp(seen), listPorts(seen, "udp")];
  const { asked, open } = look ?? { asked: [], open: [] };
  const tcp = formatList([ports, ...seenTcp]);
  const judged = {
    steady: seenTcp.filter((port) => open.includes(port)),
    lost: seenTcp.filter((port) => asked.includes(port) && !open.includes(port)),
    unasked: seenTcp.filter((port) => !asked.includes(port)),
    missed: open.filter((port) => !seenTcp.includes(port)),
  };
  const doubtful = [...judged.lost, ...judged.unasked, ...judged.missed];
  const sure = { tcp: judged.steady.length === 0 ? "" : leaveOut(tcp, doubtful), udp: formatList(seenUdp) };
  return { tcp, udp: formatList([udp_ports, ...seenUdp]), sure, sawTcp: seenTcp.length > 0, ...judged };
}

/** The TCP ports that tests reported on, each once, in the order in which they came. */
export const listTcp = (results: ScanResult[]): number[] => listPorts(results, "tcp");

function listPorts(results: ScanResult[], protocol: "tcp" | "udp"): number[] {
  const told = results.filter((each) => isSight(each) && isNumbered(each.port) && each.port.endsWith(protocol));
  return [...new Set(told.map(({ port }) => Number.parseInt(port, 10)))];
}

/** `443/tcp`; `general/tcp` and `0/tcp` are of no port. */
export const isNumbered = (port: string): boolean => /^[1-9]\d{0,4}\/(tcp|udp)$/.test(port);

/** As ranges, sorted; empty for none. */
export function formatList(parts: (string | number)[]): string {
  const filled = parts.filter((part) => part !== "");
  return filled.length === 0 ? "" : formatPorts(parsePorts(filled.join(",")) ?? []);
}

const leaveOut = (ports: string, out: number[]): string =>
  formatPorts(
    subtractPorts(
      parsePorts(ports) ?? [],
      out.map((port) => [port, port]),
    ),
  );
