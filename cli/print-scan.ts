import type { Scan, ScanTarget } from "@periscan/contract/scan.ts";
import type { DocumentRisk } from "@periscan/contract/scan-document.ts";
import { cleanLine, formatDuration, paint, paintLevel, printTable } from "./print.ts";

/** The end of a scan for a person: its state and why, the risks, each target's outcome, the files. */
export function printScan(scan: Scan, risks: DocumentRisk[], files: string[]): void {
  console.log(`${paint("bold", `${scan.type} scan ${scan.id}`)}  ${describeState(scan)}`);
  if (scan.error) console.log(paint("red", cleanLine(scan.error.message)));
  if (scan.import) console.log(cleanLine(scan.import.summary));
  printRisks(scan, risks);
  printTargets(scan);
  if (files.length === 0) return;
  console.log(`\n${paint("bold", "Results")}`);
  for (const file of files) console.log(`  ${cleanLine(file)}`);
}

function describeState({ state, progress, started_at, finished_at, target_counts }: Scan): string {
  const seconds = finished_at && started_at ? ` in ${formatDuration((Date.parse(finished_at) - Date.parse(started_at)) / 1000)}` : "";
  const { complete, requested } = target_counts;
  const counts = `${complete} of ${requested} target${requested === 1 ? "" : "s"} scanned to the end`;
  if (state === "SUCCEEDED") return `${paint(complete === requested ? "green" : "yellow", state)}${seconds}, ${counts}`;
  if (state === "FAILED") return `${paint("red", state)}${seconds}, ${counts}`;
  return state === "RUNNING" ? `${state}, ${progress} %` : cleanLine(state);
}

const marks = { new_open: "new", still_open: "", closed: "closed" };

function printRisks(scan: Scan, risks: DocumentRisk[]): void {
  const { new_open, still_open, closed } = scan.risk_counts;
  console.log(`\n${paint("bold", "Risks")}  ${new_open} new, ${still_open} still open, ${closed} closed`);
  if (risks.length > 0) printTable(["LEVEL", "", "TARGET", "RISK"], risks.map(toRow));
  else if (scan.state !== "SUCCEEDED") console.log("  None known. That does not say that there are none: see the targets below.");
}

/** Open ports are told apart by what answers there, so the description's first sentence stands beside the title. */
const toRow = ({ threat_level, change, target, title, additional_info }: DocumentRisk): string[] => [
  paintLevel(threat_level),
  Object.hasOwn(marks, change) ? marks[change] : "",
  cleanLine(target),
  cleanLine(
    [title, ...["service", "product", "version"].flatMap((name) => (typeof additional_info[name] === "string" ? additional_info[name] : []))].join("  "),
  ),
];

function printTargets({ id, targets, target_counts }: Scan): void {
  console.log(`\n${paint("bold", "Targets")}`);
  for (const target of targets) console.log(`  ${describeTarget(target)}`);
  if (target_counts.requested > targets.length)
    console.log(`  The first ${targets.length} of ${target_counts.requested} are shown. All of them: periscan scan show ${id} --targets`);
}

const signs = {
  complete: paint("green", "✓"),
  partial: paint("yellow", "!"),
  unreachable: paint("yellow", "!"),
  skipped: paint("red", "✗"),
  pending: paint("gray", "…"),
};

/** One target's line: `✓ 127.0.0.1  complete: All 65,535 TCP ports`. */
export function describeTarget({ target, resolved_target, outcome, reason, coverage, notes }: ScanTarget): string {
  const address = resolved_target && resolved_target !== target ? ` (${cleanLine(resolved_target)})` : "";
  const what = outcome === "complete" ? coverage : reason;
  const more = notes.length === 0 ? "" : ` ${paint("gray", cleanLine(notes.join(" ")))}`;
  return `${Object.hasOwn(signs, outcome) ? signs[outcome] : ""} ${cleanLine(target)}${address}  ${cleanLine(outcome)}${what ? `: ${cleanLine(what)}` : ""}${more}`;
}
