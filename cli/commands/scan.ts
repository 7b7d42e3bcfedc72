import { randomUUID } from "node:crypto";
import type { Scan, ScanType } from "@periscan/contract/scan.ts";
import type { ScanDocument } from "@periscan/contract/scan-document.ts";
import { scanTypes } from "@periscan/contract/words.ts";
import { ApiError, type Client } from "@periscan/sdk/client.ts";
import type { NewScan } from "@periscan/sdk/types.ts";
import { Argument, type Command, InvalidArgumentError } from "commander";
import { failOnOption, hasRisk, tellingFailures } from "../fail-on.ts";
import { cleanLine, printJson } from "../print.ts";
import { addFormat, type Format, readFormat } from "../print-list.ts";
import { describeTarget, printScan } from "../print-scan.ts";
import { readTargets } from "../read-targets.ts";
import { saveResults } from "../save-results.ts";
import { openSession, type Session, withClient, withLiveSession } from "../session.ts";
import { readSettings } from "../settings.ts";
import { showProgress } from "../show-progress.ts";
import { take } from "../take.ts";
import { UserError } from "../user-error.ts";
import { watchAnew } from "../watch-anew.ts";
import { watchInterrupts } from "../watch-interrupts.ts";

/** What is said at the end of a scan, and with which exit code. */
export interface EndOptions extends Format {
  output?: string;
  failOn?: string;
}

interface Options extends EndOptions {
  targets?: string;
  wait: boolean;
  ports?: string;
  option?: Record<string, string>;
  yes?: boolean;
  login?: boolean;
}

export function addScanCommand(program: Command): void {
  const scan = program
    .command("scan")
    .description("Scan targets, wait for the end, show the risks and keep the results. Or show or cancel a scan.")
    .usage("TYPE TARGET… [options]  |  show ID  |  cancel ID")
    // Else `scan show ID --json` would take the option for its own.
    .enablePositionalOptions()
    .addArgument(new Argument("<type>", `the scan type: ${scanTypes.join(", ")}`).argParser(readType))
    .argument("[targets...]", "addresses, names, URLs, or CIDR blocks up to /22")
    .option("--targets <file>", "more targets from a file, `-` is standard input: apart by blanks or lines, # begins a comment")
    .option("--output <folder>", "where the result files go (default: periscan-results)")
    .option("--ports <list>", "the ports to scan, such as 22,80,8000-9000 (short for --option ports=…)")
    .option("--option <name=value>", "an option of the engine; may be given again", collectOption)
    .option("--wait", "wait for the end", true)
    .option("--no-wait", "start the scan and leave; needs a platform that keeps running (periscan up)")
    .option("--login", "use the login that is set for each target (use_authentication)")
    .option("--yes", "install a missing engine without asking back")
    .addOption(failOnOption());
  addFormat(scan, ["sarif"])
    .addHelpText(
      "after",
      `
Examples:
  periscan scan NMAP 127.0.0.1
  periscan scan NMAP 198.51.100.0/28 www.example.com --ports 1-1024 --output reports
  periscan scan NMAP_UDP 127.0.0.1 --option timing=3 --format json
  periscan scan NUCLEI --targets hosts.txt --fail-on HIGH --format sarif > periscan.sarif

Exit code: 0 every target was scanned to the end, 1 the scan failed or is partial, 2 wrong use.
With --fail-on: 0 every target was scanned to the end and has no such risk, 1 there is such a risk, 2 wrong use, 3 there is no clean result for another reason.
--format json has the scan, its risks and its files; csv and sarif are the risks' export.
Without a running platform this starts one for the length of the scan. Ctrl-C cancels the scan and keeps what it found.`,
    )
    .action(runScan);
  scan
    .command("show")
    .description("Show a scan, its targets and risks.")
    .argument("<id>")
    .option("--watch", "show it anew every two seconds, until it ends")
    .option("--json", "as JSON")
    .option("--targets", "all of its targets and nothing else")
    .addHelpText("after", "\nExamples:\n  periscan scan show 0199d3a2-… --json\n  periscan scan show 0199d3a2-… --targets\n")
    .action(showScan);
  scan
    .command("cancel")
    .description("End a scan now; what it found so far is kept.")
    .argument("<id>")
    .option("--json", "as JSON")
    .addHelpText("after", "\nExample:\n  periscan scan cancel 0199d3a2-…\n")
    .action(cancelScan);
}

