import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { EngineError, type EngineEvent, type EngineTask, ParseError, type PinnedTarget, type RunContext } from "../kit/engine.ts";
import type { FeedCoverage } from "./coverage.ts";
import { askDigest, askState, type FeedIndex, loadIndex, originOf, sinceOf } from "./feed.ts";
import { lookAgain } from "./look-again.ts";
import type { OpenvasOptions } from "./options.ts";
import { OspRefusal } from "./osp-client.ts";
import { type HostReport, type RunFacts, readOutcome } from "./read-outcome.ts";
import { Reading } from "./reading.ts";
import { describeInterruption, openScan, type RemoteScan } from "./remote-scan.ts";
import { createTestCatalogue, type TestCatalogue } from "./test-catalogue.ts";
import { type UsedScanner, useScanner } from "./use-scanner.ts";
import { writeHostResults } from "./write-result.ts";

/** How often the scan is looked at. */
const pollSeconds = 1;
/** A scanner starts a scan when it looks at its queue, every 10 s; it may be busy with others. */
const queuedSeconds = 3600;

export interface ScanPlan {
  /** Families to run; all where it is absent. For the self-test. */
  families?: string[];
}

/** Scans the task's addresses with the scanner's whole feed; each host's outcome comes when the scanner is done with it. */
export async function* runOpenvas(task: EngineTask, context: RunContext, plan: ScanPlan = {}): AsyncIterable<EngineEvent> {
  const scanner = await useScanner(context).catch(explain);
  try {
    const index = await loadIndex(scanner.address, scanner.feed, context).catch(explain);
    const attempt: Attempt = { options: task.options as OpenvasOptions, context, scanner, index, plan, tests: createTestCatalogue(scanner.address, index) };
    const byAddress = Map.groupBy(task.targets, ({ address }) => address);
    // A host whose time is over ends the scan, for one cannot be taken out of it; the others then get another.
    for (const remaining = new Set(byAddress.keys()); remaining.size > 0; ) {
      const before = remaining.size;
      yield* runScan(attempt, byAddress, remaining);
      if (remaining.size === before) throw new EngineError("engine.output_cut", "The scanner ended without a word on some of the hosts.", { retry: true });
    }
  } catch (error) {
    context.signal.throwIfAborted();
    throw scanner.over() ?? asEngineError(error);
  } finally {
    scanner.release();
  }
}

interface Attempt {
  options: OpenvasOptions;
  context: RunContext;
  scanner: UsedScanner;
  index: FeedIndex;
  plan: ScanPlan;
  tests: TestCatalogue;
}

/** One scan in the scanner, of the addresses that have no outcome yet; those that get one are taken out of `remaining`. */
async function* runScan(attempt: Attempt, byAddress: Map<string, PinnedTarget[]>, remaining: Set<string>): AsyncIterable<EngineEvent> {
  const { options, context, scanner, index, plan } = attempt;
  const scan = await openScan({
    scanner,
    index,
    options,
    addresses: [...remaining],
    signal: context.signal,
    ...(plan.families ? { families: plan.families } : {}),
  });
  context.log("OpenVAS scan starts", { scanId: scan.id, addresses: [...remaining] });
  const reading = new Reading([...remaining]);
  let fraction = 1 - remaining.size / byAddress.size;
  const share = 1 - fraction;
  const base = fraction;
  const tell = async function* (reports: HostReport[], late?: string) {
    const known = (address: string) => listKnown(byAddress.get(address) ?? []);
    const again = late === undefined && !plan.families ? await lookAgain(reports, known, { scanner, index, options, signal: context.signal }) : undefined;
    for (const report of reports) {
      remaining.delete(report.address);
      const look = again?.get(report.address);
      yield* describeHost(attempt, {
        report,
        targets: byAddress.get(report.address) ?? [],
        errors: reading.errors,
        ...(late === undefined ? {} : { cutShort: late }),
        ...(look === undefined ? {} : { look }),
      });
    }
  };
  try {
    await waitForStart(scan, attempt);
    for (;;) {
      const state = await scan.poll();
      reading.take(state);
      fraction = Math.max(fraction, base + share * state.progress);
      yield { kind: "progress", fraction };
      // A host that was being scanned then may be said to have ended, and was not looked at to its end.
      if (state.status === "interrupted" || state.status === "stopped") throw explainEnd(state.status, reading.errors);
      yield* tell(reading.takeEnded());
      if (state.status === "finished") return yield* tell(reading.takeRest());
      const late = reading.findLate(options.host_timeout_minutes * 60);
      if (late.length > 0) {
        await scan.close();
        return yield* tell(
          late,
          `This host took longer than ${options.host_timeout_minutes} minutes and was cut short. Raise options.host_timeout_minutes, or scan fewer ports.`,
        );
      }
      if (state.results.length === 0) await sleep(pollSeconds * 1000, undefined, { signal: context.signal });
    }
  } finally {
    await scan.close();
  }
}

