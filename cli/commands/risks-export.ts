import { resolve } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { ReadableStream } from "node:stream/web";
import type { ExportFormat } from "@periscan/sdk/client.ts";
import { type Command, Option } from "commander";
import { cleanOutput } from "../print.ts";
import { addRiskChoice, buildRiskFilters, type RiskChoice } from "../risk-choice.ts";
import { saveFile } from "../save-results.ts";
import { withClient } from "../session.ts";

/** Prints or writes the export of the risks that match. */
interface Options extends RiskChoice {
  format: ExportFormat;
  output?: string;
}

export function addExportCommand(risks: Command): void {
  addRiskChoice(
    risks
      .command("export")
      .description("Write all risks that match as CSV, JSON or SARIF 2.1.0.")
      .addOption(new Option("--format <format>", "the file's format").choices(["csv", "json", "sarif"]).makeOptionMandatory())
      .option("--output <file>", "where to; standard output where absent"),
  )
    .addHelpText("after", "\nExample:\n  periscan risks export --format sarif --level CRITICAL HIGH --output periscan.sarif\n")
    .action(exportRisks);
}

export async function exportRisks({ format, output, ...choice }: Options): Promise<void> {
  await withClient(async (client) => {
    const { body } = await client.risks.export(format, await buildRiskFilters(client, choice));
    if (output === undefined) await print(Readable.fromWeb(body as ReadableStream));
    else console.log(await saveFile(body, resolve(output), "Name another file: --output FILE."));
  });
}

/** On a terminal without what could steer it. Whoever reads may have had enough, as `head` does: that is no error. */
async function print(body: Readable): Promise<void> {
  const shown = process.stdout.isTTY ? body.setEncoding("utf8").map((text: string) => cleanOutput(text.replaceAll("\r\n", "\n"), false)) : body;
  await pipeline(shown, process.stdout, { end: false }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
  });
}
