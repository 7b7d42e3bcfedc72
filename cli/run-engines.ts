import { type Engine, EngineError } from "@periscan/engines/kit/engine.ts";
import { runSelfTest } from "@periscan/engines/kit/self-test.ts";
import { engines } from "@periscan/engines/registry.ts";
import { ensureEnginesFolder } from "./data-folder.ts";
import { describeEngine, type EngineReport } from "./describe-engine.ts";
import { installEngine } from "./install-engine.ts";
import { formatTime, paint, printJson } from "./print.ts";
import { type Format, printList } from "./print-list.ts";
import { UserError } from "./user-error.ts";

const programs = () => [...new Set(engines.map(({ program }) => program))];

export async function listEngines(format: Format): Promise<void> {
  const found = await Promise.all(engines.map((engine) => describeEngine(ensureEnginesFolder(), engine)));
  const row = (each: EngineReport) => [each.type, each.title, describeTest(each), describeState(each)];
  printList(format, { items: found, headings: ["TYPE", "WHAT IT DOES", "SELF-TEST", "ENGINE"], row, empty: "There is none." });
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

export async function installEngines(names: string[]): Promise<void> {
  const chosen = new Map(chooseEngines(names).map((engine) => [engine.program, engine]));
  for (const engine of chosen.values()) {
    const { version } = await installEngine(engine, (line) => console.error(line)).catch((error: Error) => {
      throw error instanceof EngineError ? new UserError(error.message, { cause: error }) : error;
    });
    console.log(`${version ?? engine.program} is ready.`);
  }
}

export async function testEngines(names: string[], { json }: { json?: boolean }): Promise<void> {
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
