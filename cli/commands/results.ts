import { ApiError, type Client } from "@periscan/sdk/client.ts";
import { type Command, Option } from "commander";
import { cleanLine, printJson } from "../print.ts";
import { formats, saveResult, saveResults } from "../save-results.ts";
import { withClient } from "../session.ts";
import { UserError } from "../user-error.ts";

interface Options {
  output: string;
  format?: (keyof typeof formats)[];
  json?: boolean;
}

export function addResultsCommand(program: Command): void {
  const results = program.command("results").description("The files of a scan: the engine's own output, JSON, HTML, PDF.");
  results
    .command("get")
    .description("Download the files of a scan, or one of them.")
    .argument("<id>", "a scan's id, or a result's")
    .option("--output <folder>", "where to", ".")
    .addOption(new Option("--format <format...>", "of a scan, only these").choices(Object.keys(formats)))
    .option("--json", "print the files' paths as JSON")
    .addHelpText("after", "\nExample:\n  periscan results get 0199d3a2-… --format pdf --output reports\n")
    .action(getResults);
}

async function getResults(id: string, options: Options): Promise<void> {
  const files = await withClient((client) => download(client, id, options));
  if (options.json) printJson({ files });
  else for (const file of files) console.log(cleanLine(file));
}

async function download(client: Client, id: string, { output, format }: Options): Promise<string[]> {
  const scan = await client.scans.get(id).catch((error) => {
    if (error instanceof ApiError && error.status === 404) return undefined;
    throw error;
  });
  if (!scan) return [await saveResult(client, id, output)];
  if (scan.state === "QUEUED" || scan.state === "RUNNING") throw new UserError(`The scan is ${cleanLine(scan.state)}; its files are made when it ends.`);
  if (scan.state === "OVER_LIMIT") throw new UserError(cleanLine(`The scan has no files, because it did not run. ${scan.error?.message ?? ""}`));
  const wanted = format?.map((name) => formats[name]);
  return saveResults(client, wanted ? { ...scan, results: scan.results.filter(({ content_type }) => wanted.includes(content_type)) } : scan, output);
}
