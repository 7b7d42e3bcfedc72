import { setTimeout as sleep } from "node:timers/promises";
import { EngineError } from "../kit/engine.ts";
import { hasPort, parsePorts } from "../kit/port-list.ts";
import type { FeedIndex } from "./feed.ts";
import { formatList, listTcp } from "./judge-ports.ts";
import type { OpenvasOptions } from "./options.ts";
import type { HostReport } from "./read-outcome.ts";
import { Reading } from "./reading.ts";
import { describeInterruption, openScan } from "./remote-scan.ts";
import type { UsedScanner } from "./use-scanner.ts";

/** What tells of an open port, in Greenbone's feed and in small ones of one's own. */
export const portFamilies = ["Port scanners", "Service detection"];

/** Each open port costs seconds of service detection. */
const mostPorts = 100;
const lookSeconds = 900;

interface LookSettings {
  scanner: UsedScanner;
  index: FeedIndex;
  options: OpenvasOptions;
  signal: AbortSignal;
}

/** What a second look at a host's TCP ports told. */
export interface SecondLook {
  /** The ports that were looked at. */
  asked: number[];
  /** Those of them that are open. */
  open: number[];
}

/**
 * Looks once more at the ports of these hosts, by address: at those that were seen, for the scanner does not notice a port or a host that dies, or
 * that shuts the scanner out: its tests go on, see nothing, and the host ends like a clean one; and at those that were known before and were not
 * seen, for to the port scan a network that stands still for seconds looks like a firewall. Undefined where the feed has no test that tells of open ports.
 */
export async function lookAgain(
  hosts: HostReport[],
  knownOf: (address: string) => number[],
  { scanner, index, options, signal }: LookSettings,
): Promise<Map<string, SecondLook> | undefined> {
  const families = portFamilies.filter((family) => index.families.includes(family));
  if (families.length === 0) return undefined;
  const wanted = new Map(hosts.map((host) => [host.address, listWanted(host, knownOf(host.address), options)] as const));
  const addresses = [...wanted].flatMap(([address, ports]) => (ports.length > 0 ? [address] : []));
  const looks = new Map([...wanted].map(([address, asked]): [string, SecondLook] => [address, { asked, open: [] }]));
  if (addresses.length === 0) return looks;
  const again: OpenvasOptions = {
    ...options,
    ports: formatList([...wanted.values()].flat()),
    udp_ports: undefined,
    alive_test: "consider_alive",
    host_timeout_minutes: lookSeconds / 60,
  };
  for (const report of await scanOnce({ scanner, index, options: again, addresses, signal, families })) {
    const look = looks.get(report.address);
    if (look) look.open = listTcp(report.results).filter((port) => look.asked.includes(port));
  }
  return looks;
}

function listWanted({ started, results }: HostReport, known: number[], options: OpenvasOptions): number[] {
  if (!started) return [];
  const seen = listTcp(results);
  const range = parsePorts(options.ports) ?? [];
  const missing = known.filter((port) => hasPort(range, port) && !seen.includes(port));
  return [...new Set([...seen.slice(0, mostPorts), ...missing])];
}

async function scanOnce(order: Parameters<typeof openScan>[0]): Promise<HostReport[]> {
  const scan = await openScan(order);
  const reading = new Reading(order.addresses);
  const deadline = performance.now() + lookSeconds * 1000;
  try {
    for (;;) {
      if (!(await scan.isQueued())) {
        const state = await scan.poll();
        reading.take(state);
        if (state.status === "finished") return [...reading.takeEnded(), ...reading.takeRest()];
        if (state.status === "stopped" || state.status === "interrupted")
          throw new EngineError("engine.interrupted", `${describeInterruption("the last look at the hosts")} ${reading.errors.join(" ")}`.trim(), {
            retry: true,
          });
      }
      if (performance.now() > deadline)
        throw new EngineError("engine.no_answer", "The scanner did not end its last look at the hosts in time.", { retry: true });
      await sleep(500, undefined, { signal: order.signal });
    }
  } finally {
    await scan.close();
  }
}
