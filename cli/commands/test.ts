import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { Command } from "commander";

export function addTestCommand(program: Command): void {
  program
    .command("test")
    .description("Run the whole test suite of this checkout; installs what it needs.")
    .argument("[files...]", "only test files whose path has one of these in it")
    .addHelpText("after", "\nExample:\n  periscan test\n  periscan test server/scans\n")
    .action(runTests);
}

async function runTests(files: string[]): Promise<void> {
  const child = spawn(process.execPath, [fileURLToPath(new URL("../../test/run.ts", import.meta.url)), ...files], { stdio: "inherit" });
  const [code] = (await once(child, "exit")) as [number | null];
  process.exitCode = code ?? 1;
}
