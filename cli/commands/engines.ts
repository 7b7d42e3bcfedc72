import type { Command } from "commander";
import { addFormat, type Format } from "../print-list.ts";

export function addEnginesCommand(program: Command): void {
  const command = program.command("engines").description("The engines of this machine: what is here, and what is missing.");
  addFormat(command.command("list").description("List the scan types with their engines, what they scan with, and their last self-test."))
    .addHelpText("after", "\nExample:\n  periscan engines list\n")
    .action(async (format: Format) => (await import("../run-engines.ts")).listEngines(format));
  command
    .command("install")
    .description("Install engines, or bring them up to date, and test them. Safe to interrupt and to repeat.")
    .argument("<names...>", "nmap, sslyze, openvas, zap, nuclei; a scan type; or `all`")
    .addHelpText("after", "\nExample:\n  periscan engines install nmap\n")
    .action(async (names: string[]) => (await import("../run-engines.ts")).installEngines(names));
  command
    .command("test")
    .description("Let engines scan something small of this machine, and see whether they find what is there.")
    .argument("[names...]", "programs or scan types; all that are installed where none is given")
    .option("--json", "as JSON")
    .addHelpText("after", "\nExample:\n  periscan engines test nmap\n")
    .action(async (names: string[], options: { json?: boolean }) => (await import("../run-engines.ts")).testEngines(names, options));
}
