import { setTimeout as sleep } from "node:timers/promises";
import { EngineError } from "../kit/engine.ts";
import type { FeedIndex } from "./feed.ts";
import { type OpenvasOptions, Options } from "./options.ts";
import type { HostReport } from "./read-outcome.ts";
import { Reading } from "./reading.ts";
import { describeInterruption, openScan } from "./remote-scan.ts";
import type { UsedScanner } from "./use-scanner.ts";

/** What tells of an open port, in Greenbone's feed and in small ones of one's own. */
export const portFamilies = ["Port scanners", "Service detection"];

const mostPorts = 100;
const lookSeconds = 900;

interface LookSettings {
  scanner: UsedScanner;
  index: FeedIndex;
  options: OpenvasOptions;
  signal: AbortSignal;
}

/**
 * The addresses of those hosts of which no port answers any longer that answered during the scan. The scanner does not notice a host that dies, or
 * that shuts the scanner out: its tests go on, see nothing, and the host ends like a clean one. So its ports are scanned once more.
 */
export async function findVanished(hosts: HostReport[], { scanner, index, options, signal }: LookSettings): Promise<Set<string>> {
  const seen = new Map(hosts.map((host) => [host.address, listPorts(host)] as const).filter(([, ports]) => ports.length > 0));
  const families = portFamilies.filter((family) => index.families.includes(family));
  if (seen.size === 0 || families.length === 0) return new Set();
  const ports = [...new Set([...seen.values()].flat())].slice(0, mostPorts * seen.size).join(",");
  const again = Options.parse({ ...options, ports, udp_ports: undefined, alive_test: "consider_alive", host_timeout_minutes: lookSeconds / 60 });
  const reports = await scanOnce({ scanner, index, options: again, addresses: [...seen.keys()], signal, families });
  const answering = new Set(reports.filter((host) => listPorts(host).some((port) => seen.get(host.address)?.includes(port))).map(({ address }) => address));
  return new Set([...seen.keys()].filter((address) => !answering.has(address)));
}

function listPorts({ results }: HostReport): number[] {
  const ports = results.flatMap(({ type, oid, port }) => (type === "error" || oid === "" ? [] : [/^(\d+)\/tcp$/.exec(port)?.[1]]));
  return [...new Set(ports.flatMap((port) => (port === undefined || port === "0" ? [] : [Number(port)])))].slice(0, mostPorts);
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
