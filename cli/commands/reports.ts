import { basename, resolve } from "node:path";
import type { Report } from "@periscan/contract/report.ts";
import type { ThreatLevel } from "@periscan/contract/risk.ts";
import type { Client } from "@periscan/sdk/client.ts";
import { type Command, Option } from "commander";
import { cleanLine, formatTime, paint, printJson } from "../print.ts";
import { addFormat, type Format, printList } from "../print-list.ts";
import { readCount } from "../read-count.ts";
import { findTargetIds } from "../risk-choice.ts";
import { saveFile } from "../save-results.ts";
import { withClient } from "../session.ts";
import { take } from "../take.ts";

interface MakeOptions {
  format: "pdf" | "html";
  target?: string[];
  tag?: string[];
  level?: ThreatLevel[];
  output?: string;
  json?: boolean;
}

export function addReportCommands(program: Command): void {
  program
    .command("report")
    .description("Make a report over targets and their risks, wait for it, and keep it: summary, trend, risks, decisions, scope.")
    .addOption(new Option("--format <format>", "the file's format").choices(["pdf", "html"]).default("pdf"))
    .option("--target <target...>", "only of these targets, by address, name or id")
    .option("--tag <tag...>", "only of targets with one of these tags")
    .addOption(new Option("--level <level...>", "only risks of these threat levels").choices(["CRITICAL", "HIGH", "MEDIUM", "LOW", "NONE"]))
    .option("--output <file>", "where to; in this folder, under the server's name, where absent")
    .option("--json", "print the report's id and its file as JSON")
    .addHelpText("after", "\nExample:\n  periscan report --tag production --output report.pdf\n")
    .action(makeReport);
  const reports = addFormat(
    program
      .command("reports")
      .description("List the reports that were asked for, or fetch one again.")
      .enablePositionalOptions()
      .option("--limit <n>", "at most so many", readCount, 50),
  )
    .addHelpText("after", "\nExample:\n  periscan reports --format json\n")
    .action(listReports);
  reports
    .command("get")
    .description("Download a report; waits for one that is being made.")
    .argument("<id>")
    .option("--output <file>", "where to; in this folder, under the server's name, where absent")
    .addHelpText("after", "\nExample:\n  periscan reports get 0199d3a2-… --output report.pdf\n")
    .action(async (id: string, { output }: { output?: string }) => console.log(cleanLine(await withClient((client) => saveReport(client, id, output)))));
}

async function makeReport({ format, target, tag, level, output, json }: MakeOptions): Promise<void> {
  const made = await withClient(async (client) => {
    const targets = { ...(target ? { target_ids: await findTargetIds(client, target) } : {}), ...(tag ? { tag } : {}) };
    const { id } = await client.reports.create({
      report_format: format === "pdf" ? "PDF" : "HTML",
      targets_filter: targets,
      ...(level ? { risks_filter: { "risk_definition.threat_level": level } } : {}),
    });
    return { id, file: await saveReport(client, id, output) };
  });
  if (json) printJson(made);
  else console.log(cleanLine(made.file));
}

async function saveReport(client: Client, id: string, output: string | undefined): Promise<string> {
  const { fileName, body } = await client.reports.download(id);
  return saveFile(body, resolve(output ?? basename(fileName)), `Name another file: \`periscan reports get ${id} --output FILE\` fetches it again.`);
}

async function listReports({ limit, ...format }: Format & { limit: number }): Promise<void> {
  const reports = await withClient((client) => take(client.reports.list(), limit));
  const headings = ["REPORT", "FORMAT", "STATE", "ASKED FOR", "OF"];
  printList(format, { items: reports, headings, row: toRow, empty: "No reports yet. Make one: periscan report" });
}

const toRow = ({ id, report_format, state, created_at, targets_filter, risks_filter, error }: Report): string[] => [
  id,
  report_format,
  state === "FAILED" ? paint("red", state) : state,
  formatTime(created_at),
  cleanLine(error ?? (JSON.stringify({ ...targets_filter, ...risks_filter }).slice(1, -1) || "everything")),
];
