import type { Engine } from "../kit/engine.ts";
import { describeCoverage, readCoverage } from "./coverage.ts";
import { native } from "./native.ts";
import { type NmapOptions, TcpOptions, UdpOptions } from "./options.ts";
import { view } from "./view.ts";

const loadRunner = async (needsRaw: boolean) => (await import("./runner.ts")).createRunner({ needsRaw });

const shared = {
  program: "nmap",
  installCost: { megabytes: 30, minutes: 1 },
  memoryMegabytes: 256,
  usesLogin: false,
  refuses: () => undefined,
  // One Nmap is bound by latency: eight side by side are five times as fast as one. More than 16 hosts in one would cost the
  // next attempt too much where a process is killed.
  targetsPerTask: (count: number) => Math.min(16, Math.max(1, Math.ceil(count / 8))),
  // Nmap ends each host by its own time-out; this is for an Nmap that does not. A host may be looked at twice.
  deadlineSeconds: (targetCount: number, options: Record<string, unknown>) => 600 + 2 * 60 * (options as NmapOptions).host_timeout_minutes * targetCount,
  readCoverage,
  describeCoverage,
  view,
  native,
};

/** Open TCP ports and the services behind them. */
export const nmap: Engine = { ...shared, type: "NMAP", title: "TCP port scan", options: TcpOptions, load: () => loadRunner(false) };

/** Open UDP ports and the services behind them. */
export const nmapUdp: Engine = { ...shared, type: "NMAP_UDP", title: "UDP port scan", options: UdpOptions, load: () => loadRunner(true) };
