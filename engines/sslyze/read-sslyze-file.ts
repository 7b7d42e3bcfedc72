import { parseAddress, parseTarget } from "@periscan/contract/target-syntax.ts";
import { ParseError, type ReadContext, type ReadOutcome } from "../kit/engine.ts";
import { type PortReport, readOutcome } from "./read-outcome.ts";
import { readSslyzeJson } from "./read-sslyze-json.ts";
import type { ServerResult } from "./sslyze-schema.ts";

/** A JSON file of SSLyze's. Its servers are ports of hosts: all ports of one host are one target, as in a scan of Periscan's. */
export async function* readSslyzeFile(file: AsyncIterable<Uint8Array>, { target }: ReadContext): AsyncIterable<ReadOutcome> {
  const { servers, completedAt, invalid } = await readSslyzeJson(file);
  const wanted = servers.map(({ result }) => result).filter((result) => target === undefined || isOf(result, target));
  if (wanted.length === 0)
    throw new ParseError(target ? `The file tells nothing of ${target.text}.` : `The file has no server that was looked at${describeInvalid(invalid)}.`);
  const hosts = Map.groupBy(wanted, (result) => target?.text ?? nameServer(result));
  for (const [text, results] of hosts) {
    const ports = new Set<number>();
    for (const { server_location } of results) {
      if (ports.has(server_location.port)) throw new ParseError(`The file has the port ${server_location.port} of ${text} twice.`);
      ports.add(server_location.port);
    }
    const address = results[0]?.server_location.ip_address;
    const outcome = readOutcome(results.map((result) => toReport(result, completedAt)));
    yield { target: text, ...(address ? { address } : {}), observedAt: completedAt, outcome };
  }
}

const describeInvalid = (invalid: { server: string; message: string }[]): string => (invalid[0] ? `: ${invalid[0].message.slice(0, 200)}` : "");

const toReport = (result: ServerResult, at: Date): PortReport => ({
  kind: "read",
  port: result.server_location.port,
  result,
  facts: { at, profile: "none", mustSpeakHttp: false },
});

function isOf({ server_location: { hostname, ip_address, port } }: ServerResult, target: NonNullable<ReadContext["target"]>): boolean {
  const isHost = hostname.toLowerCase() === target.host || parseAddress(hostname) === target.host || ip_address === target.host;
  return isHost && (!("port" in target) || target.port === port);
}

function nameServer({ server_location: { hostname } }: ServerResult): string {
  const parsed = parseTarget(hostname);
  const [one, ...more] = parsed.ok ? parsed.targets : [];
  if (!one || more.length > 0) throw new ParseError(`The file has a server that cannot be a target: ${hostname.slice(0, 100)}.`);
  return one.text;
}
