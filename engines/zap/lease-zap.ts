import { join } from "node:path";
import type { ScanType } from "@periscan/contract/scan.ts";
import type { TargetLogin } from "@periscan/contract/target.ts";
import { EngineError, type RunContext } from "../kit/engine.ts";
import { withInstallLock } from "../kit/install.ts";
import { type CallZap, ZapApiError } from "./call-zap.ts";
import { writeContentRecord } from "./content-record.ts";
import type { Zap } from "./find-zap.ts";
import { listContent } from "./install.ts";
import { listLoginSettings } from "./log-in.ts";
import type { Origin } from "./origin.ts";
import { type Rules, readRules } from "./read-rules.ts";
import { type RunningZap, startZap } from "./start-zap.ts";

export interface Lease {
  /** The ZAP to scan this site with: started when it is first needed, and again where it has to know another login from its start. */
  get(origin: Origin, login: TargetLogin | undefined): Promise<{ running: RunningZap; rules: Rules }>;
  /** Ends it; one that runs for others too is left as it was found, with an empty session. */
  release(): Promise<void>;
}

/** A task's hold on a ZAP. One that runs already has one session, so it serves one task at a time. */
export async function leaseZap(zap: Zap, type: ScanType, context: RunContext): Promise<Lease> {
  const unlock = zap.kind === "running" ? await lockSession(context) : async () => {};
  let current: { running: RunningZap; rules: Rules; settings: string; restore: () => Promise<void> } | undefined;
  const stop = async () => {
    const old = current;
    current = undefined;
    await old?.restore();
    await old?.running.stop();
  };
  const get = async (origin: Origin, login: TargetLogin | undefined) => {
    const environment = listLoginSettings(zap.kind, origin, login);
    const settings = JSON.stringify(environment);
    if (current?.settings === settings) return current;
    await stop();
    const { enginesFolder, signal, log, limits } = context;
    const homeFolder = join(context.folder, "zap");
    const running = await startZap({ zap, enginesFolder, homeFolder, memoryBytes: limits.memoryBytes, environment, signal, log });
    try {
      const rules = await readRules(running.call, zap.kind);
      writeContentRecord(context.enginesFolder, zap, running.version, rules);
      requireRules(type, rules);
      current = { running, rules, settings, restore: zap.kind === "running" ? await keepSettings(running.call) : async () => {} };
      return current;
    } catch (error) {
      await running.stop();
      throw error;
    }
  };
  const release = async () => {
    try {
      await stop();
    } finally {
      await unlock();
    }
  };
  return { get, release };
}

/** Without rules every site is clean. */
function requireRules(type: ScanType, rules: Rules): void {
  const empty = listContent(type, { version: "", passive: rules.passive.content, active: rules.active.content }).find(({ count }) => count === 0);
  if (!empty) return;
  const mend = "Install its add-ons pscanrules and ascanrules, or unset ZAP_HOME and PERISCAN_ZAP_URL and let `./periscan engines install zap` build one.";
  throw new EngineError("engine.content_empty", `${empty.name}: none of them is on, so ZAP would find nothing. ${mend}`, { retry: false });
}

async function lockSession({ enginesFolder, signal, log }: RunContext): Promise<() => Promise<void>> {
  const held = Promise.withResolvers<void>();
  const freed = Promise.withResolvers<void>();
  const holding = withInstallLock("zap-session", { enginesFolder, signal, say: (line) => log(line) }, async () => {
    held.resolve();
    await freed.promise;
  });
  await Promise.race([held.promise, holding]);
  return async () => {
    freed.resolve();
    await holding;
  };
}

/** What a scan changes of a ZAP that is not its own, put back. The way out is closed first: it leads to a proxy that is gone. */
async function keepSettings(call: CallZap): Promise<() => Promise<void>> {
  const answer = (await call("core/view/mode")) as { mode?: unknown };
  const mode = typeof answer?.mode === "string" ? answer.mode : "standard";
  const steps: [string, Record<string, string | boolean>][] = [
    ["network/action/setHttpProxyEnabled", { enabled: false }],
    ["core/action/newSession", { name: "", overwrite: true }],
    ["core/action/setMode", { mode }],
  ];
  return async () => {
    for (const [path, params] of steps)
      await call(path, params).catch((error: unknown) => {
        // It is gone, or busy: there is nothing more to do for it.
        if (!(error instanceof ZapApiError)) throw error;
      });
  };
}
