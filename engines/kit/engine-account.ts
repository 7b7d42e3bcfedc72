import { statSync } from "node:fs";
import { dirname } from "node:path";
import { ensureSystemAccount, type SystemAccount } from "@periscan/contract/system-account.ts";
import { EngineError } from "./engine.ts";

const accountName = "periscan-engine";
let account: SystemAccount | undefined;

/**
 * The account that engines run as where the worker is root; made when it is first needed. Undefined where the worker is another user: engines then run as that
 * user. Throws an EngineError where it cannot be made: an engine never runs as root instead.
 */
export function findEngineAccount(): SystemAccount | undefined {
  if (process.geteuid?.() !== 0) return undefined;
  try {
    account ??= ensureSystemAccount(accountName);
    return account;
  } catch (cause) {
    throw new EngineError("engine.no_account", (cause as Error).message, { retry: true, cause });
  }
}

/** Why engines cannot get to the path, with the mend; undefined where they can. It is not looked at whether they may read what is there. */
export function explainBarrier(path: string): string | undefined {
  const engine = findEngineAccount();
  if (!engine) return undefined;
  for (let folder = dirname(path); ; folder = dirname(folder)) {
    if (!mayPass(folder, engine))
      return `engines run as the account ${engine.name}, which may not pass through ${folder}: let others pass (chmod o+x ${folder})`;
    if (folder === dirname(folder)) return undefined;
  }
}

/** A folder that is not there bars nobody from one that will be made. */
function mayPass(folder: string, { uid, gid }: SystemAccount): boolean {
  const stat = statSync(folder, { throwIfNoEntry: false });
  if (!stat) return true;
  const bit = stat.uid === uid ? 0o100 : stat.gid === gid ? 0o010 : 0o001;
  return (stat.mode & bit) !== 0;
}
