import { chmodSync, chownSync, closeSync, constants, fchownSync, mkdirSync, mkdtempSync, openSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { EngineError } from "./engine.ts";
import { explainBarrier, findEngineAccount } from "./engine-account.ts";

/**
 * Makes the folder of a run in `parent`, its name beginning with `prefix`. It stays the worker's: engines pass through it and write only in the folders that
 * `makeEngineFolder` makes in it, so that nothing that the worker writes to can be put in the place of something else. Whoever makes it removes it.
 */
export function makeRunFolder(parent: string, prefix = "run-"): string {
  const folder = mkdtempSync(join(parent, prefix));
  letEnginesPass(folder);
  const barrier = explainBarrier(join(folder, "any"));
  if (barrier !== undefined)
    throw new EngineError("engine.barred", `The run has no folder that its engine can use: ${barrier}, or name another data folder (PERISCAN_DATA).`, {
      retry: true,
    });
  return folder;
}

/** The folder is the worker's, and nobody but engines may pass through it. */
export function letEnginesPass(folder: string): void {
  const account = findEngineAccount();
  if (account) chownSync(folder, 0, account.gid);
  chmodSync(folder, account ? 0o710 : 0o700);
}

/** Makes a folder that is an engine's own, where there is none yet: of the account that engines run as, closed to all others. */
export function makeEngineFolder(path: string): string {
  mkdirSync(path, { mode: 0o700 });
  const account = findEngineAccount();
  if (account) chownSync(path, account.uid, account.gid);
  return path;
}

/** Makes another such folder in a run's folder, for one process. */
export function makeHome(runFolder: string): string {
  const path = mkdtempSync(join(runFolder, "home-"));
  const account = findEngineAccount();
  if (account) chownSync(path, account.uid, account.gid);
  return path;
}

/** Writes a file that is not there yet, for an engine to read and for no other user: secrets are handed over so. */
export function writeForEngine(path: string, content: string | Uint8Array): string {
  const account = findEngineAccount();
  // It fails where something is there already, also a link that an engine laid.
  const file = openSync(path, "wx", 0o600);
  try {
    writeFileSync(file, content);
    if (account) fchownSync(file, account.uid, account.gid);
  } finally {
    closeSync(file);
  }
  return path;
}

/** For opening what an engine wrote: a link that it laid, or a pipe, is not followed and not waited for. */
export const readEngineFile = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
