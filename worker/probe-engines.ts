import { readdirSync } from "node:fs";
import { join } from "node:path";
import type { EngineStatus } from "@periscan/contract/worker-protocol.ts";
import type { Engine } from "@periscan/engines/kit/engine.ts";
import { isInstalling } from "@periscan/engines/kit/install.ts";

interface Probing {
  engines: readonly Engine[];
  enginesFolder: string;
  /** What all engines of this worker may use together. */
  memoryMegabytes: number;
  /** Told of each build that is there to be used. */
  hold(folder: string): void;
  /** Milliseconds of a clock that never goes back. */
  now?: () => number;
}

/** How long an answer is kept: a program that the system installed, or a feed that was filled, is noticed that soon. */
const keepSeconds = 30;

/**
 * Asks every engine what is here, for the server. Asking starts programs, so the answer is kept for half a minute; an install of ours, which makes and
 * removes its lock in the engines' folder, is noticed at once. A run asks anew, so an old answer costs at most an attempt.
 */
export function createEngineProbe({ engines, enginesFolder, memoryMegabytes, hold, now = () => performance.now() }: Probing): () => Promise<EngineStatus[]> {
  let kept: { statuses: EngineStatus[]; until: number; entries: string } | undefined;
  return async () => {
    const entries = listEntries(enginesFolder);
    if (kept && kept.entries === entries && now() < kept.until) return kept.statuses;
    const statuses = await Promise.all(engines.map((engine) => probeEngine(engine, { enginesFolder, memoryMegabytes, hold })));
    kept = { statuses, until: now() + keepSeconds * 1000, entries };
    return statuses;
  };
}

/** Changes with each file and folder that comes or goes in it. One that cannot be read has none. */
function listEntries(folder: string): string {
  try {
    return readdirSync(folder).sort().join("/");
  } catch {
    return "";
  }
}

async function probeEngine(engine: Engine, { enginesFolder, memoryMegabytes, hold }: Omit<Probing, "engines" | "now">): Promise<EngineStatus> {
  const runner = await engine.load();
  if (runner.build !== undefined) hold(join(enginesFolder, runner.build));
  const status = { type: engine.type, ...(await runner.probe({ enginesFolder })), installing: isInstalling(enginesFolder, engine.program) };
  if (engine.memoryMegabytes <= memoryMegabytes) return status;
  const missing = `${engine.title} needs ${engine.memoryMegabytes} MB of memory, and this worker has ${memoryMegabytes} for all its engines: start it with --memory ${engine.memoryMegabytes} or more.`;
  return { ...status, ready: false, missing };
}
