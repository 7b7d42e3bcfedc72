import type { Command } from "commander";
import { cleanLine, printJson, printTable } from "../print.ts";
import { withClient } from "../session.ts";
import { take } from "../take.ts";

interface Output {
  json?: boolean;
}

export function addSourcesCommand(program: Command): void {
  const sources = program.command("sources").description("Where imported results come from.");
  sources
    .command("list")
    .description("List the sources.")
    .option("--json", "as JSON")
    .addHelpText("after", "\nExample:\n  periscan sources list\n")
    .action(listSources);
  sources
    .command("add")
    .description("Add a source.")
    .argument("<name>")
    .option("--json", "as JSON")
    .addHelpText("after", '\nExample:\n  periscan sources add "Branch office"\n')
    .action(addSource);
  sources
    .command("delete")
    .description("Delete a source; its scans and their risks stay.")
    .argument("<id>")
    .addHelpText("after", "\nExample:\n  periscan sources delete 0199d3a2-…\n")
    .action(deleteSource);
}

async function listSources({ json }: Output): Promise<void> {
  const sources = await withClient((client) => take(client.sources.list(), Number.POSITIVE_INFINITY));
  if (json) printJson({ sources });
  else if (sources.length === 0) console.log("There is no source yet: `periscan import` makes one.");
  else
    printTable(
      ["ID", "NAME"],
      sources.map(({ id, name }) => [id, cleanLine(name)]),
    );
}

async function addSource(name: string, { json }: Output): Promise<void> {
  const source = await withClient((client) => client.sources.create({ source_type: "IMPORTED", name }));
  if (json) printJson({ source });
  else console.log(cleanLine(source.id));
}

async function deleteSource(id: string): Promise<void> {
  await withClient((client) => client.sources.delete(id));
  console.log("The source is deleted. Its scans and their risks stay.");
}
