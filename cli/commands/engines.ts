import { type Engine, EngineError } from "@periscan/engines/kit/engine.ts";
import { runSelfTest } from "@periscan/engines/kit/self-test.ts";
import { engines } from "@periscan/engines/registry.ts";
import type { Command } from "commander";
import { ensureEnginesFolder } from "../data-folder.ts";
import { describeEngine, type EngineReport } from "../describe-engine.ts";
import { installEngine } from "../install-engine.ts";
import { formatTime, paint, printJson, printTable } from "../print.ts";
import { UserError } from "../user-error.ts";

export function addEnginesCommand(program: Command): void {
  const command = program.command("engines").description("The engines of this machine: what is here, and what is missing.");
  command
    .command("list")
    .description("List the scan types with their engines, what they scan with, and their last self-test.")
    .option("--json", "as JSON")
    .addHelpText("after", "\nExample:\n  periscan engines list\n")
    .action(listEngines);
  command
    .command("install")
    .description("Install engines, or bring them up to date, and test them. Safe to interrupt and to repeat.")
    .argument("<names...>", `${programs().join(", ")}; a scan type; or \`all\``)
    .addHelpText("after", "\nExample:\n  periscan engines install nmap\n")
    .action(installEngines);
  command
    .command("test")
    .description("Let engines scan something small of this machine, and see whether they find what is there.")
    .argument("[names...]", "programs or scan types; all that are installed where none is given")
    .option("--json", "as JSON")
    .addHelpText("after", "\nExample:\n  periscan engines test nmap\n")
    .action(testEngines);
}

const programs = () => [...new Set(engines.map(({ program }) => program))];

async function listEngines({ json }: { json?: boolean }): Promise<void> {
  const found = await Promise.all(engines.map((engine) => describeEngine(ensureEnginesFolder(), engine)));
  if (json) return printJson(found);
  printTable(
    ["TYPE", "WHAT IT DOES", "SELF-TEST", "ENGINE"],
    found.map((each) => [each.type, each.title, describeTest(each), describeState(each)]),
  );
}

const describeState = ({ ready, version, missing, content }: EngineReport): string =>
  ready
    ? [version ?? "ready", ...content.map(({ name, version: edition, count }) => `${name} ${edition} (${count})`)].join(", ")
    : paint("red", missing ?? "missing");

const describeTest = ({ self_test: test }: EngineReport): string =>
  test ? `${test.ok ? paint("green", "passed") : paint("red", "failed")} ${formatTime(test.at)}` : paint("gray", "none yet");

function chooseEngines(names: string[]): Engine[] {
  const wanted = names.map((name) => name.toLowerCase().replaceAll("-", "_"));
  const matches = ({ type, program }: Engine, name: string) => name === "all" || name === program || name === type.toLowerCase();
  const unknown = wanted.findIndex((name) => !engines.some((engine) => matches(engine, name)));
  if (unknown >= 0) throw new UserError(`There is no engine ${names[unknown]}; there are ${programs().join(", ")}.`, { exitCode: 2 });
  return engines.filter((engine) => wanted.some((name) => matches(engine, name)));
}

async function installEngines(names: string[]): Promise<void> {
  const chosen = new Map(chooseEngines(names).map((engine) => [engine.program, engine]));
  for (const engine of chosen.values()) {
    const { version } = await installEngine(engine, (line) => console.error(line)).catch((error: Error) => {
      throw error instanceof EngineError ? new UserError(error.message, { cause: error }) : error;
    });
    console.log(`${version ?? engine.program} is ready.`);
  }
}

async function testEngines(names: string[], { json }: { json?: boolean }): Promise<void> {
  const enginesFolder = ensureEnginesFolder();
  const tests = [];
  for (const engine of chooseEngines(names.length === 0 ? ["all"] : names)) {
    const { ready, missing } = await describeEngine(enginesFolder, engine);
    if (!ready && names.length === 0) continue;
    const { ok, message } = ready ? await runSelfTest(enginesFolder, engine, new AbortController().signal) : { ok: false, message: missing ?? "it is missing" };
    if (!ok) process.exitCode = 1;
    tests.push({ type: engine.type, ok, message });
    if (!json) console.log(`${ok ? paint("green", "✓") : paint("red", "✗")} ${engine.type}  ${message}`);
  }
  if (json) printJson(tests);
}
