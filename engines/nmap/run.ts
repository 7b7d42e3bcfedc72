import { isIPv6 } from "node:net";
import { EngineError, type EngineEvent, type EngineTask, ParseError, type PinnedTarget, type RunContext } from "../kit/engine.ts";
import { findEngineProgram } from "../kit/find-program.ts";
import { makeHome } from "../kit/run-folder.ts";
import { type EngineProcess, startProcess } from "../kit/start-process.ts";
import { findPrivilege, rawSocketsMissing } from "./install.ts";
import { isUdp, type NmapOptions } from "./options.ts";
import { type NmapEvent, type NmapHost, readNmapXml } from "./read-nmap-xml.ts";
import { isSilentWhereKnown, joinLooks, type RunFacts, readOutcome } from "./read-outcome.ts";

/** One Nmap for the task's IPv4 addresses, then one for its IPv6 addresses. */
export async function* runNmap(task: EngineTask, context: RunContext): AsyncIterable<EngineEvent> {
  const families = [task.targets.filter(({ address }) => !isIPv6(address)), task.targets.filter(({ address }) => isIPv6(address))].filter(
    ({ length }) => length > 0,
  );
  let before = 0;
  for (const targets of families) {
    const share = targets.length / task.targets.length;
    for await (const event of runFamily(task, targets, context)) {
      yield event.kind === "progress" ? { kind: "progress", fraction: before + share * event.fraction } : event;
    }
    before += share;
  }
}

/** Hosts that were silent where something is known to be are looked at once more, whole. */
async function* runFamily(task: EngineTask, targets: PinnedTarget[], context: RunContext): AsyncIterable<EngineEvent> {
  const silent = yield* look(task, targets, context);
  if (silent.size === 0) return;
  const again = targets.filter(({ address }) => silent.has(address));
  context.log("nmap looks once more", { targets: again.length });
  for await (const event of look(task, again, context, silent)) if (event.kind === "outcome") yield event;
}

/** Hosts that were silent where something is known to be, by address. */
type Silent = Map<string, NmapHost>;

/** One Nmap over these targets. Answers the hosts to look at once more, of which it yields no outcome; a second look, at those of `before`, has none. */
async function* look(task: EngineTask, targets: PinnedTarget[], context: RunContext, before?: Silent): AsyncGenerator<EngineEvent, Silent> {
  const file = findEngineProgram("nmap");
  if (!file) throw new EngineError("engine.missing", "Nmap is not installed. `./periscan engines install nmap` installs it.", { retry: true });
  const privilege = findPrivilege();
  if (isUdp(task.type) && !privilege.raw) throw new EngineError("engine.no_raw_sockets", rawSocketsMissing, { retry: false });
  const options = task.options as NmapOptions;
  const byAddress = Map.groupBy(targets, ({ address }) => address);
  const args = buildArguments({ task, options, addresses: [...byAddress.keys()], packetsPerSecond: context.limits.packetsPerSecond, privilege });
  context.log("nmap starts", { args });
  const { memoryBytes, outputBytes } = context.limits;
  const [home, privileges] = [makeHome(context.folder), privilege.raw ? ("raw" as const) : ("none" as const)];
  const nmap = startProcess({ title: "Nmap", file, args, home, privileges, memoryBytes, outputBytes, signal: context.signal });
  const run: RunFacts = { type: task.type, options, ports: "", usesConnect: !privilege.raw };
  const reading = new Reading(run, byAddress, before);
  try {
    for await (const event of readNmapXml(nmap.output)) yield* reading.take(event);
  } catch (error) {
    context.signal.throwIfAborted();
    if (!(error instanceof ParseError)) throw error;
    throw await explainEnd(nmap, error);
  }
  const end = await nmap.ended;
  if (!reading.succeeded || end.exitCode !== 0) throw await explainEnd(nmap);
  return reading.silent;
}

interface Arguments {
  task: EngineTask;
  options: NmapOptions;
  addresses: string[];
  packetsPerSecond: number;
  privilege: ReturnType<typeof findPrivilege>;
}

/** Probes beyond Nmap's four, so that a host which drops pings is found by a port that it serves. */
const discoveryPorts = "21-23,25,53,80,110,111,135,139,143,389,443,445,465,587,993,995,1433,1723,3306,3389,5432,5900,6379,8000,8080,8443";

