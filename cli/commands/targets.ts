import type { Target } from "@periscan/contract/target.ts";
import type { Command } from "commander";
import { cleanLine, printJson, printTable } from "../print.ts";
import { readCount } from "../read-count.ts";
import { withClient } from "../session.ts";
import { take } from "../take.ts";

export function addTargetsCommand(program: Command): void {
  program
    .command("targets")
    .description("List the targets that scans have met or that were added over the API.")
    .option("--tag <tag...>", "only those with one of these tags")
    .option("--limit <n>", "at most so many", readCount, 500)
    .option("--json", "as JSON")
    .addHelpText("after", "\nExample:\n  periscan targets --tag production --json\n")
    .action(listTargets);
}

async function listTargets({ tag, limit, json }: { tag?: string[]; limit: number; json?: boolean }): Promise<void> {
  const targets = await withClient((client) => take(client.targets.list(tag ? { tags: tag } : {}), limit));
  if (json) return printJson(targets);
  if (targets.length === 0) return console.log("No targets match. A scan adds its own: periscan scan NMAP 127.0.0.1");
  printTable(["TARGET", "LABEL", "TAGS", "ID"], targets.map(toRow));
}

const toRow = ({ id, target, label, tags }: Target): string[] => [cleanLine(target), cleanLine(label), cleanLine(tags.join(", ")), id];
