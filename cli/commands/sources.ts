import type { Command } from "commander";
import { cleanLine, printJson } from "../print.ts";
import { addFormat, type Format, printList } from "../print-list.ts";
import { withClient } from "../session.ts";
import { take } from "../take.ts";

interface Output {
  json?: boolean;
}

export function addSourcesCommand(program: Command): void {
  const sources = program.command("sources").description("Where imported results come from.");
  addFormat(sources.command("list").description("List the sources.")).addHelpText("after", "\nExample:\n  periscan sources list\n").action(listSources);
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

async function listSources(format: Format): Promise<void> {
  const sources = await withClient((client) => take(client.sources.list(), Number.POSITIVE_INFINITY));
  const empty = "There is no source yet: `periscan import` makes one.";
  printList(format, { items: sources, headings: ["ID", "NAME"], row: ({ id, name }) => [id, cleanLine(name)], empty });
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
