import type { ScanType } from "@periscan/contract/scan.ts";
import { findEngine } from "@periscan/engines/registry.ts";
import { ensureDataFolder } from "./data-folder.ts";
import { UserError } from "./user-error.ts";

/**
 * Makes sure that this machine can run the scan type: installs the engine when we are root or the user said yes. Throws a UserError with the
 * command that mends it otherwise. A type without an engine is left to the server, which says so.
 */
export async function installMissing(type: ScanType, { yes }: { yes: boolean }): Promise<void> {
  const engine = findEngine(type);
  if (!engine) return;
  const dataFolder = ensureDataFolder();
  const runner = await engine.load();
  const before = await runner.probe({ dataFolder });
  if (before.ready) return;
  if (!yes && process.geteuid?.() !== 0) throw new UserError(before.missing ?? `${engine.program} is missing.`);
  console.error(`${engine.program} is missing here; installing it.`);
  await runner.install({ dataFolder, say: (line) => console.error(`  ${line}`) });
  const after = await runner.probe({ dataFolder });
  if (!after.ready) throw new UserError(after.missing ?? `${engine.program} could not be installed.`);
}
