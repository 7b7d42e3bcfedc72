import { openAsBlob } from "node:fs";
import { text } from "node:stream/consumers";
import type { Observation } from "@periscan/contract/outcome.ts";
import type { Target, TargetObservation } from "@periscan/contract/target.ts";
import type { Command } from "commander";
import { cleanLine, formatTime, printJson, printTable } from "../print.ts";
import { addFormat, type Format, printList } from "../print-list.ts";
import { readCount } from "../read-count.ts";
import { withClient } from "../session.ts";
import { take } from "../take.ts";
import { UserError } from "../user-error.ts";
import { addTargetsVerifyCommand } from "./targets-verify.ts";

export function addTargetsCommand(program: Command): void {
  const targets = addFormat(
    program
      .command("targets")
      .description("List the targets that scans have met or that were added over the API; show what is known of one; set its login; prove that it is yours.")
      .enablePositionalOptions()
      .option("--tag <tag...>", "only those with one of these tags")
      .option("--limit <n>", "at most so many", readCount, 500),
  )
    .addHelpText("after", "\nExample:\n  periscan targets --tag production --format json\n")
    .action(listTargets);
  targets
    .command("show")
    .description("Show what engines saw of a target: services, certificates, technologies, URLs.")
    .argument("<id>")
    .option("--limit <n>", "at most so many", readCount, 500)
    .option("--json", "as JSON")
    .addHelpText("after", "\nExample:\n  periscan targets show 0199d3a2-…\n")
    .action(showTarget);
  targets
    .command("login")
    .description(
      "Set the header or cookie that scans with --login send to a target, or a recording that logs in. A value is read from standard input; all is kept encrypted.",
    )
    .argument("<id>")
    .option("--header <name>", "send this header, such as Authorization")
    .option("--cookie <name>", "send this cookie")
    .option("--recording <file>", "log in as this Selenium IDE recording (.side) does")
    .option("--delete", "forget the login")
    .addHelpText(
      "after",
      "\nExample:\n  periscan targets login 0199d3a2-… --header Authorization < token.txt\n  periscan targets login 0199d3a2-… --recording login.side\n",
    )
    .action(setLogin);
  addTargetsVerifyCommand(targets);
}

async function listTargets({ tag, limit, ...format }: Format & { tag?: string[]; limit: number }): Promise<void> {
  const targets = await withClient((client) => take(client.targets.list(tag ? { tags: tag } : {}), limit));
  const empty = "No targets match. A scan adds its own: periscan scan NMAP 127.0.0.1";
  printList(format, { items: targets, headings: ["TARGET", "LABEL", "TAGS", "ID"], row: toRow, empty });
}

const toRow = ({ id, target, label, tags }: Target): string[] => [cleanLine(target), cleanLine(label), cleanLine(tags.join(", ")), id];

async function showTarget(id: string, { limit, json }: { limit: number; json?: boolean }): Promise<void> {
  const { target, observations } = await withClient(async (client) => ({
    target: await client.targets.get(id),
    observations: await take(client.targets.observations(id), limit),
  }));
  if (json) return printJson({ target, observations });
  console.log(`${cleanLine(target.target)}  ${cleanLine([target.label, ...target.tags].filter(Boolean).join(", "))}`);
  if (observations.length === 0) return console.log("No engine has seen anything of it yet.");
  printTable(["KIND", "FIRST SEEN", "LAST SEEN", "WHAT"], observations.map(toObservationRow));
}

const toObservationRow = ({ seen, first_seen_at, last_seen_at, gone_at }: TargetObservation): string[] => [
  seen.kind,
  formatTime(first_seen_at),
  formatTime(last_seen_at),
  cleanLine(`${describe(seen)}${gone_at ? ` (gone ${formatTime(gone_at)})` : ""}`),
];

function describe(seen: Observation): string {
  const words = (...parts: (string | number | undefined)[]) => parts.filter((part) => part !== undefined && part !== "").join(" ");
  if (seen.kind === "service") return words(`${seen.port}/${seen.protocol}`, seen.name, seen.tls ? "over TLS" : undefined, seen.product, seen.version);
  if (seen.kind === "certificate") return words(`port ${seen.port}:`, seen.subject, `until ${formatTime(seen.not_after)}`);
  if (seen.kind === "technology") return words(seen.name, seen.version);
  return words(seen.url, seen.status, seen.content_type);
}

async function setLogin(id: string, options: { header?: string; cookie?: string; recording?: string; delete?: boolean }): Promise<void> {
  const { header, cookie, recording } = options;
  if ([header, cookie, recording, options.delete].filter((value) => value !== undefined).length !== 1)
    throw new UserError("Give one of --header NAME, --cookie NAME, --recording FILE and --delete.", { exitCode: 2 });
  if (options.delete) {
    await withClient((client) => client.targets.deleteLogin(id));
    return console.log("The login is forgotten.");
  }
  if (recording !== undefined) {
    const file = await openRecording(recording);
    await withClient((client) => client.targets.setRecording(id, file));
    return console.log("The recording is the target's login. Scans use it with --login (use_authentication).");
  }
  if (process.stdin.isTTY) console.error("The value, then Ctrl-D:");
  const value = (await text(process.stdin)).trim();
  if (value === "") throw new UserError("The value is empty: write it to standard input.", { exitCode: 2 });
  await withClient((client) => client.targets.setLogin(id, { kind: header === undefined ? "cookie" : "header", name: header ?? cookie ?? "", value }));
  console.log("The login is set. Scans use it with --login (use_authentication).");
}

async function openRecording(path: string): Promise<Blob> {
  try {
    return await openAsBlob(path);
  } catch {
    throw new UserError(`The file ${path} cannot be read.`, { exitCode: 2 });
  }
}
