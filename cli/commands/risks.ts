import type { Risk } from "@periscan/contract/risk.ts";
import type { Client } from "@periscan/sdk/client.ts";
import { type Command, Option } from "commander";
import { cleanLine, formatTime, paint, paintLevel, printJson, printTable } from "../print.ts";
import { printBlocks } from "../print-blocks.ts";
import { readCount } from "../read-count.ts";
import { withClient } from "../session.ts";
import { take } from "../take.ts";
import { UserError } from "../user-error.ts";

interface Options {
  json?: boolean;
  limit: number;
  status: "open" | "closed" | "all";
  level?: string[];
  target?: string[];
  scan?: string;
}

export function addRisksCommand(program: Command): void {
  program
    .command("risks")
    .description("List the risks of all targets, or show one.")
    .argument("[id]", "show this risk with everything that is known of it")
    .addOption(new Option("--status <status>", "which ones").choices(["open", "closed", "all"]).default("open"))
    .addOption(new Option("--level <level...>", "only these threat levels").choices(["CRITICAL", "HIGH", "MEDIUM", "LOW", "NONE"]))
    .option("--target <target...>", "only of these targets, by address, name or id")
    .option("--scan <id>", "only those that this scan saw or closed")
    .option("--limit <n>", "at most so many", readCount, 500)
    .option("--json", "as JSON")
    .addHelpText("after", "\nExample:\n  periscan risks --level CRITICAL HIGH --target 127.0.0.1\n")
    .action((id: string | undefined, options: Options) => (id === undefined ? listRisks(options) : showRisk(id, options)));
}

async function listRisks(options: Options): Promise<void> {
  const risks = await withClient(async (client) => take(client.risks.list(await buildFilters(client, options)), options.limit));
  if (options.json) return printJson(risks);
  if (risks.length === 0) return console.log("No risks match. That means little where nothing was scanned: `periscan scans` lists what was.");
  printTable(["LEVEL", "TARGET", "RISK", "STATUS", "LAST SEEN", "ID"], risks.map(toRow));
}

async function buildFilters(client: Client, { status, level, target, scan }: Options): Promise<Record<string, string[]>> {
  return {
    ...(status === "all" ? {} : { status: [status.toUpperCase()] }),
    ...(level ? { "risk_definition.threat_level": level } : {}),
    ...(target ? { target_id: await findTargetIds(client, target) } : {}),
    ...(scan ? { scan_id: [scan] } : {}),
  };
}

async function findTargetIds(client: Client, wanted: string[]): Promise<string[]> {
  const known = await take(client.targets.list(), Number.POSITIVE_INFINITY);
  return wanted.map((name) => {
    const found = known.find(({ id, target }) => id === name || target === name.toLowerCase());
    if (!found) throw new UserError(`There is no target ${name}; \`periscan targets\` lists them.`, { exitCode: 2 });
    return found.id;
  });
}

const toRow = ({ id, target, status, risk_definition, last_detected_at }: Risk): string[] => [
  paintLevel(risk_definition.threat_level),
  cleanLine(target),
  cleanLine(risk_definition.title),
  status,
  formatTime(last_detected_at),
  id,
];

async function showRisk(id: string, { json }: Options): Promise<void> {
  const risk = await withClient((client) => client.risks.get(id));
  if (json) return printJson(risk);
  const { risk_definition: definition } = risk;
  console.log(`${paint("bold", cleanLine(definition.title))} on ${cleanLine(risk.target)}`);
  console.log(
    `${paintLevel(definition.threat_level)} · ${risk.status} · first seen ${formatTime(risk.first_detected_at)}, last ${formatTime(risk.last_detected_at)}`,
  );
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
