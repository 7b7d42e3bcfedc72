import { existsSync, readFileSync } from "node:fs";
import { isIP } from "node:net";
import { isAbsolute, join } from "node:path";
import { EngineError, type EngineEvent, type EngineTask, type PinnedTarget, type RunContext } from "../kit/engine.ts";
import { writeForEngine } from "../kit/run-folder.ts";
import { hasSilentRefusals } from "./find-suites.ts";
import { pythonOf, sslyzeMissing } from "./install.ts";
import { processesPerTask, type SslyzeOptions } from "./options.ts";
import { planTarget } from "./plan-ports.ts";
import { type PortReport, readOutcome } from "./read-outcome.ts";
import { LateError, type ServerScan, scanServer, stillAnswers } from "./run-server.ts";

interface TargetScan {
  target: PinnedTarget;
  left: number;
  reports: (PortReport | undefined)[];
  natives: string[];
}

interface PortJob {
  scan: ServerScan;
  of: TargetScan;
  index: number;
}

/**
 * One SSLyze a port, a few side by side: SSLyze writes its JSON at its end, so servers that share a process wait for the slowest, and a hanging one
 * costs the others what they had. A target's outcome comes with its last port. A failing SSLyze does not end the others: its target stays without
 * an outcome, and the error is thrown when all is done.
 */
export async function* runSslyze(task: EngineTask, context: RunContext): AsyncIterable<EngineEvent> {
  if (!existsSync(pythonOf(context.enginesFolder))) throw new EngineError("engine.missing", sslyzeMissing, { retry: true });
  const own = new AbortController();
  const inner = { ...context, signal: AbortSignal.any([context.signal, own.signal]) };
  const jobs = listJobs(task, context.folder);
  const queue = [...jobs];
  const running = new Map<PortJob, Promise<{ job: PortJob; error?: unknown }>>();
  let done = 0;
  let failure: { error: unknown } | undefined;
  try {
    while (queue.length > 0 || running.size > 0) {
      for (let job = takeJob(queue, running.size); job; job = takeJob(queue, running.size)) running.set(job, settle(job, inner));
      const { job, error } = await Promise.race(running.values());
      running.delete(job);
      context.signal.throwIfAborted();
      if (error !== undefined) failure ??= { error };
      done += 1;
      yield* tellOutcome(job.of);
      yield { kind: "progress", fraction: done / jobs.length };
    }
  } finally {
    own.abort(new Error("The run is over."));
    await Promise.all(running.values());
  }
  if (failure) throw failure.error;
}

function listJobs(task: EngineTask, folder: string): PortJob[] {
  const options = task.options as SslyzeOptions;
  const authorities = readAuthorities();
  // A copy, for engines may not get to the file itself.
  const caFile = authorities === undefined ? undefined : writeForEngine(join(folder, "authorities.pem"), authorities);
  return task.targets.flatMap((target) => {
    const { ports, left } = planTarget(target, options.ports);
    const of: TargetScan = { target, left, reports: ports.map(() => undefined), natives: [] };
    return ports.map((plan, index) => ({ scan: { target, plan, options, caFile }, of, index }));
  });
}

const takeJob = (queue: PortJob[], running: number): PortJob | undefined => (running < processesPerTask ? queue.shift() : undefined);

/** Never rejects: one port's failure is not another's. */
async function settle(job: PortJob, context: RunContext): Promise<{ job: PortJob; error?: unknown }> {
  try {
    await lookAtPort(job, context);
    return { job };
  } catch (error) {
    return { job, error };
  }
}

async function lookAtPort({ scan, of, index }: PortJob, context: RunContext): Promise<void> {
  const { target, plan, options } = scan;
  const { port } = plan;
  try {
    const { server, completedAt } = await scanServer(scan, context);
    const { result, native } = server;
    const isDoubtful = result.connectivity_status === "COMPLETED" && hasSilentRefusals(result);
    const facts = {
      at: completedAt,
      profile: options.mozilla_profile,
      mustSpeakHttp: target.target.kind === "url" && isIP(target.target.host) === 0,
      ...(isDoubtful ? { stillAnswered: await stillAnswers(scan, context).catch(isNotLate) } : {}),
    };
    of.reports[index] = { kind: "read", port, result, facts };
    of.natives[index] = native;
  } catch (error) {
    const reason = describeLimit(error, options);
    if (reason === undefined) throw error;
    of.reports[index] = { kind: "stopped", port, reason };
  }
}

/** Where a limit ended the look, the port is partial: another attempt would reach the limit too. */
function describeLimit(error: unknown, options: SslyzeOptions): string | undefined {
  if (error instanceof LateError)
    return `SSLyze was not done after ${options.timeout_seconds} seconds and was ended. Raise options.timeout_seconds, or set options.slow_connection.`;
  if (error instanceof EngineError && ["engine.memory_limit", "engine.output_limit"].includes(error.code)) return error.message;
  return undefined;
}

/** A server that lets the second look run out of time does not answer any more. */
function isNotLate(error: unknown): false {
  if (error instanceof LateError) return false;
  throw error;
}

function* tellOutcome({ target, left, reports, natives }: TargetScan): Iterable<EngineEvent> {
  const all = reports.filter((report) => report !== undefined);
  if (all.length < reports.length) return;
  const native = natives.filter((part) => part !== undefined).join(",\n");
  yield { kind: "outcome", targetId: target.targetId, outcome: readOutcome(all, { left }), ...(native === "" ? {} : { native: Buffer.from(native) }) };
}

/** A setting of the worker, not of a scan: who may start scans may not choose which files of the worker are read. */
function readAuthorities(): string | undefined {
  const file = process.env.PERISCAN_CA_FILE;
  if (file === undefined || file === "") return undefined;
  const wrong = (why: string, cause?: unknown) =>
    new EngineError(
      "engine.ca_file",
      `PERISCAN_CA_FILE is ${file}, ${why}. Give the absolute path of a file with your authority's root certificates in PEM, or unset it.`,
      {
        retry: false,
        cause,
      },
    );
  if (!isAbsolute(file)) throw wrong("which is no absolute path");
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (cause) {
    throw wrong("which cannot be read", cause);
  }
  if (!text.includes("-----BEGIN CERTIFICATE-----")) throw wrong("which has no certificate in it");
  return text;
}
