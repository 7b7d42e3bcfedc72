import { connect } from "node:net";
import { bracket } from "@periscan/contract/target-syntax.ts";
import type { PinnedTarget } from "../kit/engine.ts";
import { askScheme } from "./ask-scheme.ts";
import { findKnown, isWebName } from "./name-services.ts";

/** What there is of a target to look at. */
export interface Services {
  /** The addresses of its sites, without a slash at the end: where templates begin. */
  sites: string[];
  /** Other open TCP ports, for network templates. */
  ports: number[];
  /** Ports that refused a connection: the host's own word that nothing is there. */
  closed: number[];
  /** Ports that did not answer at all: a firewall may hide what is there. */
  silent: number[];
  /** Open ports that want TLS, by their own word or by what was seen before, and with which none came about. */
  unclear: number[];
  /** Those of `ports` where a site was to be expected, and nothing was said when a page was asked for. */
  mute: number[];
  /** Open ports to which nothing was sent: printers print whatever comes. */
  spared: number[];
}

export type PortState = "open" | "closed" | "silent";

const connectSeconds = 5;
const sidesAtOnce = 32;
const webPorts = [80, 443, 8080, 8443];
const rawPrinterPorts = new Set([9100, 9101, 9102, 9103, 9104, 9105, 9106, 9107]);

/** Looks what of the target is open, at its pinned address. Of a bare host: what engines saw before, the usual web ports, and `extraPorts`. */
export async function findServices(pin: PinnedTarget, extraPorts: number[], signal: AbortSignal): Promise<Services> {
  const { target } = pin;
  const host = bracket(nameSite(pin));
  const wanted = target.kind === "url" || target.kind === "service" ? [target.port] : listPorts(pin, extraPorts);
  const services: Services = { sites: [], ports: [], closed: [], silent: [], unclear: [], mute: [], spared: [] };
  await forEachAtOnce(wanted, async (port) => {
    signal.throwIfAborted();
    const state = await knock(pin.address, port, signal);
    if (state !== "open") services[state].push(port);
    else if (target.kind === "url") services.sites.push(`${target.scheme}://${host}:${port}${readPrefix(target.path)}`);
    else if (isPrinter(pin, port)) services.spared.push(port);
    else await sortPort(pin, port, { host, services, signal });
  });
  signal.throwIfAborted();
  services.sites.sort();
  for (const list of [services.ports, services.closed, services.silent, services.unclear, services.mute, services.spared]) list.sort((a, b) => a - b);
  return services;
}

interface Sorting {
  host: string;
  services: Services;
  signal: AbortSignal;
}

/** A service that said that it is no web server is not asked for a page. */
async function sortPort(pin: PinnedTarget, port: number, { host, services, signal }: Sorting): Promise<void> {
  const { name } = findKnown(pin, port);
  const scheme = name === undefined || isWebName(name) ? await askScheme(pin, port, signal) : "other";
  if (scheme === "http" || scheme === "https") services.sites.push(`${scheme}://${host}:${port}`);
  else if (scheme === "unclear") services.unclear.push(port);
  else services.ports.push(port);
  if (scheme === "mute" && (webPorts.includes(port) || (name !== undefined && isWebName(name)))) services.mute.push(port);
}

/** The name that Nuclei asks for. Go never sends `localhost` through a proxy (net/http, ProxyFromEnvironment), so that is called by its address. */
const nameSite = ({ target, address }: PinnedTarget): string => (target.host === "localhost" ? address : target.host);

/** The folder that a URL's path is in or names: templates put their own paths behind it. */
function readPrefix(path: string): string {
  const pathname = path.split(/[?#]/)[0] ?? "/";
  const last = pathname.split("/").at(-1) ?? "";
  return (last.includes(".") ? pathname.slice(0, -last.length) : pathname).replace(/\/+$/, "");
}

function listPorts({ known }: PinnedTarget, extraPorts: number[]): number[] {
  const seen = known.flatMap((each) => (each.kind === "service" && each.protocol === "tcp" ? [each.port] : []));
  return [...new Set([...seen, ...webPorts, ...extraPorts])];
}

const isPrinter = (pin: PinnedTarget, port: number): boolean => rawPrinterPorts.has(port) && !/^https?/i.test(findKnown(pin, port).name ?? "");

/** Whether a port accepts a connection. */
export function knock(address: string, port: number, signal: AbortSignal): Promise<PortState> {
  const { promise, resolve } = Promise.withResolvers<PortState>();
  const socket = connect({ host: address, port, timeout: connectSeconds * 1000, signal });
  const end = (state: PortState) => {
    socket.destroy();
    resolve(state);
  };
  socket.once("connect", () => end("open"));
  socket.once("timeout", () => end("silent"));
  socket.once("error", (error: NodeJS.ErrnoException) => end(error.code === "ECONNREFUSED" ? "closed" : "silent"));
  return promise;
}

/** Does the work for every item, some of them at a time. */
export async function forEachAtOnce<T>(items: T[], work: (item: T) => Promise<void>): Promise<void> {
  const left = [...items];
  const next = async (): Promise<void> => {
    for (let item = left.shift(); item !== undefined; item = left.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: Math.min(sidesAtOnce, items.length) }, next));
}
