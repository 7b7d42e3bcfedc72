import { isIP, isIPv6 } from "node:net";
import type { PinnedTarget } from "../kit/engine.ts";
import type { Start } from "./build-arguments.ts";
import type { Services } from "./find-services.ts";
import type { Scan } from "./run.ts";

export interface Starting {
  pin: PinnedTarget;
  services: Services;
  scan: Scan;
  proxyUrl: string;
  resolver: string;
}

export interface PlannedStart {
  start: Omit<Start, "folder">;
  chosen: number;
  /** The targets as an outcome names them. */
  places: string[];
  watchesSilence: boolean;
}

/** Sites keep the target's name, which the proxy turns into its address. Network templates get the address itself: Nuclei would look a name up. */
export function listStarts({ pin, services, scan, proxyUrl, resolver }: Starting): PlannedStart[] {
  const { options, set, selected, context } = scan;
  const shared = { options, templates: set.folder, proxyUrl, resolver, requestsPerSecond: context.limits.packetsPerSecond };
  const plan = (start: Pick<Start, "protocols" | "targets" | "serverName" | "login">, more: Pick<PlannedStart, "places" | "watchesSilence">): PlannedStart => {
    const fitting = [...selected].filter(([, { protocol }]) => start.protocols.includes(protocol));
    // A target that is one port stays that port.
    const excluded = pin.target.kind === "service" ? fitting.filter(([, { fixedPort }]) => fixedPort).map(([path]) => path) : [];
    return { start: { ...shared, ...start, excluded }, chosen: fitting.length - excluded.length, ...more };
  };
  const address = isIPv6(pin.address) ? `[${pin.address}]` : pin.address;
  const ports = services.ports.filter((port) => !webPortsOfNuclei.has(port));
  const serverName = isIP(pin.target.host) === 0 ? pin.target.host : undefined;
  const others = options.protocols.filter((protocol) => protocol !== "http");
  return [
    plan({ protocols: ["http"], targets: services.sites, serverName: undefined, login: pin.login }, { places: services.sites, watchesSilence: true }),
    plan(
      { protocols: others, targets: ports.map((port) => `${address}:${port}`), serverName, login: undefined },
      { places: ports.map((port) => `tcp:${port}`), watchesSilence: false },
    ),
  ].filter(({ start, chosen }) => start.targets.length > 0 && chosen > 0);
}

/** On these a network template leaves the target's port for its own (contextargs.go of Nuclei: reserved ports). */
const webPortsOfNuclei = new Set([80, 443, 8080, 8443, 8081, 53]);
