import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { EngineError } from "../kit/engine.ts";
import type { FeedIndex } from "./feed.ts";
import { aliveTests, type OpenvasOptions } from "./options.ts";
import { askOsp, childText, escapeXml, type OspAddress, OspRefusal } from "./osp-client.ts";
import { readScanState, readScanStatus, type ScanState } from "./read-answers.ts";

/** A scan in the scanner. */
export interface RemoteScan {
  id: string;
  isQueued(): Promise<boolean>;
  /** Its state, with the results since the last call. What this returns is gone in the scanner: keep it. */
  poll(): Promise<ScanState>;
  /** Stops the scan where it runs, and deletes it. Never throws, and can be called again. */
  close(): Promise<void>;
}

export interface ScanOrder {
  scanner: { address: OspAddress };
  index: Pick<FeedIndex, "families" | "tests">;
  options: OpenvasOptions;
  addresses: string[];
  signal: AbortSignal;
  /** Families to run; all where it is absent. */
  families?: string[];
}

const requestSeconds = 60;
const answerBytes = 256 * 1024 ** 2;
const resultsPerPoll = 1000;

/** What the state `interrupted` of a scan means; the scanner itself may say nothing. */
export const describeInterruption = (what: string): string =>
  `The scanner interrupted ${what}: its process ended before that did, or was killed, for example for want of memory.`;

/** Starts a scan with an id of its own. */
export async function openScan(order: ScanOrder): Promise<RemoteScan> {
  const id = randomUUID();
  const { address } = order.scanner;
  const ask = (request: string, signal = order.signal, seconds = requestSeconds) => askOsp(address, request, { signal, seconds, bytes: answerBytes });
  let closing: Promise<void> | undefined;
  const scan: RemoteScan = {
    id,
    isQueued: async () => readScanStatus(await ask(`<get_scans scan_id="${id}" details="0"/>`), id) === "queued",
    poll: async () => readScanState(await ask(`<get_scans scan_id="${id}" details="1" progress="1" pop_results="1" max_results="${resultsPerPoll}"/>`), id),
    close: () => {
      closing ??= remove(id, (request) => ask(request, new AbortController().signal, closeSeconds));
      return closing;
    },
  };
  try {
    const answer = await ask(writeStart(id, order));
    if (childText(answer, "id") !== id) throw new EngineError("engine.refused", "The scanner did not start the scan.", { retry: true });
  } catch (error) {
    // It may have begun all the same.
    await scan.close();
    throw error;
  }
  return scan;
}

/** The port scan of Greenbone's feed, and its look whether a host is there. The family has others that would scan all ports again. */
const portScan = { family: "Port scanners", oids: ["1.3.6.1.4.1.25623.1.0.14259", "1.3.6.1.4.1.25623.1.0.100315"] };

/** Tries passwords until one fits: nothing that a scan does unasked. */
const leftOut = new Set(["Brute force attacks"]);

/** Exported for its test. */
export function writeStart(id: string, { index, options, addresses, families }: Omit<ScanOrder, "scanner" | "signal">): string {
  const usesNmap = index.tests.includes(portScan.oids[0] ?? "");
  const wanted = (families ?? index.families).filter((family) => !leftOut.has(family) && !(usesNmap && family === portScan.family));
  const methods = aliveTests[options.alive_test].map((method) => `<${method}>1</${method}>`).join("");
  const parameters = {
    max_checks: 4,
    max_hosts: addresses.length,
    plugins_timeout: options.test_timeout_seconds,
    // A port scan is one test; it may take as long as the host.
    scanner_plugins_timeout: Math.max(60, Math.round(options.host_timeout_minutes * 60)),
    safe_checks: 1,
    auto_enable_dependencies: 1,
    unscanned_closed: 1,
    unscanned_closed_udp: 1,
    expand_vhosts: 0,
    test_empty_vhost: 0,
  };
  return [
    `<start_scan scan_id="${id}"><targets><target><hosts>${addresses.map(escapeXml).join(",")}</hosts>`,
    // The prefix once for each protocol: `T:22,T:80` is refused.
    `<ports>T:${options.ports}${options.udp_ports === undefined ? "" : `,U:${options.udp_ports}`}</ports>`,
    `<alive_test_methods>${methods}</alive_test_methods><reverse_lookup_only>0</reverse_lookup_only><reverse_lookup_unify>0</reverse_lookup_unify></target></targets>`,
    `<scanner_params>${Object.entries(parameters)
      .map(([name, value]) => `<${name}>${value}</${name}>`)
      .join("")}</scanner_params>`,
    "<vt_selection>",
    ...(usesNmap ? portScan.oids.map((oid) => `<vt_single id="${oid}"/>`) : []),
    ...wanted.map((family) => `<vt_group filter="family=${escapeXml(family)}"/>`),
    "</vt_selection></start_scan>",
  ].join("");
}

/** A scan that is being stopped takes some seconds: its tests end first. */
const closeSeconds = 20;
const closeTries = 10;

async function remove(id: string, ask: (request: string) => Promise<unknown>): Promise<void> {
  for (let tries = 0; tries < closeTries; tries++) {
    try {
      await ask(`<delete_scan scan_id="${id}"/>`);
      return;
    } catch (error) {
      if (!(error instanceof OspRefusal)) return;
      if (error.status === "404") return;
    }
    // It runs, so it is not deleted: stop it. A scan that ended meanwhile refuses that.
    await ask(`<stop_scan scan_id="${id}"/>`).catch(() => {});
    await sleep(200);
  }
}