/** A scan type as people write it: `nmap-udp` is NMAP_UDP. */
export function readType(text: string): ScanType {
  const wanted = text.toUpperCase().replaceAll("-", "_");
  const type = scanTypes.find((each) => each === wanted);
  if (type) return type;
  throw new InvalidArgumentError(`give one of ${scanTypes.join(", ")}`);
}

export function collectOption(text: string, options: Record<string, string> = {}): Record<string, string> {
  const [, name, value = ""] = /^([a-z_]+)=(.*)$/s.exec(text) ?? [];
  if (name === undefined) throw new InvalidArgumentError("give name=value");
  return { ...options, [name]: value };
}

/** Numbers, booleans and lists as JSON, unless the engine wants the text as it is: `ports=443` is a list of ports. */
export async function readOptions(type: ScanType, texts: Record<string, string>): Promise<Record<string, unknown>> {
  const { findEngine } = await import("@periscan/engines/registry.ts");
  const engine = findEngine(type);
  const wantsText = (name: string, text: string) => engine.options.safeParse({ [name]: text }).success === true;
  return Object.fromEntries(Object.entries(texts).map(([name, text]) => [name, wantsText(name, text) ? text : parseValue(text)]));
}

function parseValue(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

async function runScan(type: ScanType, given: string[], options: Options): Promise<void> {
  await tellingFailures(readFailOn(options), async () => scanOnce(type, await readTargets(given, options.targets), options));
}

export const readFailOn = ({ failOn }: EndOptions): string | undefined => failOn ?? readSettings().failOn.value;

async function scanOnce(type: ScanType, targets: string[], options: Options): Promise<void> {
  // From here on: a Ctrl-C that came before the answer to our request would leave the platform, or the scan, running.
  const interrupted = watchInterrupts();
  const first = await openSession();
  let session = first;
  try {
    if (first.platform === "own") {
      if (!options.wait) throw new UserError("--no-wait needs a platform that keeps running: start one with `periscan up`.", { exitCode: 2 });
      const { installMissing } = await import("../install-engine.ts");
      await installMissing(type, { yes: options.yes === true });
    }
    if (interrupted.aborted) throw new UserError("Stopped before the scan was started.");
    const login = options.login ? { use_authentication: true } : {};
    const request = {
      type,
      targets,
      ...login,
      options: await readOptions(type, { ...options.option, ...(options.ports === undefined ? {} : { ports: options.ports }) }),
    };
    const idempotencyKey = randomUUID();
    const started = await withLiveSession(first, ({ client }) => startScan(client, request, idempotencyKey));
    session = started.session;
    const scan = started.value;
    if (!options.wait) {
      if (readFormat(options) === "json") printJson({ scan, risks: [], files: [] });
      else console.log(`${cleanLine(scan.id)}\nperiscan scan show ${cleanLine(scan.id)}`);
      return;
    }
    const ended = await waitForEnd(session, scan.id, interrupted);
    session = ended.session;
    if (ended.scan.state === "OVER_LIMIT") return reportOverLimit(ended.scan, options);
    session = await showEnd(session, ended.scan, options);
  } finally {
    await session.close();
  }
}

/** It did not run, and has no files. */
function reportOverLimit(scan: Scan, options: Options): void {
  if (readFormat(options) === "json") printJson({ scan, risks: [], files: [] });
  else printScan(scan, [], []);
  process.exitCode = readFailOn(options) === undefined ? 1 : 3;
}

/** An engine that is missing is no wrong use of the command: exit code 1. */
async function startScan(client: Client, request: NewScan, idempotencyKey: string): Promise<Scan> {
  try {
    return await client.scans.create(request, { idempotencyKey });
  } catch (error) {
    if (error instanceof ApiError && error.code === "engine.missing") throw new UserError(cleanLine(error.message), { cause: error });
    throw error;
  }
}

/** Waits through anything but a remote server that is gone. An interrupt cancels the scan. */
export async function waitForEnd(first: Session, id: string, interrupted: AbortSignal): Promise<{ scan: Scan; session: Session }> {
  let current = first;
  const cancel = () => {
    console.error("\nCancelling the scan; Ctrl-C again leaves it as it is.");
    current.client.scans.cancel(id).catch(() => {});
  };
  if (interrupted.aborted) cancel();
  else interrupted.addEventListener("abort", cancel);
  const progress = showProgress(process.stderr);
  try {
    const { value: scan, session } = await withLiveSession(first, (next) => {
      current = next;
      return next.client.waitForScan(id, { onChange: progress.update });
    });
    return { scan, session };
  } finally {
    progress.end();
    interrupted.removeEventListener("abort", cancel);
  }
}

/** Saves the files of an ended scan, shows what it found, and sets the exit code. Answers the session that it ended on. */
export async function showEnd(current: Session, scan: Scan, options: EndOptions): Promise<Session> {
  const failOn = readFailOn(options);
  const format = readFormat(options);
  const { value, session } = await withLiveSession(current, async ({ client }) => {
    const ofScan = { scan_id: [scan.id] };
    const files = await saveResults(client, scan, options.output ?? readSettings().output.value);
    const exported = format === "csv" || format === "sarif" ? await new Response((await client.risks.export(format, ofScan)).body).text() : "";
    const { risks } = await readDocument(client, scan);
    return { files, risks, exported, isBad: failOn !== undefined && (await hasRisk(client, ofScan, failOn)) };
  });
  if (format === "json") printJson({ scan, risks: value.risks, files: value.files });
  else if (format === "table") printScan(scan, value.risks, value.files);
  else process.stdout.write(value.exported);
  const isWhole = scan.state === "SUCCEEDED" && scan.skipped_targets.length === 0;
  process.exitCode = value.isBad ? 1 : isWhole ? 0 : failOn === undefined ? 1 : 3;
  return session;
}

/** The scan as its own JSON result has it: each risk as this scan saw it. */
async function readDocument(client: Client, scan: Scan): Promise<ScanDocument> {
  const files = scan.results.filter(({ content_type }) => content_type === "application/json");
  // Ours is the last: an engine's own JSON comes first.
  const { body } = await client.results.download(files.at(-1)?.result_id ?? "");
  const { ScanDocument } = await import("@periscan/contract/scan-document.ts");
  return ScanDocument.parse(await new Response(body).json());
}

async function showScan(id: string, { json, watch, targets }: { json?: boolean; watch?: boolean; targets?: boolean }): Promise<void> {
  if (targets) return withClient((client) => showTargets(client, id, json === true));
  const read = async (client: Client) => {
    const scan = await client.scans.get(id);
    return { scan, risks: scan.results.length > 0 ? (await readDocument(client, scan)).risks : [] };
  };
  /** Answers whether the scan is at its end. */
  const show = ({ scan, risks }: Awaited<ReturnType<typeof read>>): boolean => {
    if (json) printJson({ scan, risks });
    else printScan(scan, risks, []);
    return scan.state !== "QUEUED" && scan.state !== "RUNNING";
  };
  if (watch) await watchAnew(read, show);
  else show(await withClient(read));
}

/** Line by line as they come: there may be tens of thousands. */
async function showTargets(client: Client, id: string, json: boolean): Promise<void> {
  if (json) return printJson(await take(client.scans.targets(id), Number.POSITIVE_INFINITY));
  for await (const target of client.scans.targets(id)) console.log(describeTarget(target));
}

async function cancelScan(id: string, { json }: { json?: boolean }): Promise<void> {
  const scan = await withClient((client) => client.scans.cancel(id));
  if (json) printJson({ scan });
  else console.log(`The scan is cancelled. What it found is kept: periscan scan show ${id}`);
}
