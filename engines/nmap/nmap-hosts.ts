import { type ParsedTarget, parseAddress, parseTarget } from "@periscan/contract/target-syntax.ts";
import { ParseError, type ReadContext } from "../kit/engine.ts";
import { formatPorts, intersectPorts, parsePorts } from "../kit/port-list.ts";
import type { Tally } from "../kit/tally.ts";
import { isUdp } from "./options.ts";
import type { NmapEvent, NmapHost } from "./read-nmap-xml.ts";

type Scope = Extract<NmapEvent, { kind: "scope" }>;

/** One `<host>` of a file, with what was scanned there by the `<scaninfo>` before it, by protocol. */
export interface HostEntry {
  host: NmapHost;
  scopes: ReadonlyMap<string, Scope>;
}

/** All entries of one target. */
export interface HostGroup {
  /** The target: the name that Nmap was told to scan, or else the address. */
  text: string;
  address: string;
  entries(): Iterable<HostEntry>;
}

interface StoredEntry {
  /** As JSON: a large file has more ports than there is room for as objects. */
  host: string;
  endedAt?: Date;
  scopes: ReadonlyMap<string, Scope>;
}

interface StoredGroup {
  text: string;
  address: string;
  stored: StoredEntry[];
}

/** Gathers the hosts of a whole file by target: two names of one address are two targets, and what a name's second address tells stands under that address. */
export class NmapHosts {
  /** The program that wrote the file, in lower case. */
  scanner = "";
  /** When the scan ended, or else when it began. */
  writtenAt: Date | undefined;
  readonly #groups = new Map<string, StoredGroup>();
  /** Hosts whose address no target can have. */
  readonly #strange: { address: string; open: number }[] = [];
  readonly #protocols = new Set<string>();
  #scopes = new Map<string, Scope>();
  /** A `<scaninfo>` behind a host is that of another run: such files are several in one. */
  #isBehindHost = false;
  #finished: boolean | undefined;

  take(event: NmapEvent): void {
    if (event.kind === "source") [this.scanner, this.writtenAt] = [event.scanner, event.startedAt];
    else if (event.kind === "scope") this.#takeScope(event);
    else if (event.kind === "host") this.#takeHost(event.host);
    else if (event.kind === "finished") {
      this.#finished = event.succeeded && this.#finished !== false;
      this.writtenAt = event.at ?? this.writtenAt;
    }
  }

  #takeScope(scope: Scope): void {
    if (this.#isBehindHost) this.#scopes = new Map();
    this.#isBehindHost = false;
    this.#protocols.add(scope.protocol);
    const before = this.#scopes.get(scope.protocol);
    this.#scopes.set(scope.protocol, before ? narrow(before, scope) : scope);
  }

  #takeHost({ endedAt, ...host }: NmapHost): void {
    this.#isBehindHost = true;
    const { address, addressText, ports, otherPorts } = host;
    if (address === "") {
      this.#strange.push({
        address: addressText,
        open: ports.filter(({ state }) => state === "open").length + otherPorts.filter(({ isOpen }) => isOpen).length,
      });
      return;
    }
    const name = readName(host);
    const text = name === undefined || (this.#groups.get(name)?.address ?? address) !== address ? address : name;
    const group = this.#groups.get(text) ?? { text, address, stored: [] };
    this.#groups.set(text, group);
    group.stored.push({ host: JSON.stringify(host), scopes: this.#scopes, ...(endedAt ? { endedAt } : {}) });
  }

  /** Throws ParseError where the file does not say that its scan came to its end. */
  checkEnd(): void {
    if (this.#finished === undefined) throw new ParseError("Nmap's end marker is missing.");
    if (!this.#finished) throw new ParseError("Nmap says at the file's end that its scan failed.");
  }

  /** Those that a target stands for, under its text: its own, or where the file does not have its name, the only host. Without a target, all. */
  pick(target: ParsedTarget | undefined): { chosen: HostGroup[]; others: HostGroup[] } {
    const all = [...this.#groups.values()];
    if (!target) return { chosen: all.map(present), others: [] };
    const isAddress = parseAddress(target.host) !== undefined;
    const own = all.filter(({ text, address }) => (isAddress ? address : text) === target.host);
    const isOnlyHost = own.length === 0 && !isAddress && new Set(all.map(({ address }) => address)).size === 1;
    const wanted = isOnlyHost ? all : own;
    const [first] = wanted;
    const chosen = first ? [present({ text: target.text, address: first.address, stored: wanted.flatMap(({ stored }) => stored) })] : [];
    return { chosen, others: all.filter((group) => !wanted.includes(group)).map(present) };
  }

  countStrange(tally: Tally): void {
    for (const { address, open } of this.#strange) {
      tally.read(open);
      if (open > 0) tally.leaveOut(describeStrange(address), open);
    }
  }

  /** Throws ParseError with why nothing of the file is told, where there is something in it. */
  explainNothing({ type, target }: ReadContext): void {
    if (target && this.pick(target).chosen.length === 0) throw new ParseError(`The file tells nothing of ${target.text}.`);
    const [strange] = this.#strange;
    if (this.#groups.size === 0 && strange) throw new ParseError(`The file has no host that can be a target, but results ${describeStrange(strange.address)}.`);
    if (this.#groups.size === 0) return;
    throw new ParseError(`The file is of no scan of ${isUdp(type) ? "UDP" : "TCP"} ports${this.#describeProtocols()}.`);
  }

  #describeProtocols(): string {
    if (this.#protocols.has("ip")) return ", but of a protocol scan (-sO), which tells of no ports";
    if (this.#protocols.has("udp")) return ": import it as NMAP_UDP";
    if (this.#protocols.has("tcp")) return ": import it as NMAP";
    return this.#protocols.has("sctp") ? ", but of SCTP, which no scan type is for" : "";
  }
}

const present = ({ text, address, stored }: StoredGroup): HostGroup => ({
  text,
  address,
  *entries() {
    for (const { host, endedAt, scopes } of stored) yield { host: { ...(JSON.parse(host) as NmapHost), ...(endedAt ? { endedAt } : {}) }, scopes };
  },
});

const describeStrange = (address: string): string => `of a host whose address cannot be a target: ${address === "" ? "it has none" : address.slice(0, 60)}`;

/** Of two scans of one protocol it is not known which one a host behind them is of: sure is what both looked at, as the one that tells less does it. */
function narrow(a: Scope, b: Scope): Scope {
  const services = formatPorts(intersectPorts(parsePorts(a.services) ?? [], parsePorts(b.services) ?? []));
  return { ...(telling.has(a.type) ? b : a), services };
}

/** Nmap's other ways to scan (`-sA`, `-sF`, …) do not tell an open port from a filtered or closed one: what they do not name as open is not known. */
export const telling = new Set(["syn", "connect", "udp"]);

/** The name that Nmap was told to scan stands for the target, and a scan of Periscan's of that name has the same one. */
function readName({ userName }: Pick<NmapHost, "userName">): string | undefined {
  const parsed = userName === undefined ? undefined : parseTarget(userName);
  return parsed?.ok && parsed.targets[0]?.kind === "name" ? parsed.targets[0].text : undefined;
}
