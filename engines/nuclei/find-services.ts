import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { bracket } from "@periscan/contract/target-syntax.ts";
import type { PinnedTarget } from "../kit/engine.ts";

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
}

export type PortState = "open" | "closed" | "silent";

const connectSeconds = 5;
const sidesAtOnce = 32;
const webPorts = [80, 443, 8080, 8443];
/** Printers print what is sent there. */
const rawPrinterPorts = new Set([9100, 9101, 9102, 9103, 9104, 9105, 9106, 9107]);

/** Looks what of the target is open, at its pinned address. Of a bare host: what engines saw before, the usual web ports, and `extraPorts`. */
export async function findServices(pin: PinnedTarget, extraPorts: number[], signal: AbortSignal): Promise<Services> {
  const { target } = pin;
  const host = bracket(nameSite(pin));
  const wanted = target.kind === "url" || target.kind === "service" ? [target.port] : listPorts(pin, extraPorts);
  const services: Services = { sites: [], ports: [], closed: [], silent: [] };
  await forEachAtOnce(wanted, async (port) => {
    signal.throwIfAborted();
    const state = await knock(pin.address, port, signal);
    if (state === "closed") services.closed.push(port);
    else if (state === "silent") services.silent.push(port);
    else if (target.kind === "url") services.sites.push(`${target.scheme}://${host}:${port}${readPrefix(target.path)}`);
    else {
      const scheme = mayAsk(pin, port) ? await askScheme(pin, port, signal) : undefined;
      if (scheme) services.sites.push(`${scheme}://${host}:${port}`);
      else services.ports.push(port);
    }
  });
  signal.throwIfAborted();
  services.sites.sort();
  for (const list of [services.ports, services.closed, services.silent]) list.sort((a, b) => a - b);
  return services;
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

/** A service that said that it is no web server is not asked for a page. */
function mayAsk({ known }: PinnedTarget, port: number): boolean {
  if (rawPrinterPorts.has(port)) return false;
  const service = known.find((each) => each.kind === "service" && each.protocol === "tcp" && each.port === port);
  return service?.kind !== "service" || service.name === undefined || /http|ssl|unknown/i.test(service.name);
}

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

async function askScheme(pin: PinnedTarget, port: number, signal: AbortSignal): Promise<"http" | "https" | undefined> {
  if (await speaksHttp(pin, openTls(pin, port), "secureConnect", signal)) return "https";
  return (await speaksHttp(pin, connect({ host: pin.address, port }), "connect", signal)) ? "http" : undefined;
}

const openTls = ({ target, address }: PinnedTarget, port: number): Socket =>
  // Whom the certificate is for is another engine's question.
  connectTls({
    host: address,
    port,
    rejectUnauthorized: false,
    minVersion: "TLSv1",
    ...(target.kind === "address" ? {} : { servername: nameOf(target.host) }),
  });

/** TLS names no addresses (RFC 6066, part 3). */
const nameOf = (host: string): string => (/^[\d.]+$|:/.test(host) ? "" : host);

function speaksHttp({ target }: PinnedTarget, socket: Socket, ready: string, signal: AbortSignal): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const end = (answer: boolean) => {
    clearTimeout(timer);
    signal.removeEventListener("abort", stop);
    socket.destroy();
    resolve(answer);
  };
  const stop = () => end(false);
  const timer = setTimeout(stop, connectSeconds * 1000);
  signal.addEventListener("abort", stop, { once: true });
  socket.on("error", stop).once("close", stop);
  socket.once(ready, () => socket.write(`GET / HTTP/1.1\r\nHost: ${bracket(target.host)}\r\nConnection: close\r\n\r\n`));
  let got = "";
  socket.on("data", (chunk: Buffer) => {
    got += chunk.toString("latin1").slice(0, 100);
    if (got.length >= 5) end(got.startsWith("HTTP/"));
  });
  return promise;
}

async function forEachAtOnce<T>(items: T[], work: (item: T) => Promise<void>): Promise<void> {
  const left = [...items];
  const next = async (): Promise<void> => {
    for (let item = left.shift(); item !== undefined; item = left.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: Math.min(sidesAtOnce, items.length) }, next));
}
