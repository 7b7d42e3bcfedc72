import { setTimeout as sleep } from "node:timers/promises";
import type { Outcome } from "@periscan/contract/outcome.ts";
import { EngineError, type EngineEvent, type EngineTask, type PinnedTarget, type RunContext } from "../kit/engine.ts";
import { ZapApiError } from "./call-zap.ts";
import { chooseOrigin } from "./choose-origin.ts";
import { findZap, type Zap } from "./find-zap.ts";
import { listContent } from "./install.ts";
import { type Lease, leaseZap } from "./lease-zap.ts";
import { logIn } from "./log-in.ts";
import { observe } from "./observe.ts";
import type { ZapOptions } from "./options.ts";
import { formatOrigin, type Origin } from "./origin.ts";
import { readSiteText } from "./read-zap-json.ts";
import { scanSite, UnreachableError } from "./scan-site.ts";
import { startProxy } from "./start-proxy.ts";
import { writeSite } from "./write-site.ts";

/** The targets one after the other, in one ZAP with a session each. */
export async function* runZap(task: EngineTask, context: RunContext): AsyncIterable<EngineEvent> {
  const found = findZap(context.enginesFolder);
  if (found.kind === "missing") throw new EngineError("engine.missing", found.reason, { retry: true });
  const lease = await leaseZap(found, task.type, context);
  try {
    for (const [index, target] of task.targets.entries()) yield* runTarget({ task, target, index, zap: found, lease, context });
  } finally {
    await lease.release();
  }
}

interface TargetRun {
  task: EngineTask;
  target: PinnedTarget;
  index: number;
  zap: Zap;
  lease: Lease;
  context: RunContext;
}

async function* runTarget(run: TargetRun): AsyncIterable<EngineEvent> {
  const { task, target, index, context } = run;
  const chosen = await chooseOrigin(target, context.signal);
  if ("reason" in chosen) {
    yield { kind: "outcome", targetId: target.targetId, outcome: { kind: "unreachable", reason: chosen.reason, notes: [], detections: [] } };
  } else {
    const progress = createChannel();
    const scanning = scanTarget(run, chosen.origin, chosen.notes, progress.push).finally(progress.end);
    // Heard below, where the loop has ended.
    scanning.catch(() => {});
    for await (const fraction of progress.values) yield { kind: "progress", fraction: (index + fraction * 0.99) / task.targets.length };
    yield await scanning;
  }
  yield { kind: "progress", fraction: (index + 1) / task.targets.length };
}

type Report = (fraction: number) => void;

async function scanTarget(run: TargetRun, origin: Origin, notes: string[], report: Report): Promise<EngineEvent> {
  const { task, target, zap, lease, context } = run;
  const { targetId, address, login } = target;
  const { running, rules } = await lease.get(origin, login);
  const options = task.options as ZapOptions;
  const shared = { ...(login ? { login } : {}), ...limitRate(options), log: context.log };
  const proxy = await startProxy({ host: origin.host, port: origin.port, address, ...shared });
  const signal = AbortSignal.any([context.signal, running.gone]);
  const logOut = await logIn(running.call, zap.kind, origin, login);
  try {
    const isActive = task.type === "OWASP_ZAP_ACTIVE";
    const scan = await scanSite({ call: running.call, readRuleErrors: running.readRuleErrors, proxy, rules, origin, options, isActive, login, signal, report });
    const content = listContent(task.type, { version: running.version, passive: rules.passive.content, active: rules.active.content });
    const native = writeSite(scan, { origin, content, login, notes: [...notes, ...describeProxy(proxy.counts)] });
    const outcome: Outcome = { ...readSiteText(native), observations: observe(scan, origin) };
    return { kind: "outcome", targetId, outcome, native: Buffer.from(native) };
  } catch (error) {
    // The end of a ZAP that was killed is known a moment after its connections broke.
    if (error instanceof ZapApiError && error.status === 0) await waitForAbort(running.gone, 3);
    signal.throwIfAborted();
    if (error instanceof UnreachableError) return { kind: "outcome", targetId, outcome: { kind: "unreachable", reason: error.message, notes, detections: [] } };
    if (!(error instanceof ZapApiError)) throw error;
    throw new EngineError("engine.failed", `${error.message} The scan of ${formatOrigin(origin)} could not go on.`, { retry: true, cause: error });
  } finally {
    await logOut();
    await proxy.close();
    const { refusedPlaces, ...counts } = proxy.counts;
    context.log("a site was left", { origin: formatOrigin(origin), ...counts, refusedPlaces: [...refusedPlaces] });
  }
}

async function waitForAbort(signal: AbortSignal, seconds: number): Promise<void> {
  if (!signal.aborted) await sleep(seconds * 1000, undefined, { signal }).catch(() => {});
}

const limitRate = ({ requests_per_second: requestsPerSecond }: ZapOptions) => (requestsPerSecond === undefined ? {} : { requestsPerSecond });

const describeProxy = ({ refused, refusedPlaces }: { refused: number; refusedPlaces: Set<string> }): string[] =>
  refused === 0 ? [] : [`${refused.toLocaleString("en")} requests to other places were refused: ${[...refusedPlaces].slice(0, 5).join(", ")}.`];

/** Values that one part says and another waits for. */
function createChannel() {
  let latest: number | undefined;
  let over = false;
  let wake = Promise.withResolvers<void>();
  const push = (value: number) => {
    latest = Math.max(latest ?? 0, value);
    wake.resolve();
  };
  const end = () => {
    over = true;
    wake.resolve();
  };
  async function* values() {
    let said = -1;
    while (!over) {
      await wake.promise;
      wake = Promise.withResolvers<void>();
      if (latest !== undefined && latest > said) {
        said = latest;
        yield said;
      }
    }
  }
  return { push, end, values: values() };
}
