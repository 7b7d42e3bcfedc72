import { setTimeout as sleep } from "node:timers/promises";
import type { Outcome } from "@periscan/contract/outcome.ts";
import { EngineError, type EngineEvent, type EngineTask, type PinnedTarget, type RunContext } from "../kit/engine.ts";
import { type ScopeProxy, startScopeProxy } from "../kit/scope-proxy.ts";
import { askStarts } from "./ask-start.ts";
import { describeSpared } from "./describe-outcome.ts";
import { findServices, forEachAtOnce, knock, type PortState, type Services } from "./find-services.ts";
import { findTemplates, selectTemplates, type Template, type TemplateSet } from "./find-templates.ts";
import { describeEmpty, findNuclei, type Nuclei, nucleiMissing } from "./install.ts";
import { listStarts } from "./list-starts.ts";
import { describeOverload, startLoadMeter } from "./measure-load.ts";
import { listUdp } from "./name-services.ts";
import type { NucleiOptions } from "./options.ts";
import { readOutcome, type SiteAnswers, type TargetFacts } from "./read-outcome.ts";
import { type FinishedRun, runProcess } from "./run-process.ts";
import { startScopeResolver } from "./scope-resolver.ts";

export interface Scan {
  nuclei: Nuclei;
  set: TemplateSet;
  selected: Map<string, Template>;
  options: NucleiOptions;
  context: RunContext;
}

/** One target after the other, each with a Nuclei of its own: what it says is then of that target, and kept as soon as it is known. */
export async function* runNuclei(task: EngineTask, context: RunContext): AsyncIterable<EngineEvent> {
  const nuclei = await findNuclei(context.enginesFolder);
  if (!nuclei) throw new EngineError("engine.missing", nucleiMissing, { retry: true });
  const options = task.options as NucleiOptions;
  const set = findTemplates();
  if (set.templates.size === 0) throw new EngineError("engine.content_empty", describeEmpty(set), { retry: false });
  const selected = selectTemplates(set, options);
  if (selected.size === 0)
    throw new EngineError("engine.content_empty", `None of the ${set.templates.size} templates of ${set.name} is chosen by the scan's options.`, {
      retry: false,
    });
  const scan: Scan = { nuclei, set, selected, options, context };
  for (const [index, pin] of task.targets.entries()) {
    for await (const event of scanTarget(pin, scan)) {
      yield event.kind === "progress" ? { kind: "progress", fraction: (index + event.fraction) / task.targets.length } : event;
    }
    yield { kind: "progress", fraction: (index + 1) / task.targets.length };
  }
}

async function* scanTarget(pin: PinnedTarget, scan: Scan): AsyncIterable<EngineEvent> {
  const { options, selected, context } = scan;
  const networkPorts = options.protocols.includes("tcp") ? [...new Set([...selected.values()].flatMap(({ ports }) => ports))] : [];
  const services = await findServices(pin, networkPorts.slice(0, 500), context.signal);
  if (services.sites.length + services.ports.length === 0) {
    yield tell(pin, { ...describeNothing(pin, services), notes: [], detections: [] });
    return;
  }
  const { host, kind } = pin.target;
  const own = "port" in pin.target ? pin.target.port : undefined;
  const settings = { host, address: pin.address, connectSeconds: options.timeout_seconds, allows: (port: number) => own === undefined || port === own };
  await using proxy = disposable(await startScopeProxy(settings));
  await using resolver = disposable(await startScopeResolver({ host, address: pin.address }));
  const runs: FinishedRun[] = [];
  const starts = listStarts({ pin, services, scan, proxyUrl: proxy.url, resolver: resolver.address });
  if (starts.length === 0) {
    yield tell(pin, { kind: "skipped", reason: describeUnfit(services), notes: [], detections: [] });
    return;
  }
  const sites = starts.flatMap(({ start }) => (start.protocols.includes("http") ? start.targets : []));
  const asking = { seconds: options.timeout_seconds, signal: context.signal };
  const before = await askStarts(pin, sites, asking);
  using meter = disposeBy(startLoadMeter());
  const watch = makeWatch(options, { proxy, findOverload: () => describeOverload(meter.read(), options.timeout_seconds) });
  for (const [index, { start, chosen, watchesSilence }] of starts.entries()) {
    const running = runProcess({ nuclei: scan.nuclei, start, chosen, context, onLook: meter.look, whyStop: () => watch(watchesSilence) });
    for (let step = await running.next(); ; step = await running.next()) {
      if (step.done) {
        runs.push(step.value);
        break;
      }
      yield { kind: "progress", fraction: (index + step.value) / starts.length };
    }
    if (runs.at(-1)?.cut !== undefined) break;
  }
  if (runs.every(({ loaded, cut }) => loaded === 0 && cut === undefined))
    throw new EngineError("engine.content_empty", `Nuclei could use none of the ${selected.size} chosen templates of ${scan.set.name} on this ${kind}.`, {
      retry: false,
    });
  const planned = starts.flatMap(({ places }) => places);
  const after = await askStarts(pin, sites, { ...asking, before });
  const answers = sites.map((site) => ({ site, before: before.get(site), after: after.get(site) }));
  const overload = describeOverload(meter.read(), options.timeout_seconds);
  const facts = { ...(await conclude({ pin, services, scan, proxy, answers })), runs, planned, overload };
  yield tell(pin, readOutcome(facts), runs.flatMap((run) => run.native).join("\n"));
}

