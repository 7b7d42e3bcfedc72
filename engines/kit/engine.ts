import type { Block } from "@periscan/contract/block.ts";
import type { Observation, Outcome } from "@periscan/contract/outcome.ts";
import type { ResultContentType, ScanType } from "@periscan/contract/scan.ts";
import type { TargetLogin } from "@periscan/contract/target.ts";
import type { ParsedTarget } from "@periscan/contract/target-syntax.ts";
import type { EngineStatus } from "@periscan/contract/worker-protocol.ts";
import type { z } from "zod";
import type { Tally } from "./tally.ts";

export type Json = z.infer<ReturnType<typeof z.json>>;

/** A target whose name was resolved once, whose address the policy allows, and which keeps that address for the whole attempt. */
export interface PinnedTarget {
  targetId: string;
  /** As the user gave it, in canonical form. */
  target: ParsedTarget;
  /** The address to scan: an IP literal without brackets. */
  address: string;
  /** What engines saw of it before and that is not known to be gone. */
  known: Observation[];
  /** Present where the scan uses the target's login. */
  login?: TargetLogin;
}

export interface EngineTask {
  type: ScanType;
  /** As the engine's `options` schema gives them back, defaults filled in. */
  options: Record<string, unknown>;
  targets: PinnedTarget[];
}

export type EngineEvent =
  /** The share of the task that is done, 0 to 1; never smaller than before. */
  | { kind: "progress"; fraction: number }
  /** The outcome of one target, once. `native` is that target's part of the native output. */
  | { kind: "outcome"; targetId: string; outcome: Outcome; native?: Uint8Array };

export interface EngineLimits {
  /** Resident memory of all processes of the task together, in bytes: what `Engine.memoryMegabytes` asks for. */
  memoryBytes: number;
  /** Most packets a second of one engine process, for engines that send packets themselves. */
  packetsPerSecond: number;
  /** Most bytes that one engine process may print. */
  outputBytes: number;
}

export interface RunContext {
  /** Aborted on cancel and at the deadline: `run` then ends every process it started, and throws. */
  signal: AbortSignal;
  limits: EngineLimits;
  /** Where engines that Periscan installs live. */
  enginesFolder: string;
  /** An empty folder of this run's own (`makeRunFolder`), in which engines have folders of theirs; it is removed with all that is in it, however the run ends. */
  folder: string;
  /** What the engine printed on standard error, and the like, for the worker's log. */
  log(message: string, fields?: Record<string, unknown>): void;
}

export interface ReadContext {
  type: ScanType;
  /** What the file is of, as whoever imports it says; needed where the file does not name it. */
  target?: ParsedTarget;
  /** Where the reader counts what becomes of each result of the file. */
  tally: Tally;
}

/** What a file of an engine tells of one target. */
export interface ReadOutcome {
  /** Something that `parseTarget` takes for one target. */
  target: string;
  /** The address that was scanned, where the file tells it beside the target's name. */
  address?: string;
  /** When the target was looked at; absent where the file does not say so. */
  observedAt?: Date;
  outcome: Outcome;
}

export interface InstallContext {
  enginesFolder: string;
  /** Aborted where the user stops it: the next install begins anew. */
  signal: AbortSignal;
  /** A line of progress for a person. */
  say(line: string): void;
}

/** What runs and reads an engine; loaded only where engines run, never in the server. */
export interface EngineRunner {
  /** The folder in the engines' folder that `install` of this version makes and nothing else writes to: older ones go with the next install. Absent where it makes none. */
  readonly build?: string;
  /** Cheap, for a worker asks it every half minute: is the engine here and able to run, and with which content? Never throws. */
  probe(context: { enginesFolder: string }): Promise<Omit<EngineStatus, "type" | "installing">>;
  /** Installs what `probe` misses: pinned, safe to repeat and to interrupt. Throws `EngineError` with the mend. */
  install(context: InstallContext): Promise<void>;
  /** Scans something small of its own on loopback, and throws `EngineError` where the engine does not see what is there. Answers what it saw, in a few words. */
  selfTest(context: RunContext): Promise<string>;
  /** Yields progress and each target's outcome as it comes; returning is the end marker. A target without an outcome by then counts as missing. */
  run(task: EngineTask, context: RunContext): AsyncIterable<EngineEvent>;
  /** The name of the engine's format, such as `Nmap's XML`, where a file that begins so looks like it; undefined where it does not. */
  recognise(head: string): string | undefined;
  /**
   * Reads a whole file of the engine's, ours or another's: each target once, the same for the same file. Throws `ParseError` where it is not such a
   * file, or is cut off; what was yielded before is then whole. Where the file does not say what was looked at, the outcome is partial.
   */
  read(file: AsyncIterable<Uint8Array>, context: ReadContext): AsyncIterable<ReadOutcome>;
}

/** What the rest of Periscan knows of an engine. Everything here is pure: no clock, network, log or id. */
export interface Engine {
  type: ScanType;
  /** In words, such as `TCP port scan`. */
  title: string;
  /** The program behind it, as `engines install` names it; several types may share one. */
  program: string;
  /** What an install takes, so that a person can decide. */
  installCost: { megabytes: number; minutes: number };
  /** Most resident memory of one task's processes; the worker sets it aside. */
  memoryMegabytes: number;
  /** Whether a scan may use the target's login (`use_authentication`). */
  usesLogin: boolean;
  /** Strict, with defaults: an unknown option is refused by name. */
  options: z.ZodType<Record<string, unknown>>;
  /** Why this target cannot be scanned by this engine; undefined where it can. */
  refuses(target: ParsedTarget): string | undefined;
  /** How many of a scan's targets go into one task. */
  targetsPerTask(count: number, options: Record<string, unknown>): number;
  /** The most seconds that one attempt may take. */
  deadlineSeconds(targetCount: number, options: Record<string, unknown>): number;
  /**
   * Reads a coverage once, for many scopes: the answer says of each whether an outcome with this coverage looked, completely, where a detection or
   * observation with that scope would be. What is not this engine's coverage covers nothing.
   */
  readCoverage(coverage: unknown): (scope: string) => boolean;
  /** The coverage in words for a reader. */
  describeCoverage(coverage: unknown): string;
  /** A detection's `detail` as blocks. Throws `ParseError` where the detail is not this engine's. */
  view(detail: unknown): Block[];
  /** How the native parts of all targets become one file: head, the parts in order of the targets, tail. */
  native: NativeFormat;
  load(): Promise<EngineRunner>;
}

export interface NativeFormat {
  contentType: ResultContentType;
  /** Without the dot. */
  extension: string;
  head(facts: NativeFacts): string;
  separator: string;
  tail(facts: NativeFacts): string;
}

export interface NativeFacts {
  type: ScanType;
  engineVersion: string;
  startedAt: Date;
  finishedAt: Date;
  /** Targets that answered and that did not. */
  reached: number;
  unreached: number;
  succeeded: boolean;
  /** Of the targets that were looked at. */
  looks: { coverage: unknown; notes: string[] }[];
}

/** The engine's output is not what its reader knows: cut off, malformed, or hostile. */
export class ParseError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "ParseError";
  }
}

/** The engine could not do its work. `message` is for the user and says what to do. */
export class EngineError extends Error {
  readonly code: string;
  readonly retry: boolean;
  constructor(code: string, message: string, options: ErrorOptions & { retry: boolean }) {
    super(message, options);
    this.name = "EngineError";
    this.code = code;
    this.retry = options.retry;
  }
}
