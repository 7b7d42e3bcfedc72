import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import type { ImportCounts } from "@periscan/contract/import-counts.ts";
import type { Task } from "@periscan/contract/worker-protocol.ts";
import { EngineError } from "@periscan/engines/kit/engine.ts";
import type { ReadingInput, ReadingMessage } from "./reading-thread.ts";
import type { ServerClient } from "./server-client.ts";

/** The memory of the thread that reads a file. A file whose reading takes more ends that thread alone. */
export const importMemoryMegabytes = 1024;

interface ImportContext {
  client: ServerClient;
  /** Each reading gets a folder of its own in here. */
  workFolder: string;
}

interface Reading {
  signal: AbortSignal;
  onProgress(fraction: number): unknown;
  /** Called once, where the file was read. */
  onCounts(counts: ImportCounts): unknown;
}

/**
 * Reads the file of an import and sends what it tells. The reading has a thread of its own, so that a hostile file costs neither the heartbeats nor
 * the memory of the tasks beside it. Throws EngineError `import.unreadable` where nothing of the file could be read, and `import.incomplete`
 * where only a part could be.
 */
export async function runImport(task: Task, context: ImportContext, { signal, onProgress, onCounts }: Reading): Promise<void> {
  if (task.import?.known && (await context.client.recall(task.task_id, task.attempt, signal))) return;
  const folder = await mkdtemp(join(context.workFolder, "import-"));
  try {
    const path = join(folder, "file");
    await context.client.downloadFile(task.task_id, { attempt: task.attempt, path }, signal);
    let sequence = 0;
    const input = { path, type: task.type, ...(task.import?.target === undefined ? {} : { target: task.import.target }) };
    const take = async (message: Told) => {
      sequence += 1;
      await context.client.sendImported(task.task_id, { attempt: task.attempt, sequence, outcomes: message.outcomes }, signal);
      onProgress(message.fraction);
    };
    await readInThread(input, { signal, take, onCounts });
  } finally {
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

type Told = Extract<ReadingMessage, { kind: "outcomes" }>;

interface Thread extends Pick<Reading, "signal" | "onCounts"> {
  take(message: Told): Promise<void>;
}

async function readInThread(input: ReadingInput, { signal, take, onCounts }: Thread): Promise<void> {
  signal.throwIfAborted();
  const thread = new Worker(new URL("./reading-thread.ts", import.meta.url), {
    workerData: input,
    resourceLimits: { maxOldGenerationSizeMb: importMemoryMegabytes },
    env: {},
  });
  const { promise: over, resolve, reject } = Promise.withResolvers<void>();
  const abort = () => reject(signal.reason);
  // The server checks one while it stores the other. Which is kept first makes no difference: no target is in two.
  let [earlier, newest] = [Promise.resolve(), Promise.resolve()];
  let isOver = false;
  signal.addEventListener("abort", abort, { once: true });
  thread.on("error", (error) => reject(explainDeath(error)));
  thread.on("exit", () => {
    if (!isOver) reject(new Error("The reading thread ended without a word."));
  });
  thread.on("message", (message: ReadingMessage) => {
    isOver = message.kind !== "outcomes";
    if (message.kind !== "outcomes" && message.counts) onCounts(message.counts);
    if (message.kind === "end") Promise.all([earlier, newest]).then(() => resolve(), reject);
    else if (message.kind === "failed")
      Promise.all([earlier, newest]).then(() => reject(new EngineError(message.code, message.message, { retry: false })), reject);
    else {
      // Two on the way while the next is read.
      [earlier, newest] = [newest, earlier.then(() => thread.postMessage("next")).then(() => take(message))];
      newest.catch(reject);
    }
  });
  try {
    await over;
  } finally {
    signal.removeEventListener("abort", abort);
    await thread.terminate();
  }
}

function explainDeath(error: unknown): unknown {
  if (!(error instanceof Error && "code" in error && error.code === "ERR_WORKER_OUT_OF_MEMORY")) return error;
  const message = `Reading the file took more than ${importMemoryMegabytes} MB of memory. Export it in parts, such as one host each.`;
  return new EngineError("import.too_large", message, { retry: false, cause: error });
}
