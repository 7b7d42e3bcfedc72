import type { Engine } from "@periscan/engines/kit/engine.ts";
import { engines } from "@periscan/engines/registry.ts";
import type { Command } from "commander";
import { ensureDataFolder } from "../data-folder.ts";
import { paint, printJson, printTable } from "../print.ts";
import { UserError } from "../user-error.ts";

export function addEnginesCommand(program: Command): void {
  const command = program.command("engines").description("The engines of this machine: what is here, and what is missing.");
  command
    .command("list")
    .description("List the scan types with their engines.")
    .option("--json", "as JSON")
    .addHelpText("after", "\nExample:\n  periscan engines list\n")
    .action(listEngines);
  command
    .command("install")
    .description("Install engines, or bring them up to date.")
    .argument("<names...>", "programs or scan types, such as nmap; `all` for all")
    .addHelpText("after", "\nExample:\n  periscan engines install nmap\n")
    .action(installEngines);
}

async function probe(engine: Engine) {
  const { ready, version, missing } = await (await engine.load()).probe({ dataFolder: ensureDataFolder() });
  return { type: engine.type, title: engine.title, program: engine.program, ready, ...(version ? { version } : {}), ...(missing ? { missing } : {}) };
}

async function listEngines({ json }: { json?: boolean }): Promise<void> {
  const found = await Promise.all(engines.map(probe));
  if (json) return printJson(found);
  const state = ({ ready, version, missing }: (typeof found)[number]) => (ready ? (version ?? "ready") : paint("red", missing ?? "missing"));
  printTable(
    ["TYPE", "WHAT IT DOES", "ENGINE"],
    found.map((each) => [each.type, each.title, state(each)]),
  );
}

async function installEngines(names: string[]): Promise<void> {
  const wanted = names.map((name) => name.toLowerCase());
  const matches = ({ type, program }: Engine, name: string) => name === "all" || name === program || name === type.toLowerCase();
  const unknown = wanted.find((name) => !engines.some((engine) => matches(engine, name)));
  if (unknown !== undefined)
    throw new UserError(`There is no engine ${unknown}; there are ${[...new Set(engines.map(({ program }) => program))].join(", ")}.`, { exitCode: 2 });
  const chosen = engines.filter((engine) => wanted.some((name) => matches(engine, name)));
  const dataFolder = ensureDataFolder();
  for (const engine of new Map(chosen.map((each) => [each.program, each])).values()) {
    const runner = await engine.load();
    await runner.install({ dataFolder, say: (line) => console.error(line) }).catch((error: Error) => {
      throw new UserError(error.message, { cause: error });
    });
    const { ready, version, missing } = await probe(engine);
    if (!ready) throw new UserError(missing ?? `${engine.program} is still missing.`);
    console.log(`${version ?? engine.program} is ready.`);
  }
}