/** Exported for the bench, which compares with a plain Nmap of the same flags. */
export function buildArguments({ task, options, addresses, packetsPerSecond, privilege }: Arguments): string[] {
  const udp = isUdp(task.type);
  const ipv6 = isIPv6(addresses[0] ?? "");
  return [
    ...(privilege.flag === undefined ? [] : [privilege.flag]),
    ...(ipv6 ? ["-6"] : []),
    "-n",
    udp ? "-sU" : privilege.raw ? "-sS" : "-sT",
    ...(options.service_detection ? ["-sV"] : []),
    ...(options.host_discovery ? buildDiscovery({ raw: privilege.raw, ipv6 }) : ["-Pn"]),
    `-T${options.timing}`,
    ...(options.ports !== undefined ? ["-p", options.ports] : udp ? ["--top-ports", "1000"] : ["-p", "1-65535"]),
    "--host-timeout",
    `${options.host_timeout_minutes}m`,
    ...(Number.isFinite(packetsPerSecond) ? ["--max-rate", `${Math.max(1, Math.floor(packetsPerSecond))}`] : []),
    "-v",
    "--stats-every",
    "1s",
    "-oX",
    "-",
    "--",
    ...addresses,
  ];
}

/** IPv6 has no timestamp ping (`-PP`): Nmap refuses to start with it. */
function buildDiscovery({ raw, ipv6 }: { raw: boolean; ipv6: boolean }): string[] {
  if (!raw) return [`-PS${discoveryPorts}`];
  return ["-PE", ...(ipv6 ? [] : ["-PP"]), `-PS${discoveryPorts}`, "-PA80,443"];
}

/** The parts of a scan's time that Nmap's phases take, for a progress that moves evenly. A phase that is not here adds nothing. */
function listPhases({ service_detection }: Pick<NmapOptions, "service_detection">): [name: RegExp, from: number, to: number][] {
  const scanned = service_detection ? 0.5 : 0.98;
  return [
    [/^(Ping Scan|ARP Ping Scan)/, 0, 0.05],
    [/^(SYN Stealth Scan|Connect Scan|UDP Scan)/, 0.05, scanned],
    [/^Service scan/, scanned, 0.98],
  ];
}

/** Turns Nmap's events into the engine's. Hosts come in groups, each with phases of its own, so progress counts the hosts that are done first. */
class Reading {
  succeeded = false;
  readonly run: RunFacts;
  readonly targets: Map<string, PinnedTarget[]>;
  readonly count: number;
  /** What the first look saw, where this is the second. */
  readonly before: Silent | undefined;
  readonly silent: Silent = new Map();
  #done = 0;
  #fraction = 0;

  constructor(run: RunFacts, targets: Map<string, PinnedTarget[]>, before: Silent | undefined) {
    this.run = run;
    this.targets = targets;
    this.before = before;
    this.count = targets.size;
  }

  *take(event: NmapEvent): Iterable<EngineEvent> {
    if (event.kind === "scope") this.run.ports = event.services;
    else if (event.kind === "finished") this.succeeded = event.succeeded;
    else if (event.kind === "phase") yield this.#advance(event.name, event.fraction);
    else if (event.kind === "host") yield* this.#takeHost(event);
  }

  #advance(name: string, fraction: number): EngineEvent {
    const [, from, to] = listPhases(this.run.options).find(([pattern]) => pattern.test(name)) ?? [undefined, 0, 0];
    const done = this.#done / this.count;
    this.#fraction = Math.max(this.#fraction, done + (1 - done) * (from + (to - from) * fraction));
    return { kind: "progress", fraction: this.#fraction };
  }

  *#takeHost({ host, native }: Extract<NmapEvent, { kind: "host" }>): Iterable<EngineEvent> {
    const targets = this.targets.get(host.address) ?? [];
    // Once: a second host element of one address would be a second outcome.
    if (this.targets.delete(host.address)) this.#done += 1;
    if (!this.before && targets.some(({ known }) => isSilentWhereKnown(host, this.run, known))) {
      this.silent.set(host.address, host);
      return;
    }
    const first = this.before?.get(host.address);
    const outcome = first ? joinLooks(first, host, this.run) : readOutcome(host, this.run);
    for (const { targetId } of targets) yield { kind: "outcome", targetId, outcome, native: Buffer.from(native) };
  }
}

/** Why Nmap's output ended early, for the user. */
async function explainEnd(nmap: EngineProcess, cause?: ParseError): Promise<EngineError> {
  const { exitCode, signal, errorText } = await nmap.ended;
  const said = errorText.trim().split("\n").slice(-2).join(" ").slice(-500);
  const tail = said === "" ? "" : ` It said: ${said}`;
  const details = { retry: true, ...(cause ? { cause } : {}) };
  if (signal) return new EngineError("engine.killed", `Nmap was killed (${signal}) before it had finished.${tail}`, details);
  if (exitCode !== 0) return new EngineError("engine.failed", `Nmap stopped with exit code ${exitCode} before it had finished.${tail}`, details);
  return new EngineError("engine.output_cut", `Nmap's output is not whole: ${cause?.message ?? "its end marker is missing."}${tail}`, details);
}
