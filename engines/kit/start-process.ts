import { spawn } from "node:child_process";
import type { Readable } from "node:stream";
import { confine, makeEnvironment, type Privileges } from "./confine.ts";
import { EngineError } from "./engine.ts";
import { watchMemory } from "./watch-memory.ts";

export interface ProcessSettings {
  /** What messages call it, such as `Nmap`. */
  title: string;
  /** An absolute path, or a name on PATH. */
  file: string;
  args: string[];
  /** Beside what every engine has (`makeEnvironment`); secrets go here and never into `args`, which every user of the machine can read. */
  environment?: Record<string, string>;
  /** A folder of the engine's own (`makeEngineFolder`): it starts there, and has its temporary files and its HOME there. */
  home: string;
  /** None where it is absent. */
  privileges?: Privileges;
  /** Most resident memory of the process and all that it started, together. */
  memoryBytes: number;
  /** Most bytes on standard output; one more ends the process and throws. */
  outputBytes: number;
  signal: AbortSignal;
  /** Standard error as it comes, for engines that say there how far they are. */
  onErrorOutput?: (chunk: Uint8Array) => void;
}

export interface ProcessEnd {
  exitCode: number | null;
  signal: NodeJS.Signals | null;
  /** The last 4 kB of standard error. */
  errorText: string;
  /** The process was ended because it reached its memory ceiling. */
  overMemory: boolean;
}

export interface EngineProcess {
  pid: number;
  /** Standard output, as fast as it is read. Throws where the output or the memory is larger than its ceiling, or the signal is aborted. */
  output: AsyncIterable<Uint8Array>;
  /** Resolves once the process is gone; never rejects. */
  ended: Promise<ProcessEnd>;
  /** Asks the process and all that it started to go, and kills them 3 s later. */
  stop(): void;
}

/** A process that was asked to go has this long before it is killed. */
const graceSeconds = 3;
const errorTailBytes = 4096;

/**
 * Starts an engine in a process group of its own, as the account of engines, with an environment of its own and the least privileges (`confine`). The kernel
 * kills it when this process dies. Its resident memory is
 * looked at four times a second: a limit of the address space (`prlimit --as`) would refuse Go and Java, which reserve far more than they
 * use. On abort the whole group gets SIGTERM, and SIGKILL 3 s later.
 */
export function startProcess(settings: ProcessSettings): EngineProcess {
  const { title, file, args, environment, home, privileges = "none", memoryBytes, outputBytes, signal, onErrorOutput } = settings;
  signal.throwIfAborted();
  const [setpriv = "", ...before] = confine(privileges);
  const child = spawn(setpriv, [...before, file, ...args], {
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
    env: makeEnvironment(home, environment),
    cwd: home,
  });
  const { promise: ended, resolve } = Promise.withResolvers<ProcessEnd>();
  const readError = keepTail(child.stderr);
  if (onErrorOutput) child.stderr.on("data", onErrorOutput);
  let spawnError: Error | undefined;
  let overMemory = false;
  child.once("error", (error) => {
    spawnError = error;
    stopWatching();
    resolve({ exitCode: null, signal: null, errorText: error.message, overMemory });
  });

  let killing: NodeJS.Timeout | undefined;
  const stop = () => {
    killGroup(child.pid, "SIGTERM");
    killing ??= setTimeout(() => killGroup(child.pid, "SIGKILL"), graceSeconds * 1000);
  };
  const stopWatching = watchMemory(child.pid ?? 0, memoryBytes, () => {
    overMemory = true;
    killGroup(child.pid, "SIGKILL");
  });
  signal.addEventListener("abort", stop, { once: true });
  child.once("close", (exitCode, exitSignal) => {
    clearTimeout(killing);
    stopWatching();
    signal.removeEventListener("abort", stop);
    // What the engine started itself may outlive it.
    killGroup(child.pid, "SIGKILL");
    resolve({ exitCode, signal: exitSignal, errorText: readError(), overMemory });
  });

  async function* readOutput(): AsyncIterable<Uint8Array> {
    let bytes = 0;
    try {
      for await (const chunk of child.stdout as AsyncIterable<Uint8Array>) {
        bytes += chunk.byteLength;
        if (bytes > outputBytes)
          throw new EngineError("engine.output_limit", `${title} printed more than ${outputBytes.toLocaleString("en")} bytes and was stopped.`, {
            retry: false,
          });
        yield chunk;
      }
      if (spawnError) throw new EngineError("engine.missing", `setpriv could not be started (${spawnError.message}): install util-linux.`, { retry: false });
      signal.throwIfAborted();
      if (overMemory) throw describeMemory(title, memoryBytes);
    } finally {
      if (child.exitCode === null && child.signalCode === null) stop();
    }
  }
  return { pid: child.pid ?? 0, output: readOutput(), ended, stop };
}

/** The error of an engine that reached its memory ceiling. Another attempt with the same targets would reach it too. */
export const describeMemory = (title: string, memoryBytes: number): EngineError =>
  new EngineError(
    "engine.memory_limit",
    `${title} used more than the ${Math.round(memoryBytes / 1024 ** 2).toLocaleString("en")} MB of memory that it may have and was stopped. Scan fewer or smaller targets at once.`,
    { retry: false },
  );

/** Sends the signal to all processes of a group; one that nobody is left of takes it for sent. */
export function killGroup(pid: number | undefined, signal: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch (error) {
    // Nobody of the group is left.
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

function keepTail(stream: Readable): () => string {
  let tail = Buffer.alloc(0);
  stream.on("data", (chunk: Buffer) => {
    tail = Buffer.concat([tail, chunk]).subarray(-errorTailBytes);
  });
  return () => tail.toString("utf8");
}
