import { mkdirSync, mkdtempSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { EngineError, ParseError, type RunContext } from "../kit/engine.ts";
import { type EngineProcess, startProcess } from "../kit/start-process.ts";
import { buildArguments, type Start, traceFileOf } from "./build-arguments.ts";
import { isolate, type Nuclei } from "./install.ts";
import { type Line, readLines } from "./read-lines.ts";
import { type LogEvent, readLog, readRequest } from "./read-log.ts";
import type { RunFacts } from "./read-outcome.ts";
import { readResults } from "./read-result.ts";
import { redactLine } from "./redact.ts";

export interface ProcessRun {
  nuclei: Nuclei;
  start: Omit<Start, "folder">;
  /** How many templates were chosen for it. */
  chosen: number;
  context: RunContext;
  /** Told twice a second which process runs. */
  onLook(pid: number): void;
  /** Looked at twice a second: why the process must end now, or undefined. */
  whyStop(): string | undefined;
}

/** What a run gave, and its hits as Nuclei printed them. */
export interface FinishedRun extends RunFacts {
  native: string[];
}

const lookSeconds = 0.5;
const mostRequests = 5_000_000;

/** Runs one Nuclei to its end, yields the share of it that is done, and returns what it said. Throws where it failed, or its output is not whole. */
export async function* runProcess(run: ProcessRun): AsyncGenerator<number, FinishedRun> {
  const { nuclei, context, start, chosen } = run;
  const folder = mkdtempSync(join(context.folder, "nuclei-"));
  const facts: FinishedRun = { results: [], requests: [], chosen, loaded: 0, broken: [], cut: undefined, native: [] };
  const log = new Log();
  const args = buildArguments({ ...start, folder });
  const { memoryBytes, outputBytes } = context.limits;
  const environment = makeEnvironment(folder, start.proxyUrl, memoryBytes);
  const child = startProcess({
    ...{ title: "Nuclei", file: nuclei.file, args, environment, folder, memoryBytes, outputBytes, signal: context.signal },
    onErrorOutput: (chunk) => log.take(chunk),
  });
  context.log("nuclei starts", { args, pid: child.pid });
  const watching = setInterval(() => {
    run.onLook(child.pid);
    facts.cut ??= run.whyStop();
    if (facts.cut !== undefined) child.stop();
  }, lookSeconds * 1000);
  const reading = settle(readHits(child, facts, start));
  try {
    const done = new Set<string>();
    for await (const line of readLines(followFile(traceFileOf(folder), child.ended), "Nuclei's log of requests")) {
      const request = readRequestOr(line, facts);
      if (request === undefined) continue;
      if (facts.requests.length >= mostRequests) throw new ParseError("Nuclei's log of requests is longer than any scan's.");
      facts.requests.push(request);
      done.add(request.template);
      if (log.loaded > 0) yield Math.min(0.99, done.size / log.loaded);
    }
    await finish({ facts, log, child, error: await reading, signal: context.signal });
  } finally {
    clearInterval(watching);
    child.stop();
    await child.ended;
  }
  return facts;
}

/** Where Nuclei was stopped, its last line may be half there. */
function readRequestOr(line: Line, facts: FinishedRun) {
  try {
    return readRequest(line);
  } catch (error) {
    if (facts.cut !== undefined) return undefined;
    throw error;
  }
}

async function readHits(child: EngineProcess, facts: FinishedRun, { login }: Pick<Start, "login">): Promise<void> {
  for await (const { result, text } of readResults(child.output, (line) => (login ? redactLine(line, login) : line))) {
    facts.results.push(result);
    facts.native.push(text);
  }
}

const settle = (work: Promise<void>): Promise<unknown> =>
  work.then(
    () => undefined,
    (error: unknown) => error,
  );

interface End {
  facts: FinishedRun;
  log: Log;
  child: EngineProcess;
  error: unknown;
  signal: AbortSignal;
}

const limitCodes = new Set(["engine.memory_limit", "engine.output_limit"]);

/** Decides what the end of the process means. Its exit code is no evidence: it is 0 for a site that was never reached. */
async function finish({ facts, log, child, error, signal }: End): Promise<void> {
  const end = await child.ended;
  signal.throwIfAborted();
  facts.loaded = log.loaded;
  facts.broken = log.broken;
  if (facts.cut !== undefined) return;
  // What was found until then counts; the rest was not looked at.
  if (error instanceof EngineError && limitCodes.has(error.code)) facts.cut = error.message;
  if (facts.cut !== undefined) return;
  if (error instanceof EngineError) throw error;
  const said = [log.fatal, end.errorText.trim().split("\n").at(-1)].find(Boolean)?.slice(-500) ?? "";
  if (log.fatal?.includes("no templates provided")) return;
  if (end.signal) throw new EngineError("engine.killed", `Nuclei was killed (${end.signal}) before it had finished.`, { retry: true });
  if (error !== undefined)
    throw new EngineError("engine.output_cut", `Nuclei's output is not whole: ${(error as Error).message}`, { retry: true, cause: error });
  if (log.matches === undefined)
    throw new EngineError("engine.failed", `Nuclei stopped with exit code ${end.exitCode} before it had finished. It said: ${said}`, { retry: true });
  if (log.matches === facts.results.length) return;
  throw new EngineError("engine.output_cut", `Nuclei says that it printed ${log.matches} hits, and ${facts.results.length} came.`, { retry: true });
}

/** Nuclei's log on standard error, read while it comes. */
class Log {
  loaded = 0;
  matches: number | undefined;
  fatal: string | undefined;
  readonly broken: string[] = [];
  #rest = "";

  take(chunk: Uint8Array): void {
    const lines = `${this.#rest}${Buffer.from(chunk).toString("utf8")}`.split("\n");
    this.#rest = (lines.pop() ?? "").slice(-65_536);
    for (const line of lines) this.#read(readLog(line));
  }

  #read(event: LogEvent | undefined): void {
    if (event?.kind === "loaded") this.loaded = event.templates;
    if (event?.kind === "finished") this.matches = event.matches;
    if (event?.kind === "fatal") this.fatal = event.text;
    if (event?.kind === "broken" && this.broken.length < 10) this.broken.push(event.text);
  }
}

