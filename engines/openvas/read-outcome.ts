import type { Observation, Outcome } from "@periscan/contract/outcome.ts";
import { formatPorts, parsePorts } from "../kit/port-list.ts";
import { type FeedCoverage, type ScanCoverage, scopeOf } from "./coverage.ts";
import type { OpenvasOptions } from "./options.ts";
import type { ScanResult, TestFacts } from "./read-answers.ts";
import { clip, readDetections } from "./read-detections.ts";

/** What a scan told of one host. */
export interface HostReport {
  address: string;
  /** The scanner said that it began with this host, and that it is done with it. */
  started: boolean;
  ended: boolean;
  results: ScanResult[];
  /** There was more than is kept. */
  cut: boolean;
}

export interface RunFacts {
  options: OpenvasOptions;
  feed: FeedCoverage;
  tests: ReadonlyMap<string, TestFacts>;
  /** Why the host's end was not waited for; then its outcome cannot be complete. */
  cutShort?: string;
  /** What went wrong with the scan as a whole while this host was scanned. */
  errors: string[];
  notes: string[];
}

/** What one host of a scan tells of its target. Complete only where the scanner said that it is done with it and no test failed. */
export function readOutcome(host: HostReport, run: RunFacts): Outcome {
  const { options, notes } = run;
  const refused = host.results.find(({ oid, text }) => oid === "" && /^Host (dead|access denied)\b/.test(text));
  if (refused || (!host.started && !run.cutShort)) return unreachable(describeDead(options, refused), notes);
  const seen = host.results.filter(({ type, oid }) => (type === "alarm" || type === "log") && oid !== "");
  const answered = seen.some(({ type, port }) => type === "alarm" || isNumbered(port));
  if (!answered && options.alive_test === "consider_alive" && !run.cutShort)
    return unreachable("It was taken for alive, but no port answered and no test hit: nothing shows that a host is there.", notes);
  const coverage = readCoverage(seen, answered, run);
  const alarms = seen.filter(({ type }) => type === "alarm");
  const { detections, below, problems } = readDetections(alarms, {
    tests: run.tests,
    minQod: options.min_qod,
    scopeOf: (oid, port) => scopeOf(oid, port, coverage),
  });
  coverage.below = below.slice(0, mostBelow);
  const reasons = [...(run.cutShort ? [run.cutShort] : []), ...describeScan(host, run), ...describeGaps(host, below, problems)];
  const outcome = { notes: [...notes, ...describeNotes(answered, below, options)], coverage, detections, observations: readServices(seen) };
  return reasons.length === 0 ? { kind: "complete", ...outcome } : { kind: "partial", reason: clip(reasons.join(" "), 2000), ...outcome };
}

const mostBelow = 1000;

const unreachable = (reason: string, notes: string[]): Outcome => ({ kind: "unreachable", reason, notes, detections: [] });

const aliveWords: Record<OpenvasOptions["alive_test"], string> = {
  ping: "neither to ICMP echo nor on common TCP ports",
  icmp: "to ICMP echo",
  tcp: "on common TCP ports",
  arp: "to ARP",
  consider_alive: "",
};

function describeDead({ alive_test }: OpenvasOptions, refused: ScanResult | undefined): string {
  if (refused?.text.startsWith("Host access denied")) return "The scanner's own configuration (hosts_allow, hosts_deny) refuses this host.";
  if (alive_test === "consider_alive") return "The scanner did not look at this host.";
  const how = aliveWords[alive_test];
  return `It did not answer ${how.startsWith("neither") ? `, ${how}` : how}. If a host is there and drops such probes, scan it with the option alive_test=consider_alive.`.replace(
    " ,",
    ",",
  );
}

const isNumbered = (port: string): boolean => /^\d+\/(tcp|udp)$/.test(port);

