import { readFileSync } from "node:fs";
import { Command, CommanderError, Help } from "commander";
import { addCompletionCommand } from "./commands/completion.ts";
import { addConfigCommand } from "./commands/config.ts";
import { addDoctorCommand } from "./commands/doctor.ts";
import { addEnginesCommand } from "./commands/engines.ts";
import { addImportCommand } from "./commands/import.ts";
import { addKeyCommand } from "./commands/key.ts";
import { addLogsCommand } from "./commands/logs.ts";
import { addReportCommands } from "./commands/reports.ts";
import { addResultsCommand } from "./commands/results.ts";
import { addRisksCommand } from "./commands/risks.ts";
import { addRoleCommands } from "./commands/roles.ts";
import { addScanCommand } from "./commands/scan.ts";
import { addScansCommand } from "./commands/scans.ts";
import { addSchedulesCommand } from "./commands/schedules.ts";
import { addSourcesCommand } from "./commands/sources.ts";
import { addStatusCommand } from "./commands/status.ts";
import { addTargetsCommand } from "./commands/targets.ts";
import { addTestCommand } from "./commands/test.ts";
import { addWebhooksCommand } from "./commands/webhooks.ts";
import { addWorkspaceCommand } from "./commands/workspace.ts";
import { guardConsole } from "./print.ts";
import { reportError } from "./report-error.ts";

guardConsole();

const { version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as { version: string };

const program = new Command("periscan")
  .description("Vulnerability scans on your own machine: the real engines, each target's risks over time, reports to hand on.")
  .version(version)
  .exitOverride()
  .enablePositionalOptions()
  .configureHelp({ helpWidth: Math.min(new Help().helpWidth ?? 120, 120) })
  .addHelpText(
    "after",
    `
Examples:
  periscan scan NMAP 192.0.2.10        scan a host, show its risks, keep XML, JSON, HTML and PDF
  periscan up                          keep the platform running: the API and its documentation
  periscan doctor                      what is missing here, and what mends it

Environment:
  PERISCAN_DATA        the data folder (root: /var/lib/periscan, others: ~/.local/share/periscan)
  PERISCAN_SERVER      use this server instead of the platform on this machine, with PERISCAN_API_KEY
  PERISCAN_CONFIG      the file of settings; \`periscan config\` shows what counts
  DATABASE_URL         use this PostgreSQL instead of the embedded one (serve, key, workspace)`,
  );

for (const add of [
  addScanCommand,
  addScansCommand,
  addSchedulesCommand,
  addRisksCommand,
  addTargetsCommand,
  addResultsCommand,
  addReportCommands,
  addWebhooksCommand,
  addImportCommand,
  addSourcesCommand,
  addRoleCommands,
  addStatusCommand,
  addLogsCommand,
  addEnginesCommand,
  addKeyCommand,
  addWorkspaceCommand,
  addDoctorCommand,
  addConfigCommand,
  addCompletionCommand,
  addTestCommand,
])
  add(program);

for (const command of everyCommand(program)) command.showHelpAfterError("(add --help for the options and an example)").exitOverride();

try {
  await program.parseAsync();
} catch (error) {
  // Commander has said what it had to say; a wrong use is exit code 2, and help is none. The process ends here, whatever a start that failed left open.
  process.exit(error instanceof CommanderError ? (error.exitCode === 0 ? 0 : 2) : reportError(error));
}

function* everyCommand(command: Command): Iterable<Command> {
  yield command;
  for (const inner of command.commands) yield* everyCommand(inner);
}
