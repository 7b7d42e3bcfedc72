import { createInterface } from "node:readline/promises";
import type { ScanType } from "@periscan/contract/scan.ts";
import { type Engine, EngineError } from "@periscan/engines/kit/engine.ts";
import { runSelfTest } from "@periscan/engines/kit/self-test.ts";
import { sweepBuilds } from "@periscan/engines/kit/sweep-builds.ts";
import { engines, findEngine } from "@periscan/engines/registry.ts";
import { ensureEnginesFolder } from "./data-folder.ts";
import { describeEngine, type EngineReport } from "./describe-engine.ts";
import { UserError } from "./user-error.ts";

/**
 * Installs an engine and lets each scan type of it test itself. Throws an EngineError where it cannot be installed, or does not see what it
 * should. Older builds of it that nobody uses are removed then. An interrupt stops it; the next install begins anew.
 */
export async function installEngine(engine: Engine, say: (line: string) => void): Promise<EngineReport> {
  const enginesFolder = ensureEnginesFolder();
  const stopped = new AbortController();
  const stop = () => stopped.abort(new UserError(`Stopped. \`periscan engines install ${engine.program}\` begins anew.`));
  const context = { enginesFolder, signal: stopped.signal, say };
  const runner = await engine.load();
  process.once("SIGINT", stop).once("SIGTERM", stop);
  try {
    await runner.install(context);
    for (const each of engines.filter(({ program }) => program === engine.program)) await testInstalled(enginesFolder, each, context);
    await sweepBuilds(engine.program, runner, context);
    return await describeEngine(enginesFolder, engine);
  } catch (error) {
    stopped.signal.throwIfAborted();
    throw error;
  } finally {
    process.off("SIGINT", stop).off("SIGTERM", stop);
  }
}

/** A type that cannot run here for a reason of the machine (no raw sockets, no feed yet) is said, and is no failure of the install. */
async function testInstalled(enginesFolder: string, engine: Engine, { signal, say }: { signal: AbortSignal; say(line: string): void }): Promise<void> {
  const { ready, missing } = await describeEngine(enginesFolder, engine);
  if (!ready) return say(`${engine.type} cannot run yet: ${missing}`);
  const { ok, message } = await runSelfTest(enginesFolder, engine, signal);
  say(`Self-test of ${engine.type}: ${message}`);
  if (!ok) throw new EngineError("engine.self_test_failed", `${engine.program} is installed, but its self-test failed: ${message}`, { retry: false });
}

/** Up to here an install needs no question: it is quick, and is what whoever asked for the scan expects. */
const smallMegabytes = 100;

/**
 * Makes sure that this machine can run the scan type: a small engine is installed at once, a large one when the user says yes. Throws a
 * UserError with the command that mends it otherwise.
 */
export async function installMissing(type: ScanType, { yes }: { yes: boolean }): Promise<void> {
  const engine = findEngine(type);
  const { ready, missing, version } = await describeEngine(ensureEnginesFolder(), engine);
  if (ready) return;
  // It is here and cannot run for another reason, which an install does not mend.
  if (version !== undefined) throw new UserError(missing ?? `${engine.program} cannot run here.`);
  if (!yes && engine.installCost.megabytes > smallMegabytes && !(await ask(engine))) throw new UserError(missing ?? `${engine.program} is missing.`);
  console.error(`${engine.program} is missing here; installing it.`);
  const after = await installEngine(engine, (line) => console.error(`  ${line}`)).catch((error: Error) => {
    throw error instanceof EngineError ? new UserError(error.message, { cause: error }) : error;
  });
  if (!after.ready) throw new UserError(after.missing ?? `${engine.program} could not be installed.`);
}

/** Only a person at a terminal can answer. */
async function ask({ program, installCost: { megabytes, minutes } }: Engine): Promise<boolean> {
  if (!process.stdin.isTTY || !process.stderr.isTTY) return false;
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const answer = await terminal.question(`${program} is missing here. Install it now? It takes about ${megabytes} MB and ${minutes} min. [Y/n] `);
    return /^(y|yes|)$/i.test(answer.trim());
  } finally {
    terminal.close();
  }
}
