import type { Observation, Outcome } from "@periscan/contract/outcome.ts";
import { type FeedCoverage, type ScanCoverage, scopeOf } from "./coverage.ts";
import { formatList, isNumbered, type JudgedPorts, judgePorts } from "./judge-ports.ts";
import type { SecondLook } from "./look-again.ts";
import type { OpenvasOptions } from "./options.ts";
import { isSight, type ScanResult, type TestFacts } from "./read-answers.ts";
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
  /** The look at the host's ports after its end; absent where there was none, and then it is of no port known what is there. */
  look?: SecondLook;
  /** What went wrong with the scan as a whole while this host was scanned. */
  errors: string[];
  notes: string[];
}

/** What one host of a scan tells of its target. Complete only where the scanner said that it is done with it and no test failed. */
export function readOutcome(host: HostReport, run: RunFacts): Outcome {
  const { options, notes } = run;
  const refused = host.results.find(({ oid, text }) => oid === "" && /^Host (dead|access denied)\b/.test(text));
  if (refused || (!host.started && !run.cutShort)) return unreachable(describeDead(options, refused), notes);
  const seen = host.results.filter(isSight);
  const answered = seen.some(({ type, port }) => type === "alarm" || isNumbered(port));
  const ports = judgePorts(seen, options, run.look);
  if (!answered && ports.missed.length === 0 && options.alive_test === "consider_alive" && !run.cutShort)
    return unreachable("It was taken for alive, but no port answered and no test hit: nothing shows that a host is there.", notes);
  const { tcp, udp, sure } = ports;
  const coverage: ScanCoverage = { source: "scan", tcp, udp, sure, answered, feed: run.feed, below: [] };
  const alarms = seen.filter(({ type }) => type === "alarm");
  const { detections, below, problems } = readDetections(alarms, {
    tests: run.tests,
    minQod: options.min_qod,
    scopeOf: (oid, port) => scopeOf(oid, port, coverage),
  });
  coverage.below = below.slice(0, mostBelow);
  const reasons = [...(run.cutShort ? [run.cutShort] : []), ...describeScan(host, run), ...describePorts(ports, run), ...describeGaps(host, below, problems)];
  const outcome = { notes: [...notes, ...notePorts(ports, run), ...noteBelow(below, options)], coverage, detections, observations: readServices(seen) };
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

const vanishedReason =
  "The host stopped answering during the scan: none of its ports that were open at first was open at the end, so tests may have seen nothing. It may have gone down, or shut this scanner out. Scan it again.";

/** What was wrong with the ports, so that the host was not looked at completely. */
function describePorts({ sawTcp, steady, missed }: JudgedPorts, { look }: RunFacts): string[] {
  const reasons: string[] = [];
  if (look && sawTcp && steady.length === 0) reasons.push(vanishedReason);
  if (missed.length > 0)
    reasons.push(
      `The scan did not see ${listPorts(missed)}, known from before, though ${missed.length === 1 ? "it is" : "they are"} open: no test looked there. The network may have stood still for a moment. Scan it again.`,
    );
  return reasons;
}

function notePorts({ sawTcp, udp, sure, steady, lost, unasked }: JudgedPorts, { look, cutShort }: RunFacts): string[] {
  if (!sawTcp) {
    const which = sure.udp === "" ? "port" : "TCP port";
    return [`The host is up, but no scanned ${which} answered. A firewall may be hiding services from this scanner, so risks that were seen before stay open.`];
  }
  const notes: string[] = [];
  if (!look && !cutShort)
    notes.push("The feed has no test that tells of open ports, so none was looked at again after the scan, and risks of TCP ports stay open.");
  if (look && steady.length > 0 && lost.length > 0)
    notes.push(`Open at first and not at the end: ${listPorts(lost)}. Tests may have seen nothing there, so risks that were seen there before stay open.`);
  if (look && unasked.length > 0)
    notes.push(
      `${unasked.length} of the open TCP ports ${unasked.length === 1 ? "was" : "were"} not looked at again after the scan, so risks that were seen there before stay open.`,
    );
  if (udp !== sure.udp) notes.push("UDP ports that did not answer may be open or filtered, so risks that were seen there before stay open.");
  return notes;
}

const listPorts = (ports: number[]): string => `TCP port${ports.length === 1 ? "" : "s"} ${clip(formatList(ports).replaceAll(",", ", "), 300)}`;

const noteBelow = ({ length }: string[], { min_qod }: OpenvasOptions): string[] =>
  length === 0
    ? []
    : [
        `${length} result${length === 1 ? " has" : "s have"} a quality of detection below ${min_qod} % and ${length === 1 ? "is" : "are"} no risk here; the option min_qod changes that.`,
      ];

/** Each port of which a test told something is open. What the service tests of Greenbone's feed write tells HTTP and TLS. */
export function readServices(seen: ScanResult[]): Observation[] {
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
