import { rm } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import type { AttemptEnd, EngineStatus, Task } from "@periscan/contract/worker-protocol.ts";
import { EngineError, type EngineEvent, type EngineLimits, type EngineRunner, type PinnedTarget } from "@periscan/engines/kit/engine.ts";
import { makeRunFolder } from "@periscan/engines/kit/run-folder.ts";
import { findEngine } from "@periscan/engines/registry.ts";
import type { Logger } from "pino";
import { pinTarget } from "./pin-target.ts";
import { runImport } from "./run-import.ts";
import { AttemptOverError, RefusedError, type ServerClient } from "./server-client.ts";

export interface TaskContext {
  client: ServerClient;
  /** The limits of every task; its memory is the engine's own. */
  limits: Omit<EngineLimits, "memoryBytes">;
  enginesFolder: string;
  /** Each run gets a folder of its own in here. */
  workFolder: string;
  log: Logger;
  /** Aborted when the worker stops. */
  stopping: AbortSignal;
}

class DeadlineError extends Error {}

/** Runs one attempt to its end: pins the targets, runs the engine, sends what it learns as it comes, and says how it ended. Never throws. */
export async function runTask(task: Task, context: TaskContext): Promise<void> {
  const log = context.log.child({ taskId: task.task_id, attempt: task.attempt, type: task.type });
  const over = new AbortController();
  const deadline = setTimeout(() => over.abort(new DeadlineError()), task.deadline_seconds * 1000);
  const signal = AbortSignal.any([over.signal, context.stopping]);
  const attempt = new AttemptReporter(task, context.client, signal);
  const beating = keepBeating(attempt, over, log);
  log.info({ targets: task.targets.length }, "attempt starts");
  const end: Omit<AttemptEnd, "attempt"> = {};
  try {
    const onProgress = (fraction: number) => attempt.take({ kind: "progress", fraction });
    const onCounts = (counts: AttemptEnd["import"]) => {
      end.import = counts;
    };
    if (task.import) await runImport(task, context, { signal, onProgress, onCounts });
    else await runEngine(task, { ...context, log }, attempt, signal);
  } catch (cause) {
    end.error = describeFailure(cause, signal);
    log.warn({ err: cause, code: end.error?.code }, "attempt failed");
  }
  clearTimeout(deadline);
  if (!(over.signal.reason instanceof AttemptOverError)) await sayEnd(attempt, end, log);
  over.abort(new AttemptOverError());
  await beating;
  log.info("attempt over");
}

async function runEngine(task: Task, context: TaskContext, attempt: AttemptReporter, signal: AbortSignal): Promise<void> {
  const engine = findEngine(task.type);
  const pinned = await pinTargets(task, attempt);
  if (pinned.length === 0) return;
  const runner = await engine.load();
  attempt.status = await requireEngine(runner, context.enginesFolder);
  const targets = await openSessions(task, pinned, { workFolder: context.workFolder, attempt, signal });
  if (targets.length === 0) return;
  const options = engine.options.parse(task.options);
  await withFolder(context.workFolder, async (folder) => {
    const runContext = {
      signal,
      limits: { ...context.limits, memoryBytes: engine.memoryMegabytes * 1024 ** 2 },
      enginesFolder: context.enginesFolder,
      folder,
      log: (message: string, fields?: Record<string, unknown>) => context.log.info(fields ?? {}, message),
    };
    for await (const event of runner.run({ type: task.type, options, targets }, runContext)) await attempt.take(event);
  });
}

/** An engine that is missing, or that has nothing to scan with, must not run: it would see nothing and seem to say that there is nothing. */
async function requireEngine(runner: EngineRunner, enginesFolder: string): Promise<EngineState> {
  const status = await runner.probe({ enginesFolder });
  if (!status.ready) throw new EngineError("engine.missing", status.missing ?? "The engine is not installed.", { retry: true });
  const empty = status.content?.find(({ count }) => count === 0);
  if (empty)
    throw new EngineError(
      "engine.content_empty",
      status.missing ?? `${empty.name} is empty: there is nothing to scan with. \`periscan doctor\` says how to get it.`,
      {
        retry: false,
      },
    );
  return { version: status.version, content: status.content };
}

type EngineState = Pick<EngineStatus, "version" | "content">;

async function pinTargets(task: Task, attempt: AttemptReporter): Promise<PinnedTarget[]> {
  const policy = { allowLoopback: task.policy.allow_loopback, allowPrivate: task.policy.allow_private };
  const pins = await Promise.all(task.targets.map(async (target) => ({ target, pin: await pinTarget(target, policy) })));
  const pinned: PinnedTarget[] = [];
  for (const { target, pin } of pins) {
    if (pin.ok) pinned.push(pin.target);
    else await attempt.skip(target.target_id, pin.reason);
  }
  attempt.pinned = pinned;
  return pinned;
}

