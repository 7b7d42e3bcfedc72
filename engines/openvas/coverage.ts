import { createHash } from "node:crypto";
import { z } from "zod";
import { countPorts, hasPort, maxPort, type PortRange, parsePorts } from "../kit/port-list.ts";

/**
 * Which tests ran. `set` is a digest of the ids of all tests of the feed: the same set, the same tests. The worker remembers which other sets
 * it has seen, and which of their tests this feed lacks, so `readCoverage` is exact for risks that one of them found.
 */
const Feed = z.object({
  name: z.string().max(200),
  version: z.string().regex(/^\d{12}$/),
  tests: z.int().min(1),
  origin: z.enum(["official", "user", "ours"]),
  set: z.string().regex(/^[0-9a-f]{16}$/),
  /** Sets whose tests are all in this feed, but for `dropped`. */
  includes: z.array(z.string()).max(100),
  /** Ids of tests of those sets that this feed lacks. */
  dropped: z.array(z.string().max(200)).max(500),
  /** The version from which on `dropped` has all that the feed lost. Absent in what was stored before: then it is not known. */
  since: z
    .string()
    .regex(/^\d{12}$/)
    .optional(),
});
export type FeedCoverage = z.infer<typeof Feed>;

/** What an outcome looked at on its host. */
export const Coverage = z.discriminatedUnion("source", [
  z.object({
    source: z.literal("scan"),
    /** Port ranges, such as `1-1024,8080`; empty for none. */
    tcp: z.string(),
    udp: z.string(),
    /** Those of them of which it is known what is there. Absent in what was stored before: then it is known of none. */
    sure: z.object({ tcp: z.string(), udp: z.string() }).optional(),
    /** Whether any port answered or any test hit. Where nothing did, a firewall may hide it all, and nothing is known of any. */
    answered: z.boolean(),
    feed: Feed,
    /** Keys of what was seen, but with less quality than `min_qod` asks for: it is still there. */
    below: z.array(z.string()).max(1000),
  }),
  // A report shows what was found, often filtered. What it does not show may still be there.
  z.object({ source: z.literal("report"), scopes: z.array(z.string()).max(100_000) }),
]);
export type Coverage = z.infer<typeof Coverage>;
export type ScanCoverage = Extract<Coverage, { source: "scan" }>;

/** `1.3.6.1.4.1.25623.1.0.10330:8080/tcp`: the same in every scan. */
export const keyOf = (oid: string, port: string): string => `${oid}:${port}`;

/**
 * The key, and what must hold for a scan that may call it gone: the feed that has the test, and for a result without a port the ports that
 * were looked at, for such a test goes by what it saw on them.
 */
export function scopeOf(oid: string, port: string, coverage: ScanCoverage): string {
  const { set, version, tests, origin, name } = coverage.feed;
  // Of UDP only what answered told the test anything, and the rest may never answer.
  const ports = isNumbered(port) ? "" : ` ports=${shorten(coverage.tcp)}+${shorten(coverage.sure?.udp ?? coverage.udp)}`;
  return `${keyOf(oid, port)}${ports} feed=${set}/${version}/${tests}/${origin}/${name}`;
}

/** A scope has room for short lists; a long one is known again by its digest. */
const shorten = (ports: string): string => (ports.length <= 100 ? ports : `#${createHash("sha256").update(ports).digest("hex").slice(0, 16)}`);

