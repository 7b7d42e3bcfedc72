import type { Client } from "@periscan/sdk/client.ts";
import type { Command } from "commander";
import { findDataFolder, findEnginesFolder } from "../data-folder.ts";
import type { EngineReport } from "../describe-engine.ts";
import { cleanLine, paint, printJson, printTable } from "../print.ts";
import { findRuntime } from "../runtime-file.ts";
import { openSession } from "../session.ts";
import { readSettings } from "../settings.ts";
import { take } from "../take.ts";
import { watchAnew } from "../watch-anew.ts";

interface Options {
  json?: boolean;
  watch?: boolean;
}

export function addStatusCommand(program: Command): void {
  program
    .command("status")
    .description("Show whether a platform runs, which scans run and wait, and which engines are here. Starts nothing. Exit code 1 where none runs.")
    .option("--watch", "show it anew every two seconds, until Ctrl-C")
    .option("--json", "as JSON")
    .addHelpText("after", "\nExample:\n  periscan status --watch\n")
    .action(showStatus);
}

/** More than a person looks through; the count says where there are more. */
const shownScans = 20;
const countedScans = 1000;

interface RunningScan {
  id: string;
  type: string;
  progress: number;
  targets: string[];
}

interface Status {
  platform: { url: string | null; pid?: number; runs: boolean };
  running: RunningScan[];
  queued: number;
  engines?: EngineReport[];
}

async function showStatus({ json, watch }: Options): Promise<void> {
  const isRemote = readSettings().server.value !== undefined;
  const runtime = isRemote ? undefined : findRuntime(findDataFolder());
  const engines = isRemote ? {} : { engines: await describeEngines() };
  if (!isRemote && !runtime?.url) {
    print({ platform: { runs: false, url: null, ...(runtime ? { pid: runtime.pid } : {}) }, running: [], queued: 0, ...engines }, json);
    process.exitCode = 1;
    return;
  }
  const platform = { runs: true, url: readSettings().server.value ?? runtime?.url ?? null, ...(runtime ? { pid: runtime.pid } : {}) };
  const read = async (client: Client): Promise<Status> => ({ platform, ...(await readScans(client)), ...engines });
  if (watch) return watchAnew(read, (status) => print(status, json));
  const session = await openSession();
  try {
    print(await read(session.client), json);
  } finally {
    await session.close();
  }
}

async function readScans(client: Client): Promise<Pick<Status, "running" | "queued">> {
  const running = await take(client.scans.list({ state: ["RUNNING"] }), shownScans);
  const queued = await take(client.scans.list({ state: ["QUEUED"] }), countedScans);
  const describe = ({ id, type, progress, requested_targets }: (typeof running)[number]) => ({
    id,
    type,
    progress,
    targets: requested_targets.map(({ target }) => target),
  });
  return { running: running.map(describe), queued: queued.length };
}

async function describeEngines(): Promise<EngineReport[]> {
  const [{ engines }, { describeEngine }] = await Promise.all([import("@periscan/engines/registry.ts"), import("../describe-engine.ts")]);
  return Promise.all(engines.map((engine) => describeEngine(findEnginesFolder(), engine)));
}

function print(status: Status, json: boolean | undefined): void {
  if (json) return void printJson(status);
  const { platform, running, queued, engines } = status;
  const pid = platform.pid === undefined ? "" : `, process ${platform.pid}`;
  const none = pid === "" ? paint("yellow", "does not run; `periscan up` starts it") : paint("yellow", `is starting${pid}`);
  console.log(`${paint("bold", "Platform")}  ${platform.runs ? `${paint("green", "runs")} at ${platform.url}${pid}` : none}`);
  if (platform.runs) console.log(`${paint("bold", "Queue")}     ${queued === countedScans ? `${queued} or more` : queued} waiting`);
  if (running.length > 0) console.log("");
  if (running.length > 0)
    printTable(
      ["RUNNING", "TYPE", "PROGRESS", "TARGETS"],
      running.map((scan) => [scan.id, scan.type, `${scan.progress} %`, cleanLine(scan.targets.join(", "))]),
    );
  if (!engines) return;
  console.log("");
  printTable(
    ["ENGINE", "STATE"],
    engines.map(({ type, ready, version, missing }) => [type, ready ? (version ?? "ready") : paint("red", missing ?? "missing")]),
  );
}
