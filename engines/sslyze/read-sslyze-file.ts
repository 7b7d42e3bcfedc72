import { type ParsedTarget, parseAddress, parseTarget } from "@periscan/contract/target-syntax.ts";
import { ParseError, type ReadContext, type ReadOutcome } from "../kit/engine.ts";
import type { Tally } from "../kit/tally.ts";
import { joinPorts } from "./join-ports.ts";
import { clip } from "./port-look.ts";
import { type PortReport, type ReadPort, readReport, tellPorts } from "./read-outcome.ts";
import { type BrokenServer, readSslyzeJson } from "./read-sslyze-json.ts";
import type { ServerResult } from "./sslyze-schema.ts";

type Location = ServerResult["server_location"];

/** What a file says of one server. */
interface Entry {
  location: Location;
  report: PortReport;
}

/** A JSON file of SSLyze's. Its servers are ports of hosts: all ports of one host are one target, as in a scan of Periscan's. What is counted are the risks that it shows. */
export async function* readSslyzeFile(file: AsyncIterable<Uint8Array>, { target, tally }: ReadContext): AsyncIterable<ReadOutcome> {
  const broken: BrokenServer[] = [];
  const { servers, completedAt, invalid } = await readSslyzeJson(file, (each) => broken.push(each));
  if (servers.length === 0 && broken[0]) throw new ParseError(broken[0].message);
  const entries = [...servers.map(({ result }) => toEntry(result, completedAt)), ...broken.flatMap(toBrokenEntry)];
  countBroken(broken.length, tally);
  const hosts = Map.groupBy(entries, ({ location }) => nameTarget(location, target));
  const others = hosts.get(undefined) ?? [];
  hosts.delete(undefined);
  if (hosts.size === 0) throw new ParseError(explainNothing(others, target, invalid));
  for (const { location, report } of others)
    countOther(
      readReport(report),
      target ? `of other targets than ${target.text}` : `of a server that cannot be a target: ${clip(location.hostname, 60)}`,
      tally,
    );
  const notes = target ? [] : noteStrange(others);
  for (const [text, own] of hosts) {
    if (text === undefined) continue;
    const ports = own.map(({ report }) => readReport(report));
    const joined = joinPorts(ports);
    tally.read(countSightings(ports));
    tally.join(countSightings(ports) - countSightings(joined));
    const address = own.find(({ location }) => location.ip_address !== null)?.location.ip_address;
    yield { target: text, ...(address ? { address } : {}), observedAt: completedAt, outcome: tellPorts(joined, { notes }) };
  }
}

const countSightings = (ports: ReadPort[]): number => ports.reduce((sum, { look }) => sum + look.sightings.length, 0);

function countBroken(count: number, tally: Tally): void {
  tally.read(count);
  if (count > 0) tally.leaveOut("servers whose entry cannot be read", count);
}

function countOther(port: ReadPort, reason: string, tally: Tally): void {
  const count = countSightings([port]);
  tally.read(count);
  if (count > 0) tally.leaveOut(reason, count);
}

function explainNothing(others: Entry[], target: ParsedTarget | undefined, invalid: { message: string }[]): string {
  if (target) return `The file tells nothing of ${target.text}.`;
  if (others[0]) return `The file has no server that can be a target: ${clip(others[0].location.hostname, 100)}.`;
  return `The file has no server that was looked at${invalid[0] ? `: ${invalid[0].message.slice(0, 200)}` : ""}.`;
}

const toEntry = (result: ServerResult, at: Date): Entry => ({
  location: result.server_location,
  report: { kind: "read", port: result.server_location.port, result, facts: { at, profile: "none", mustSpeakHttp: false } },
});

const toBrokenEntry = ({ location, message }: BrokenServer): Entry[] =>
  location ? [{ location, report: { kind: "stopped", port: location.port, reason: `What the file says of it cannot be read. ${message}` } }] : [];

/** The target that a server is of; undefined where it is of none, or of another than the one that is asked for. */
function nameTarget(location: Location, target: ParsedTarget | undefined): string | undefined {
  if (target) return isOf(location, target) ? target.text : undefined;
  const parsed = parseTarget(location.hostname);
  return parsed.ok && parsed.targets.length === 1 ? parsed.targets[0]?.text : undefined;
}

function isOf({ hostname, ip_address, port }: Location, target: ParsedTarget): boolean {
  const isHost = hostname.toLowerCase() === target.host || parseAddress(hostname) === target.host || ip_address === target.host;
  return isHost && (!("port" in target) || target.port === port);
}

function noteStrange(entries: Entry[]): string[] {
  if (entries.length === 0) return [];
  const names = entries.slice(0, 5).map(({ location }) => clip(location.hostname, 100));
  return [`The file also has servers that cannot be targets, and they are left out: ${names.join(", ")}${entries.length > names.length ? ", …" : ""}.`];
}