const scopePattern = /^(.+):([^:\s]{1,50})(?: ports=([\d,#a-f-]*)\+([\d,#a-f-]*))? feed=([0-9a-f]{16})\/(\d{12})\/(\d+)\/(official|user|ours)\/(.*)$/;

/** A service that the scanner saw: its scope has no test, for any look at the port shows it. */
const servicePattern = /^(\d{1,5})\/(tcp|udp)$/;

/** Whether this look would have seen what has a scope, if it were there. */
export function readCoverage(value: unknown): (scope: string) => boolean {
  const parsed = Coverage.safeParse(value);
  if (!parsed.success) return () => false;
  if (parsed.data.source === "scan") return readScan(parsed.data);
  const listed = new Set(parsed.data.scopes);
  return (scope) => listed.has(scope);
}

function readScan(coverage: ScanCoverage): (scope: string) => boolean {
  const { answered, sure } = coverage;
  if (!answered || !sure) return () => false;
  const looks = { tcp: readPorts(sure.tcp), udp: readPorts(sure.udp) };
  const below = new Set(coverage.below);
  return (scope) => {
    if (isNumbered(scope)) return coversPort(looks, scope);
    const match = scopePattern.exec(scope);
    if (!match) return false;
    const [, oid = "", port = "", tcp = "", udp = "", set = "", version = "", tests, , name] = match;
    if (below.has(keyOf(oid, port))) return false;
    const looked = isNumbered(port) ? coversPort(looks, port) : coversAll(looks.tcp, tcp) && coversAll(looks.udp, udp);
    return looked && hasTest(coverage.feed, { oid, set, version, tests: Number(tests), name: name ?? "" });
  };
}

interface FoundBy {
  oid: string;
  set: string;
  version: string;
  tests: number;
  name: string;
}

/**
 * Exact where this worker has seen the set that found it; else only where the feed is Greenbone's of the same name, as new and as large: it only
 * grows, but for what it is known to have lost.
 */
function hasTest(feed: FeedCoverage, found: FoundBy): boolean {
  if (feed.dropped.includes(found.oid)) return false;
  if (feed.set === found.set || feed.includes.includes(found.set)) return true;
  if (feed.since === undefined || found.version < feed.since) return false;
  return feed.origin === "official" && feed.name === found.name && feed.version >= found.version && feed.tests >= found.tests;
}

const isNumbered = (port: string): boolean => servicePattern.test(port);

const rangesOf = (ports: string): PortRange[] => (ports === "" ? [] : (parsePorts(ports) ?? []));

interface PortsLooked {
  ranges: PortRange[];
  /** As `shorten` writes them. */
  short: string;
}

const readPorts = (ports: string): PortsLooked => ({ ranges: rangesOf(ports), short: shorten(ports) });

/** Whether all ports of a list, as `shorten` writes it, were looked at. */
function coversAll({ ranges, short }: PortsLooked, wanted: string): boolean {
  if (wanted.startsWith("#")) return countPorts(ranges) === maxPort || short === wanted;
  return rangesOf(wanted).every(([low, high]) => ranges.some((range) => range[0] <= low && high <= range[1]));
}

function coversPort({ tcp, udp }: Record<"tcp" | "udp", PortsLooked>, port: string): boolean {
  const [number, protocol] = port.split("/");
  return hasPort((protocol === "udp" ? udp : tcp).ranges, Number(number));
}

/** The coverage in words, such as `All 65,535 TCP ports with 98,123 tests of Greenbone Community Feed 202511240712`. */
export function describeCoverage(value: unknown): string {
  const parsed = Coverage.safeParse(value);
  if (!parsed.success) return "";
  const coverage = parsed.data;
  if (coverage.source === "report") return "What the imported report lists";
  const { tcp, udp, sure, feed } = coverage;
  const ports = [describePorts("TCP", tcp, sure?.tcp), describePorts("UDP", udp, sure?.udp)].filter((text) => text !== "").join(" and ");
  return `${ports} with ${feed.tests.toLocaleString("en")} tests of ${feed.name} ${feed.version}`;
}

function describePorts(name: string, ports: string, sure: string | undefined): string {
  const ranges = rangesOf(ports);
  const count = countPorts(ranges);
  if (count === 0) return "";
  const doubt = sure === "" ? " (no sure answer)" : "";
  if (count === maxPort) return `All ${count.toLocaleString("en")} ${name} ports${doubt}`;
  if (ranges.length > 6) return `${count.toLocaleString("en")} ${name} ports${doubt}`;
  return `${name} port${count === 1 ? "" : "s"} ${ports.replaceAll(",", ", ")}${doubt}`;
}