/** The scan waits in the scanner's queue, which tells nothing. */
async function waitForStart(scan: RemoteScan, { context }: Attempt): Promise<void> {
  const deadline = performance.now() + queuedSeconds * 1000;
  while (await scan.isQueued()) {
    if (performance.now() > deadline)
      throw new EngineError(
        "engine.busy",
        `The scanner did not start the scan within ${queuedSeconds / 60} minutes: it is busy with others, or short of memory.`,
        { retry: true },
      );
    await sleep(pollSeconds * 250, undefined, { signal: context.signal });
  }
}

/** The TCP ports that any engine saw open there, and that are not known to be closed since. */
const listKnown = (targets: PinnedTarget[]): number[] =>
  targets.flatMap(({ known }) => known.flatMap((seen) => (seen.kind === "service" && seen.protocol === "tcp" ? [seen.port] : [])));

interface EndedHost extends Pick<RunFacts, "errors" | "cutShort" | "look"> {
  report: HostReport;
  targets: PinnedTarget[];
}

async function* describeHost(attempt: Attempt, { report, targets, ...end }: EndedHost): AsyncIterable<EngineEvent> {
  const { options, context, scanner, index, tests } = attempt;
  const known = await tests.describe(report.results, context.signal);
  const now = await askState(scanner.address, context.signal);
  const changed = now.feed?.version !== index.version || now.feed.name !== index.name || (await askDigest(scanner.address, context.signal)) !== index.digest;
  for (const { targetId, target, address } of targets) {
    const notes = [
      ...(target.host === address
        ? []
        : [`Scanned by its address ${address}: OpenVAS does not look at sites that are told apart by their name, such as ${target.host}.`]),
      ...(changed ? ["The scanner's feed changed during the scan, so the scan closes no risk that another one found."] : []),
    ];
    const run: RunFacts = { options, feed: describeFeed(index, changed), tests: known, notes, ...end };
    const outcome = readOutcome(report, run);
    const native = Buffer.from(writeHostResults(report, outcome, known));
    yield { kind: "outcome", targetId, outcome, native };
  }
}

/** Where the feed changed meanwhile it is not known which tests ran: a set of its own has only what this scan itself saw. */
function describeFeed(index: FeedIndex, changed: boolean): FeedCoverage {
  const { name, version, tests, vendor, set, includes, dropped } = index;
  const feed = { name: name.slice(0, 200), version, tests: tests.length };
  if (changed) return { ...feed, origin: "user", set: randomUUID().replaceAll("-", "").slice(0, 16), includes: [], dropped: [] };
  return { ...feed, origin: originOf(vendor), set, includes, dropped, since: sinceOf(index) };
}

function explainEnd(status: string, errors: string[]): EngineError {
  const said = errors.length > 0 ? ` It said: ${errors.join(" ").slice(0, 1000)}` : "";
  const message = status === "stopped" ? "Somebody stopped the scan in the scanner." : describeInterruption("the scan");
  return new EngineError(status === "stopped" ? "engine.stopped" : "engine.interrupted", `${message}${said}`, { retry: true });
}

function explain(error: unknown): never {
  throw asEngineError(error);
}

function asEngineError(error: unknown): unknown {
  if (error instanceof ParseError)
    return new EngineError("engine.output_cut", `The scanner's answer cannot be read: ${error.message}`, { retry: true, cause: error });
  if (error instanceof OspRefusal)
    return new EngineError("engine.refused", `The scanner refused a request: ${error.message} (${error.status}).`, { retry: true, cause: error });
  return error;
}