const spared = /^(PATH|LANG|LC_\w+|TZ|SSL_CERT_FILE|SSL_CERT_DIR)$/;

/** Nothing of the worker's environment but what a program needs: Nuclei would take settings, keys and proxies from it. */
function makeEnvironment(folder: string, proxyUrl: string, memoryBytes: number): Record<string, string | undefined> {
  const home = join(folder, "home");
  mkdirSync(join(home, ".config", "nuclei"), { recursive: true });
  const taken = Object.fromEntries(Object.keys(process.env).flatMap((name) => (spared.test(name) ? [] : [[name, undefined]])));
  return {
    ...taken,
    ...isolate(home),
    // One of its clients, for answers that look like HTTP/2, knows no other way to the proxy.
    HTTP_PROXY: proxyUrl,
    HTTPS_PROXY: proxyUrl,
    // Go gives memory back before the worker's ceiling ends it.
    GOMEMLIMIT: `${Math.floor(memoryBytes * 0.8)}`,
  };
}

/** The bytes of a file that grows, until the process that writes it has ended. */
async function* followFile(path: string, ended: Promise<unknown>): AsyncIterable<Uint8Array> {
  let over = false;
  const end = ended.then(() => {
    over = true;
  });
  let file: FileHandle | undefined;
  try {
    for (;;) {
      const last = over;
      file ??= await open(path).catch(() => undefined);
      if (file) yield* readOn(file);
      if (last) return;
      await Promise.race([end, sleep(lookSeconds * 1000)]);
    }
  } finally {
    await file?.close();
  }
}

async function* readOn(file: FileHandle): AsyncIterable<Uint8Array> {
  for (;;) {
    const { bytesRead, buffer } = await file.read(Buffer.alloc(65_536), 0, 65_536, null);
    if (bytesRead === 0) return;
    yield buffer.subarray(0, bytesRead);
  }
}