const tell = ({ targetId }: PinnedTarget, outcome: Outcome, native = ""): EngineEvent => ({
  ...{ kind: "outcome", targetId, outcome },
  ...(native === "" ? {} : { native: Buffer.from(native) }),
});

const disposable = <T extends { close(): Promise<void> }>(thing: T): T & AsyncDisposable =>
  Object.assign(thing, { [Symbol.asyncDispose]: () => thing.close() });

const disposeBy = <T extends { stop(): void }>(thing: T): T & Disposable => Object.assign(thing, { [Symbol.dispose]: () => thing.stop() });

function describeNothing(pin: PinnedTarget, services: Services): Pick<Outcome, "kind" | "reason"> {
  const { spared, unclear } = services;
  if (spared.length > 0 && unclear.length === 0) return { kind: "skipped", reason: describeSpared(spared) };
  return { kind: "unreachable", reason: describeUnreachable(pin, services) };
}

function describeUnreachable({ target, address }: PinnedTarget, { closed, silent, unclear }: Services): string {
  const at = `${target.host === address ? "" : `${target.host} at `}${address}`;
  if (unclear.length > 0) return `${at} wants TLS on TCP port ${list(unclear)}, and no site answered there. Scan it again.`;
  if (closed.length === 0) return `${at} did not answer on TCP port ${list(silent)}.`;
  if (silent.length === 0) return `${at} accepts no connection on TCP port ${list(closed)}.`;
  return `${at} has none of the looked-at ports open: ${closed.length} refused a connection, ${silent.length} did not answer. Where its sites are on other ports, name them as host:port, or scan its ports first.`;
}

const describeUnfit = ({ sites, ports }: Services): string =>
  `None of the chosen templates is for what is open there: ${[...sites, ...ports.map((port) => `TCP port ${port}`)].join(", ")}. Look at options.protocols.`.slice(
    0,
    2000,
  );

const list = (ports: number[]): string => `${ports.slice(0, 10).join(", ")}${ports.length > 10 ? " …" : ""}`;

const mostSilentInRow = 40;

/** Nuclei itself would wait for every single answer, or skip the host without a word. */
function makeWatch(
  { target_timeout_minutes, timeout_seconds }: NucleiOptions,
  { proxy, findOverload }: { proxy: ScopeProxy; findOverload(): string | undefined },
): (watchesSilence: boolean) => string | undefined {
  const end = performance.now() + target_timeout_minutes * 60_000;
  return (watchesSilence) => {
    if (performance.now() > end)
      return `The time for one target (${target_timeout_minutes} minutes) was over before every template had run. Raise options.target_timeout_minutes, or choose fewer templates.`;
    if (watchesSilence && proxy.silentInRow() >= mostSilentInRow)
      return `It stopped answering: ${mostSilentInRow} requests in a row got nothing within ${timeout_seconds} seconds. ${findOverload() ?? "Scan again later, with a smaller options.rate_limit."}`;
    return undefined;
  };
}

const soonSeconds = 1;

/** Looks once more whether what was scanned is still there, and counts what stayed mute. */
async function conclude({
  pin,
  services,
  scan,
  proxy,
  answers,
}: {
  pin: PinnedTarget;
  services: Services;
  scan: Scan;
  proxy: ScopeProxy;
  answers: SiteAnswers[];
}): Promise<Omit<TargetFacts, "runs" | "planned" | "overload">> {
  const { context, set, selected } = scan;
  const scanned = [...new Set([...services.ports, ...services.sites.map((site) => Number(new URL(site).port) || (site.startsWith("https") ? 443 : 80))])];
  const gone: number[] = [];
  for (const port of scanned) {
    if ((await knock(pin.address, port, context.signal)) === "open") continue;
    // A full queue of connections empties within a moment.
    await sleep(soonSeconds * 1000, undefined, { signal: context.signal });
    if ((await knock(pin.address, port, context.signal)) !== "open") gone.push(port);
  }
  const states = new Map<number, PortState>();
  await forEachAtOnce(services.closed, async (port) => void states.set(port, await knock(pin.address, port, context.signal)));
  context.signal.throwIfAborted();
  const listStill = (state: PortState) => services.closed.filter((port) => states.get(port) === state);
  const known = { ...services, closed: listStill("closed"), silent: [...services.silent, ...listStill("silent")].sort((a, b) => a - b) };
  const seen = services.ports.flatMap((port) => {
    const traffic = proxy.traffic.get(port);
    return traffic ? [{ port, ...traffic }] : [];
  });
  const mute = seen.filter(({ connected, answered }) => connected > 0 && answered === 0).map(({ port }) => port);
  const failing = seen.filter(({ failed }) => failed > 0).map(({ port }) => port);
  const udp = "port" in pin.target ? [] : listUdp(pin);
  const after = { answers, mute, failing, gone, opened: listStill("open"), refused: [...proxy.refused] };
  return { set, templates: selected, services: known, ...after, known: pin.known, udp };
}