/** Logs in where a target's login is a recording, before the engine takes its memory; a target whose login did not come about is skipped with the reason. */
async function openSessions(
  task: Task,
  pinned: PinnedTarget[],
  { workFolder, attempt, signal }: { workFolder: string; attempt: AttemptReporter; signal: AbortSignal },
): Promise<PinnedTarget[]> {
  const recordings = new Map(task.targets.flatMap(({ target_id, login }) => (login?.kind === "recording" ? [[target_id, login.recording]] : [])));
  if (recordings.size === 0) return pinned;
  const { replayRecording } = await import("./login/replay-recording.ts");
  const ready: PinnedTarget[] = [];
  for (const target of pinned) {
    const recording = recordings.get(target.targetId);
    const login = recording && (await withFolder(workFolder, (folder) => replayRecording({ recording, pinned: target, folder, signal })));
    if (typeof login !== "string") ready.push(login ? { ...target, login } : target);
    else await attempt.skip(target.targetId, login);
  }
  return ready;
}

async function withFolder<T>(workFolder: string, use: (folder: string) => Promise<T>): Promise<T> {
  const folder = makeRunFolder(workFolder);
  try {
    return await use(folder);
  } finally {
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** Tells the server of one attempt, in order. */
class AttemptReporter {
  status: EngineState = {};
  pinned: PinnedTarget[] = [];
  readonly task: Task;
  readonly client: ServerClient;
  readonly signal: AbortSignal;
  #sequence = 0;
  #progress = 0;

  constructor(task: Task, client: ServerClient, signal: AbortSignal) {
    this.task = task;
    this.client = client;
    this.signal = signal;
  }

  get progress(): number {
    return this.#progress;
  }

  /** The target is not tried, for this reason. */
  skip(targetId: string, reason: string): Promise<void> {
    return this.take({ kind: "outcome", targetId, outcome: { kind: "skipped", reason, notes: [], detections: [] } });
  }

  async take(event: EngineEvent): Promise<void> {
    if (event.kind === "progress") {
      this.#progress = Math.max(this.#progress, Math.min(1, event.fraction));
      return;
    }
    const { task_id, attempt } = this.task;
    const { targetId, outcome, native } = event;
    if (native) await this.client.uploadNative(task_id, { targetId, attempt, content: native }, this.signal);
    const address = this.pinned.find((pin) => pin.targetId === targetId)?.address;
    this.#sequence += 1;
    const report = {
      attempt,
      sequence: this.#sequence,
      target_id: targetId,
      ...(address === undefined ? {} : { resolved_target: address }),
      ...(this.status.version === undefined ? {} : { engine_version: this.status.version }),
      ...(this.status.content === undefined ? {} : { content: this.status.content }),
      has_native: native !== undefined,
      outcome,
    };
    await this.client.sendOutcome(task_id, report, this.signal);
  }
}

/** While the server is away the engine goes on; only a 409 stops it. */
async function keepBeating(attempt: AttemptReporter, over: AbortController, log: Logger): Promise<void> {
  const { task_id, heartbeat_seconds, attempt: number } = attempt.task;
  while (!over.signal.aborted) {
    try {
      await attempt.client.heartbeat(task_id, { attempt: number, progress: attempt.progress }, over.signal);
    } catch (error) {
      if (error instanceof AttemptOverError) over.abort(error);
      else if (!over.signal.aborted) log.debug({ err: error }, "heartbeat did not arrive");
    }
    await sleep(heartbeat_seconds * 1000, undefined, { signal: over.signal }).catch(() => {});
  }
}

function describeFailure(cause: unknown, signal: AbortSignal): AttemptEnd["error"] {
  if (signal.aborted && signal.reason instanceof DeadlineError) return { code: "task.deadline", message: "The time limit passed.", retry: false };
  if (signal.aborted) return { code: "worker.stopped", message: "The worker was stopped.", retry: true };
  if (cause instanceof EngineError) return { code: cause.code, message: cause.message, retry: cause.retry };
  if (cause instanceof RefusedError && cause.code === "target.over_limit") return { code: cause.code, message: cause.message, retry: false };
  if (cause instanceof RefusedError) return { code: "server.refused", message: `What the engine found could not be stored: ${cause.message}`, retry: true };
  return { code: "worker.error", message: "The worker failed; its log has the cause.", retry: true };
}

async function sayEnd(attempt: AttemptReporter, learned: Omit<AttemptEnd, "attempt">, log: Logger): Promise<void> {
  const end = { attempt: attempt.task.attempt, ...learned };
  try {
    await attempt.client.endAttempt(attempt.task.task_id, end, AbortSignal.timeout(attempt.signal.aborted ? 3000 : 70_000));
  } catch (cause) {
    // The lease runs out by itself, and the server moves the task on.
    if (!(cause instanceof AttemptOverError)) log.warn({ err: cause }, "the end of the attempt could not be told");
  }
}
