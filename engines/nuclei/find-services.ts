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
  /** Open ports that want TLS, by their own word or by what was seen before, and with which none came about. */
  unclear: number[];
}

export type PortState = "open" | "closed" | "silent";

const connectSeconds = 5;
const patientSeconds = 15;
const sidesAtOnce = 32;
const webPorts = [80, 443, 8080, 8443];
/** Printers print what is sent there. */
const rawPrinterPorts = new Set([9100, 9101, 9102, 9103, 9104, 9105, 9106, 9107]);

/** Looks what of the target is open, at its pinned address. Of a bare host: what engines saw before, the usual web ports, and `extraPorts`. */
export async function findServices(pin: PinnedTarget, extraPorts: number[], signal: AbortSignal): Promise<Services> {
  const { target } = pin;
  const host = bracket(nameSite(pin));
  const wanted = target.kind === "url" || target.kind === "service" ? [target.port] : listPorts(pin, extraPorts);
  const services: Services = { sites: [], ports: [], closed: [], silent: [], unclear: [] };
  await forEachAtOnce(wanted, async (port) => {
    signal.throwIfAborted();
    const state = await knock(pin.address, port, signal);
    if (state === "closed") services.closed.push(port);
    else if (state === "silent") services.silent.push(port);
    else if (target.kind === "url") services.sites.push(`${target.scheme}://${host}:${port}${readPrefix(target.path)}`);
    else {
      const scheme = mayAsk(pin, port) ? await askScheme(pin, port, signal) : undefined;
      if (scheme === "unclear") services.unclear.push(port);
      else if (scheme) services.sites.push(`${scheme}://${host}:${port}`);
      else services.ports.push(port);
    }
  });
  signal.throwIfAborted();
  services.sites.sort();
  for (const list of [services.ports, services.closed, services.silent, services.unclear]) list.sort((a, b) => a - b);
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

/**
 * A server that is slow with TLS looks like one without, and answers plain HTTP with 400: it is then asked for TLS once more, with more time.
 * `unclear`: TLS is wanted there, and none came about.
 */
async function askScheme(pin: PinnedTarget, port: number, signal: AbortSignal): Promise<"http" | "https" | "unclear" | undefined> {
  const askTls = (seconds: number) => askPage(pin, openTls(pin, port), { ready: "secureConnect", seconds, signal });
  if ((await askTls(connectSeconds)).kind === "http") return "https";
  const plain = await askPage(pin, connect({ host: pin.address, port }), { ready: "connect", seconds: connectSeconds, signal });
  const isRefused = plain.kind === "http" && /^HTTP\/[\d.]+ 400\b/.test(plain.text);
  if (isRefused || wantsTls(pin, port)) {
    const again = await askTls(patientSeconds);
    if (again.kind === "http") return "https";
    const saysTls = isRefused && (again.kind === "other" || /https|\b(?:tls|ssl)\b/i.test(plain.text));
    if (again.kind === "silent" || saysTls) return "unclear";
  }
  return plain.kind === "http" ? "http" : undefined;
}

/** What a scan saw there before. */
const wantsTls = ({ known }: PinnedTarget, port: number): boolean =>
  known.some((each) => each.kind === "service" && each.protocol === "tcp" && each.port === port && (each.tls || /https|ssl/i.test(each.name ?? "")));

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
export const nameOf = (host: string): string => (/^[\d.]+$|:/.test(host) ? "" : host);

interface Asking {
  /** The event of the socket after which can be asked. */
  ready: string;
  seconds: number;
  signal: AbortSignal;
}

/** What came of asking for a page. `other`: connected, and no HTTP; `failed`: no connection; `silent`: none in time, and no refusal. */
type Page = { kind: "http"; text: string } | { kind: "other" | "failed" | "silent" };

const mostOfPage = 2000;

function askPage({ target }: PinnedTarget, socket: Socket, { ready, seconds, signal }: Asking): Promise<Page> {
  const { promise, resolve } = Promise.withResolvers<Page>();
  let got = "";
  let isReady = false;
  const end = (kind: Exclude<Page["kind"], "http">) => {
    clearTimeout(timer);
    signal.removeEventListener("abort", stop);
    socket.destroy();
    resolve(got.startsWith("HTTP/") ? { kind: "http", text: got } : { kind: isReady ? "other" : kind });
  };
  const stop = () => end("silent");
  const timer = setTimeout(stop, seconds * 1000);
  signal.addEventListener("abort", stop, { once: true });
  socket.on("error", () => end("failed")).once("close", () => end("failed"));
  socket.once(ready, () => {
    isReady = true;
    socket.write(`GET / HTTP/1.1\r\nHost: ${bracket(target.host)}\r\nConnection: close\r\n\r\n`);
  });
  socket.on("data", (chunk: Buffer) => {
    got += chunk.toString("latin1").slice(0, mostOfPage);
    // Of a refusal the reason is read too, as far as it comes.
    const isWhole = got.length >= mostOfPage || (got.length >= 12 && !/^HTTP\/[\d.]+ 400/.test(got));
    if (isWhole || (got.length >= 5 && !got.startsWith("HTTP/"))) end("other");
  });
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
