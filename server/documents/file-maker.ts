import { Worker } from "node:worker_threads";
import type { Logger } from "pino";
import type { MakingInput, MakingMessage, MakingRequest } from "./making-thread.ts";

/** Makes files of scans and reports beside the server's own thread, which answers requests meanwhile. */
export interface FileMaker {
  /** Resolves once all files of the scan, or the report's, are made; throws where one could not be. */
  make(kind: MakingRequest["kind"], ofId: string): Promise<void>;
  /** Ends what is being made. */
  stop(): Promise<void>;
}

interface FileMakerSettings extends Omit<MakingInput, "niceness"> {
  niceness?: number;
  log: Logger;
  /** The heap of the thread. What takes more is not made, and the thread alone ends. */
  memoryMegabytes?: number;
}

/** A scan of 30,000 risks takes about 300. */
const defaultMemoryMegabytes = 2048;

interface Waiting {
  resolve(): void;
  reject(error: unknown): void;
}

/** The thread is started by the first file, and again after it died. */
export function createFileMaker({ databaseUrl, filesFolder, log, niceness = 0, memoryMegabytes = defaultMemoryMegabytes }: FileMakerSettings): FileMaker {
  const waiting = new Map<number, Waiting>();
  let thread: Worker | undefined;
  let lastId = 0;
  const take = (message: MakingMessage): void => {
    if (message.kind === "warning") {
      log.warn(message.message);
      return;
    }
    const asked = waiting.get(message.id);
    waiting.delete(message.id);
    if (message.error === undefined) asked?.resolve();
    else asked?.reject(new Error(message.error));
  };
  const fail = (error: unknown): void => {
    thread = undefined;
    for (const { reject } of waiting.values()) reject(error);
    waiting.clear();
  };
  const start = (): Worker => {
    const input: MakingInput = { databaseUrl, filesFolder, niceness };
    const started = new Worker(new URL("./making-thread.ts", import.meta.url), {
      workerData: input,
      resourceLimits: { maxOldGenerationSizeMb: memoryMegabytes },
    });
    started.on("message", take);
    started.on("error", fail);
    started.on("exit", () => {
      if (thread === started) fail(new Error("The thread that makes files ended without a word."));
    });
    return started;
  };
  return {
    make: (kind, ofId) =>
      new Promise((resolve, reject) => {
        lastId += 1;
        waiting.set(lastId, { resolve, reject });
        thread ??= start();
        thread.postMessage({ id: lastId, kind, ofId } satisfies MakingRequest);
      }),
    stop: async () => {
      await thread?.terminate();
    },
  };
}
