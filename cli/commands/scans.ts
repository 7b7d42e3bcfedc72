import { type Scan, ScanState, type ScanType } from "@periscan/contract/scan.ts";
import { type Command, Option } from "commander";
import { cleanLine, formatTime, paint, printJson, printTable } from "../print.ts";
import { readCount } from "../read-count.ts";
import { withClient } from "../session.ts";
import { take } from "../take.ts";
import { readType } from "./scan.ts";

interface Options {
  json?: boolean;
  limit: number;
  state?: string[];
  type?: string[];
}

export function addScansCommand(program: Command): void {
  program
    .command("scans")
    .description("List scans, newest first.")
    .option("--type <type...>", "only these types, such as NMAP", collectType)
    .addOption(new Option("--state <state...>", "only these states").choices(ScanState.options))
    .option("--limit <n>", "at most so many", readCount, 50)
    .option("--json", "as JSON")
    .addHelpText("after", "\nExample:\n  periscan scans --state RUNNING QUEUED\n")
    .action(listScans);
}

const collectType = (text: string, types: ScanType[] = []): ScanType[] => [...types, readType(text)];

async function listScans({ json, limit, state, type }: Options): Promise<void> {
  const filters = { ...(state ? { state } : {}), ...(type ? { type } : {}) };
  const scans = await withClient((client) => take(client.scans.list(filters), limit));
  if (json) return printJson(scans);
  if (scans.length === 0) return console.log("No scans yet. Start one: periscan scan NMAP 127.0.0.1");
  printTable(["SCAN", "TYPE", "STATE", "CREATED", "NEW RISKS", "TARGETS"], scans.map(toRow));
}

const toRow = (scan: Scan): string[] => [
  scan.id,
  scan.type,
  paintState(scan),
  formatTime(scan.created_at),
  `${scan.risk_counts.new_open}`,
  cleanLine(describeTargets(scan)),
];

function describeTargets({ requested_targets, target_counts }: Scan): string {
  const more = target_counts.requested - requested_targets.length;
  return `${requested_targets.map(({ target }) => target).join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
}

function paintState({ state, progress, skipped_targets }: Scan): string {
  if (state === "RUNNING") return paint("cyan", `RUNNING ${progress} %`);
  if (state === "FAILED") return paint("red", state);
  if (state === "SUCCEEDED") return skipped_targets.length > 0 ? paint("yellow", "SUCCEEDED, partly") : paint("green", state);
  return state;
}