/** The ports that were asked for, and those on which a test reported though nobody asked. */
function readCoverage(seen: ScanResult[], answered: boolean, { options, feed }: RunFacts): ScanCoverage {
  const ports = (protocol: string, asked: string) => {
    const reported = seen.filter(({ port }) => port.endsWith(`/${protocol}`) && isNumbered(port)).map(({ port }) => port.split("/")[0] ?? "");
    const all = [...(asked === "" ? [] : [asked]), ...new Set(reported)];
    return all.length === 0 ? "" : formatPorts(parsePorts(all.join(",")) ?? parsePorts(asked) ?? []);
  };
  return { source: "scan", tcp: ports("tcp", options.ports), udp: ports("udp", options.udp_ports ?? ""), answered, feed, below: [] };
}

/** A scanner without an MQTT broker says so with each scan. Only tests that log in to a host need one. */
const harmless = /^MQTT initialization failed/;

function describeScan(host: HostReport, { errors, cutShort }: RunFacts): string[] {
  const serious = errors.filter((text) => !harmless.test(text));
  return [
    ...(host.ended || cutShort ? [] : ["The scanner did not say that it is done with this host."]),
    ...(serious.length > 0 ? [`The scanner reported an error of the whole scan: ${clip(serious.join("; "), 500)}`] : []),
  ];
}

/** What keeps the outcome from being complete. */
function describeGaps(host: HostReport, below: string[], problems: string[]): string[] {
  const gaps = [...problems.slice(0, 5)];
  if (problems.length > 5) gaps.push(`${problems.length - 5} more results could not be read.`);
  if (host.cut) gaps.push("The scanner reported more on this host than is kept; see it in the scanner's own log.");
  if (below.length > mostBelow) gaps.push("Very many results were below min_qod; lower that option to see them.");
  const errors = host.results.filter(({ type }) => type === "error");
  if (errors.length > 0) gaps.push(describeErrors(errors));
  return gaps;
}

function describeErrors(errors: ScanResult[]): string {
  const lines = [
    ...new Set(
      errors.map(
        ({ name, oid, port, text }) => `${name || oid || "The scan"}${port && isNumbered(port) ? ` on ${port}` : ""}: ${clip(text.replace(/\.$/, ""), 150)}`,
      ),
    ),
  ];
  const more = lines.length > 8 ? ` and ${lines.length - 8} more` : "";
  const tests = `${errors.length} test${errors.length === 1 ? "" : "s"}`;
  return `${tests} did not come to an end, so this host was not looked at completely: ${lines.slice(0, 8).join("; ")}${more}. Where they ran out of time, raise options.test_timeout_seconds.`;
}

function describeNotes(answered: boolean, below: string[], { min_qod }: OpenvasOptions): string[] {
  const notes: string[] = [];
  if (!answered)
    notes.push("The host is up, but no scanned port answered. A firewall may be hiding services from this scanner, so risks that were seen before stay open.");
  if (below.length > 0)
    notes.push(
      `${below.length} result${below.length === 1 ? " has" : "s have"} a quality of detection below ${min_qod} % and ${below.length === 1 ? "is" : "are"} no risk here; the option min_qod changes that.`,
    );
  return notes;
}

/** Each port of which a test told something is open. What the service tests of Greenbone's feed write tells HTTP and TLS. */
function readServices(seen: ScanResult[]): Observation[] {
  const byPort = Map.groupBy(
    seen.filter(({ port }) => isNumbered(port)),
    ({ port }) => port,
  );
  return [...byPort].map(([scope, results]) => {
    const [number, protocol] = scope.split("/");
    const texts = results.map(({ text }) => text);
    const isWeb = texts.some((text) => /^A web server is running on this port/.test(text) || /^HTTP service on TCP port/.test(text));
    return {
      kind: "service" as const,
      key: scope,
      scope,
      protocol: protocol as "tcp" | "udp",
      port: Number(number),
      tls: texts.some((text) => /^A (TLS|SSL)\w* server answered on this port/.test(text) || /^A web server is running on this port through SSL/.test(text)),
      ...(isWeb ? { name: "http" } : {}),
      cpe: [],
    };
  });
}
