import { randomUUID } from "node:crypto";
import { openAsBlob } from "node:fs";
import { stat } from "node:fs/promises";
import { basename } from "node:path";
import type { ScanType } from "@periscan/contract/scan.ts";
import { scanTypes } from "@periscan/contract/words.ts";
import type { Client } from "@periscan/sdk/client.ts";
import { Argument, type Command } from "commander";
import { failOnOption, tellingFailures } from "../fail-on.ts";
import { addFormat } from "../print-list.ts";
import { openSession, withLiveSession } from "../session.ts";
import { UserError } from "../user-error.ts";
import { watchInterrupts } from "../watch-interrupts.ts";
import { type EndOptions, readFailOn, readType, showEnd, waitForEnd } from "./scan.ts";

interface Options extends EndOptions {
  target?: string;
  source: string;
}

export function addImportCommand(program: Command): void {
  const command = program
    .command("import")
    .description("Take in the file of a scan that was made elsewhere: its targets, their risks, and what is gone since.")
    .addArgument(new Argument("<type>", `what made it: ${scanTypes.join(", ")}; SARIF is NUCLEI`).argParser(readType))
    .argument("<file>", "Nmap XML, SSLyze JSON, ZAP JSON or XML, OpenVAS or Greenbone XML, Nuclei JSONL, SARIF")
    .option("--target <target>", "what the file is of, where it names none; the rest of the file is then left out")
    .option("--source <name>", "the source that it comes from; made where there is none of that name", "command line")
    .option("--output <folder>", "where the result files go (default: periscan-results)")
    .addOption(failOnOption());
  addFormat(command, ["sarif"])
    .addHelpText(
      "after",
      `
Examples:
  periscan import NMAP branch-office.xml --source "Branch office"
  periscan import NUCLEI results.sarif --target https://shop.example

Exit code: 0 all of the file was read and nothing in it is partial, 1 the import failed or something is partial, 2 wrong use.
With --fail-on: 0 all of it was read and there is no such risk, 1 there is such a risk, 2 wrong use, 3 there is no clean result for another reason.
The same file twice changes nothing. A risk closes only where a newer file or scan looked at the same place again.`,
    )
    .action(runImport);
}

async function runImport(type: ScanType, path: string, options: Options): Promise<void> {
  await tellingFailures(readFailOn(options), () => importFile(type, path, options));
}

async function importFile(type: ScanType, path: string, options: Options): Promise<void> {
  const interrupted = watchInterrupts();
  const file = await openFile(path);
  const first = await openSession();
  let session = first;
  try {
    const target = options.target === undefined ? {} : { target: options.target };
    const idempotencyKey = randomUUID();
    const started = await withLiveSession(first, async ({ client }) => {
      const sourceId = await ensureSource(client, options.source);
      return client.results.import({ type, sourceId, file, fileName: basename(path), ...target }, { idempotencyKey });
    });
    session = started.session;
    const ended = await waitForEnd(session, started.value.id, interrupted);
    session = ended.session;
    session = await showEnd(session, ended.scan, options);
  } finally {
    await session.close();
  }
}

async function openFile(path: string): Promise<Blob> {
  try {
    if (!(await stat(path)).isFile()) throw new UserError(`${path} is not a file.`, { exitCode: 2 });
    return await openAsBlob(path);
  } catch (cause) {
    if (cause instanceof UserError) throw cause;
    throw new UserError(`${path} cannot be read (${(cause as NodeJS.ErrnoException).code}).`, { exitCode: 2, cause });
  }
}

async function ensureSource(client: Client, name: string): Promise<string> {
  for await (const source of client.sources.list()) if (source.name === name) return source.id;
  return (await client.sources.create({ source_type: "IMPORTED", name })).id;
}
