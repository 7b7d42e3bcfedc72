import type { Command } from "commander";
import { printJson, printTable } from "../print.ts";
import { readSettings, settingsFile } from "../settings.ts";

export function addConfigCommand(program: Command): void {
  program
    .command("config")
    .description("Show the settings that count for commands here, and where each comes from.")
    .option("--json", "as JSON")
    .addHelpText(
      "after",
      `
Example:
  periscan config

The file is ${settingsFile()} (PERISCAN_CONFIG names another one), a JSON object with any of:
  server     use this server instead of the platform on this machine
  api_key    its key; then nobody else may be able to read the file (chmod 600)
  output     where result files go
  format     how lists are printed: table, json or csv
  fail_on    the least threat level by which scan and import fail, such as HIGH
Variables of the environment go before it, options before both.`,
    )
    .action(showConfig);
}

function showConfig({ json }: { json?: boolean }): void {
  const { apiKey, failOn, ...settings } = readSettings();
  const shown = { ...settings, api_key: { ...apiKey, value: apiKey.value && `${apiKey.value.slice(0, 6)}…` }, fail_on: failOn };
  const rows = Object.entries(shown).map(([name, { value, from }]) => [name, value ?? "", from]);
  if (json) printJson({ file: settingsFile(), settings: shown });
  else printTable(["SETTING", "VALUE", "FROM"], rows);
}
