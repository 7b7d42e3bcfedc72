import type { Risk } from "@periscan/contract/risk.ts";
import type { Command } from "commander";
import { failOnOption, hasRisk, tellingFailures } from "../fail-on.ts";
import { cleanLine, formatTime, paint, paintLevel, printJson } from "../print.ts";
import { printBlocks } from "../print-blocks.ts";
import { addFormat, type Format, printList, readFormat } from "../print-list.ts";
import { readCount } from "../read-count.ts";
import { addRiskChoice, buildRiskFilters, type RiskChoice } from "../risk-choice.ts";
import { withClient } from "../session.ts";
import { take } from "../take.ts";
import { addExportCommand, exportRisks } from "./risks-export.ts";
import { addTriageCommands, describeAcceptance } from "./risks-triage.ts";

interface Options extends RiskChoice, Format {
  limit: number;
  failOn?: string;
}

export function addRisksCommand(program: Command): void {
  const risks = program
    .command("risks")
    .description("List the risks of all targets, or show one. Or accept risks, export them, show what happened to one.")
    .usage("[ID] [options]  |  accept ID…  |  unaccept ID…  |  history ID  |  export")
    .enablePositionalOptions()
    .argument("[id]", "show this risk with everything that is known of it");
  addFormat(addRiskChoice(risks).option("--limit <n>", "at most so many; of csv and sarif all", readCount, 500), ["sarif"])
    .addOption(failOnOption())
    .addHelpText(
      "after",
      `
Examples:
  periscan risks --level CRITICAL HIGH --target 127.0.0.1
  periscan risks --scan 0199d3a2-… --format sarif > risks.sarif

Exit code with --fail-on: 0 no such risk, 1 there are some, 2 wrong use, 3 it could not be told.`,
    )
    .action((id: string | undefined, options: Options) => (id === undefined ? listRisks(options) : showRisk(id, options)));
  addTriageCommands(risks);
  addExportCommand(risks);
}

async function listRisks({ failOn, limit, ...options }: Options): Promise<void> {
  await tellingFailures(failOn, async () => {
    const format = readFormat(options);
    if (format === "csv" || format === "sarif") await exportRisks({ ...options, format });
    else {
      const items = await withClient(async (client) => take(client.risks.list(await buildRiskFilters(client, options)), limit));
      const empty = "No risks match. That means little where nothing was scanned: `periscan scans` lists what was.";
      printList(options, { items, headings: ["LEVEL", "TARGET", "RISK", "STATUS", "LAST SEEN", "ID"], row: toRow, empty });
    }
    if (failOn && (await withClient(async (client) => hasRisk(client, await buildRiskFilters(client, options), failOn)))) process.exitCode = 1;
  });
}

const toRow = ({ id, target, status, is_accepted, risk_definition, last_detected_at }: Risk): string[] => [
  paintLevel(risk_definition.threat_level),
  cleanLine(target),
  cleanLine(risk_definition.title),
  is_accepted ? `${status}, accepted` : status,
  formatTime(last_detected_at),
  id,
];

async function showRisk(id: string, options: Options): Promise<void> {
  const risk = await withClient((client) => client.risks.get(id));
  if (readFormat(options) === "json") return printJson(risk);
  const { risk_definition: definition } = risk;
  console.log(`${paint("bold", cleanLine(definition.title))} on ${cleanLine(risk.target)}`);
  console.log(
    `${paintLevel(definition.threat_level)} · ${cleanLine(risk.status)} · first seen ${formatTime(risk.first_detected_at)}, last ${formatTime(risk.last_detected_at)}`,
  );
  for (const each of risk.accepted_by) console.log(describeAcceptance(each));
  printSection("What it is", [definition.description]);
  printSection("What to do", [definition.solution]);
  const facts = Object.entries(definition.additional_info).map(([name, value]) => `${name}: ${Array.isArray(value) ? value.join(", ") : value}`);
  printSection("What was seen", facts);
  if (risk.evidence?.length) {
    console.log(`\n${paint("bold", "Evidence")}`);
    printBlocks(risk.evidence);
  }
  printSection("Read on", definition.references);
}

function printSection(heading: string, lines: string[]): void {
  if (lines.length === 0) return;
  console.log(`\n${paint("bold", heading)}`);
  for (const line of lines) console.log(`  ${cleanLine(line)}`);
}
