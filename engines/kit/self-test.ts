import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { type Engine, EngineError } from "./engine.ts";
import { makeRunFolder } from "./run-folder.ts";

/** How the last self-test of an engine went. */
const SelfTest = z.object({ at: z.iso.datetime(), version: z.string(), ok: z.boolean(), message: z.string() });
export type SelfTest = z.infer<typeof SelfTest>;

const fileOf = (enginesFolder: string, { type }: Engine) => join(enginesFolder, "self-tests", `${type}.json`);

/** The record of the last self-test, or undefined where there was none. */
export function readSelfTest(enginesFolder: string, engine: Engine): SelfTest | undefined {
  try {
    return SelfTest.parse(JSON.parse(readFileSync(fileOf(enginesFolder, engine), "utf8")));
  } catch {
    return undefined;
  }
}

const limits = { packetsPerSecond: Number.POSITIVE_INFINITY, outputBytes: 64 * 1024 ** 2 };
const longestSeconds = 180;

/** Lets the engine scan something small of its own, and keeps how that went. */
export async function runSelfTest(enginesFolder: string, engine: Engine, signal: AbortSignal): Promise<SelfTest> {
  const folder = makeRunFolder(tmpdir(), "periscan-self-test-");
  const runner = await engine.load();
  const { version = "" } = await runner.probe({ enginesFolder });
  const context = {
    enginesFolder,
    folder,
    limits: { ...limits, memoryBytes: engine.memoryMegabytes * 1024 ** 2 },
    log: () => {},
    signal: AbortSignal.any([signal, AbortSignal.timeout(longestSeconds * 1000)]),
  };
  let outcome: Pick<SelfTest, "ok" | "message">;
  try {
    outcome = { ok: true, message: await runner.selfTest(context) };
  } catch (error) {
    signal.throwIfAborted();
    outcome = { ok: false, message: error instanceof EngineError ? error.message : `it failed: ${(error as Error).message}` };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  const record = { at: new Date().toISOString(), version, ...outcome };
  mkdirSync(join(enginesFolder, "self-tests"), { recursive: true, mode: 0o755 });
  writeFileSync(fileOf(enginesFolder, engine), `${JSON.stringify(record)}\n`);
  return record;
}
