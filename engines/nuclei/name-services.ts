import type { Observation } from "@periscan/contract/outcome.ts";
import type { PinnedTarget } from "../kit/engine.ts";
import type { Template } from "./find-templates.ts";

type Service = Extract<Observation, { kind: "service" }>;
type Known = Pick<PinnedTarget, "known">;

const listServices = ({ known }: Known, protocol: Service["protocol"]): Service[] =>
  known.filter((seen): seen is Service => seen.kind === "service" && seen.protocol === protocol);

/** Nmap's words for a port that did not say what it is. */
const noNames = /^(unknown|tcpwrapped|ssl\/unknown)$/i;
/** As Nmap names what may be a site: `http`, `https`, `http-proxy`, `ssl/http`. */
export const isWebName = (name: string): boolean => /http|ssl/i.test(name);

/** What earlier scans saw on a TCP port: what it called itself, where one of them heard that, and whether one saw it speak TLS. */
export function findKnown(pin: Known, port: number): { name: string | undefined; tls: boolean } {
  const seen = listServices(pin, "tcp").filter((service) => service.port === port);
  const names = seen.flatMap(({ name }) => (name === undefined || noNames.test(name) ? [] : [name]));
  const isTls = seen.some(({ tls, name = "" }) => tls || /https|ssl/i.test(name));
  return { name: names.find(isWebName) ?? names[0], tls: isTls };
}

/** A port as people name it, such as `111/tcp rpcbind`. */
export function namePort(pin: Known, port: number): string {
  const { name } = findKnown(pin, port);
  return `${port}/tcp${name === undefined ? "" : ` ${name.slice(0, 50)}`}`;
}

/** The UDP services that an earlier scan saw, as people name them. No template that runs here speaks UDP. */
export const listUdp = (pin: Known): string[] => listServices(pin, "udp").map(({ port, name }) => `${port}/udp${name ? ` ${name.slice(0, 50)}` : ""}`);

/** Whether one of the network templates is made for the port, by its number or by what an earlier scan called the service there. */
export function isMadeFor(templates: Iterable<Template>, port: number, name: string | undefined): boolean {
  const called = name?.toLowerCase().replace(/^ssl\//, "");
  // As `mongod` and `mongodb`, or `memcache` and `memcached`.
  const isCalled = (word: string) =>
    called !== undefined && (word === called || (Math.min(word.length, called.length) > 4 && (word.startsWith(called) || called.startsWith(word))));
  for (const { protocol, ports, tags, id } of templates) {
    if (protocol === "http") continue;
    if (ports.includes(port) || [...tags, ...id.toLowerCase().split(/[-_.]/)].some(isCalled)) return true;
  }
  return false;
}
