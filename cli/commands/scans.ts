import type { Scan, ScanType } from "@periscan/contract/scan.ts";
import { scanStates } from "@periscan/contract/words.ts";
import type { Client } from "@periscan/sdk/client.ts";
import { type Command, Option } from "commander";
import { cleanLine, formatTime, paint } from "../print.ts";
import { addFormat, type Format, printList } from "../print-list.ts";
import { readCount } from "../read-count.ts";
import { withClient } from "../session.ts";
import { take } from "../take.ts";
import { watchAnew } from "../watch-anew.ts";
import { readType } from "./scan.ts";

interface Options extends Format {
  watch?: boolean;
  limit: number;
  state?: string[];
  type?: string[];
}

export function addScansCommand(program: Command): void {
  addFormat(
    program
      .command("scans")
      .description("List scans, newest first.")
      .option("--type <type...>", "only these types, such as NMAP", collectType)
      .addOption(new Option("--state <state...>", "only these states").choices([...scanStates]))
      .option("--limit <n>", "at most so many", readCount, 50)
      .option("--watch", "show it anew every two seconds, until Ctrl-C"),
  )
    .addHelpText("after", "\nExamples:\n  periscan scans --state RUNNING QUEUED\n  periscan scans --format csv > scans.csv\n")
    .action(listScans);
}

const collectType = (text: string, types: ScanType[] = []): ScanType[] => [...types, readType(text)];

async function listScans({ limit, state, type, watch, ...format }: Options): Promise<void> {
  const filters = { ...(state ? { state } : {}), ...(type ? { type } : {}) };
  const headings = ["SCAN", "TYPE", "STATE", "CREATED", "NEW RISKS", "TARGETS"];
  const empty = "No scans yet. Start one: periscan scan NMAP 127.0.0.1";
  const read = async (client: Client) => ({ items: await take(client.scans.list(filters), limit), headings, row: toRow, empty });
  if (watch) return watchAnew(read, (list) => printList(format, list));
  printList(format, await withClient(read));
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
