import { statfs } from "node:fs/promises";
import { userInfo } from "node:os";
import { join } from "node:path";
import { explainBarrier, findEngineAccount } from "@periscan/engines/kit/engine-account.ts";
import { findProgram } from "@periscan/engines/kit/find-program.ts";
import type { Command } from "commander";
import { ensureDataFolder, findDataFolder, findEnginesFolder } from "../data-folder.ts";
import type { EngineReport } from "../describe-engine.ts";
import { formatTime, paint, printJson } from "../print.ts";
import { findRuntime } from "../runtime-file.ts";
import { withDatabase } from "../with-database.ts";

interface Check {
  name: string;
  ok: boolean;
  /** What was found, or what is missing and the command that mends it. */
  detail: string;
}

export function addDoctorCommand(program: Command): void {
  program
    .command("doctor")
    .description("Check what Periscan needs here. Exit code 1 where something is missing.")
    .option("--json", "as JSON")
    .addHelpText("after", "\nExample:\n  periscan doctor\n")
    .action(doctor);
}

async function doctor({ json }: { json?: boolean }): Promise<void> {
  const checks = [
    checkNode(),
    await checkDataFolder(),
    checkPrograms(),
    checkAccount(),
    await checkDatabase(),
    checkPlatform(),
    ...(await checkEngines()),
    await checkBrowserHere(),
  ];
  if (checks.some(({ ok }) => !ok)) process.exitCode = 1;
  if (json) return printJson(checks);
  const width = Math.max(...checks.map(({ name }) => name.length));
  for (const { name, ok, detail } of checks) console.log(`${ok ? paint("green", "✓") : paint("red", "✗")} ${name.padEnd(width)}  ${detail}`);
}

const checkNode = (): Check => ({ name: "Node", ok: true, detail: process.version });

const leastFreeBytes = 1024 ** 3;

async function checkDataFolder(): Promise<Check> {
  const name = "Data folder";
  try {
    const folder = ensureDataFolder();
    const { bavail, bsize } = await statfs(folder);
    const free = bavail * bsize;
    const detail = `${folder}, ${(free / 1024 ** 3).toFixed(1)} GiB free`;
    return free >= leastFreeBytes ? { name, ok: true, detail } : { name, ok: false, detail: `${detail}: free at least 1 GiB, or set PERISCAN_DATA.` };
  } catch (error) {
    return { name, ok: false, detail: (error as Error).message };
  }
}

function checkPrograms(): Check {
  const missing = ["setpriv", "flock"].filter((program) => !findProgram(program));
  const detail = missing.length === 0 ? "setpriv, flock" : `${missing.join(" and ")} missing: apt-get install util-linux`;
  return { name: "System", ok: missing.length === 0, detail };
}

/** As whom engines run. */
function checkAccount(): Check {
  const name = "Engines run as";
  try {
    const account = findEngineAccount();
    if (!account)
      return {
        name,
        ok: true,
        detail: `${userInfo().username}, as the worker does: they can read its data folder. Run the worker as root to give them an account of their own.`,
      };
    const barrier = explainBarrier(join(findDataFolder(), "work", "any"));
    return {
      name,
      ok: barrier === undefined,
      detail: barrier ?? `${account.name} (${account.uid}), which cannot read the data folder; Nmap with net_raw and net_bind_service`,
    };
  } catch (error) {
    return { name, ok: false, detail: (error as Error).message };
  }
}

async function checkBrowserHere(): Promise<Check> {
  const { checkBrowser } = await import("@periscan/worker/login/check-browser.ts");
  return { name: "Browser", ...(await checkBrowser()) };
}

async function checkDatabase(): Promise<Check> {
  const name = "PostgreSQL";
  try {
    const { openKeys } = await import("@periscan/server/access/keys.ts");
    await withDatabase(async (databaseUrl) => (await openKeys(databaseUrl)).close());
    return { name, ok: true, detail: process.env.DATABASE_URL ? "DATABASE_URL answers" : "embedded, starts and answers" };
  } catch (error) {
    return { name, ok: false, detail: (error as Error).message };
  }
}

function checkPlatform(): Check {
  const runtime = findRuntime(findDataFolder());
  return {
    name: "Platform",
    ok: true,
    detail: runtime ? `runs at ${runtime.url ?? "(starting)"}, process ${runtime.pid}` : "does not run now; `periscan up` starts it",
  };
}

async function checkEngines(): Promise<Check[]> {
  const [{ engines }, { describeEngine }] = await Promise.all([import("@periscan/engines/registry.ts"), import("../describe-engine.ts")]);
  return Promise.all(
    engines.map(async (engine) => {
      const report = await describeEngine(findEnginesFolder(), engine);
      return { name: engine.type, ok: report.ready && report.self_test?.ok !== false, detail: describe(report) };
    }),
  );
}

const origins = { official: "official", ours: "Periscan's own", user: "yours" };

function describe({ ready, version, missing, content, self_test: test }: EngineReport): string {
  if (!ready) return missing ?? "missing";
  const parts = content.map((each) => `${each.name} ${each.version}: ${each.count.toLocaleString("en")}, ${origins[each.origin]}`);
  const tested = test ? `self-test ${test.ok ? "passed" : `FAILED (${test.message})`} ${formatTime(test.at)}` : "not tested yet: periscan engines test";
  return [version ?? "ready", ...parts, tested].join("; ");
}
