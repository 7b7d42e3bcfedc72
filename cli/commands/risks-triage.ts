import type { Acceptance, AcceptanceReason, Risk } from "@periscan/contract/risk.ts";
import type { RiskEvent } from "@periscan/contract/risk-event.ts";
import { acceptanceReasons } from "@periscan/contract/words.ts";
import { type Command, InvalidArgumentError, Option } from "commander";
import { cleanLine, formatTime, paint, paintLevel, printJson } from "../print.ts";
import { addFormat, type Format, printList, readFormat } from "../print-list.ts";
import { readCount } from "../read-count.ts";
import { withClient } from "../session.ts";
import { take } from "../take.ts";

interface AcceptOptions {
  note: string;
  author?: string;
  falsePositive?: boolean;
  reason?: AcceptanceReason;
  until?: string;
  json?: boolean;
}

export function addTriageCommands(risks: Command): void {
  risks
    .command("accept")
    .description("Accept risks, all of them or none. No scan changes it; the risk stays in every list.")
    .argument("<ids...>")
    .requiredOption("--note <text>", "why")
    .option("--author <name>", "who decided it; the API key's name where absent")
    .option("--false-positive", "the engine was wrong: it is not there")
    .addOption(new Option("--reason <reason>", "in one word").choices([...acceptanceReasons]))
    .option("--until <date>", "accepted until the end of this day, such as 2027-06-30", readDay)
    .option("--json", "as JSON")
    .addHelpText("after", "\nExample:\n  periscan risks accept 0199d3a2-… --note 'Our bastion host' --reason business_need --until 2027-06-30\n")
    .action(accept);
  risks
    .command("unaccept")
    .description("Take the acceptances of risks back, all of them or none.")
    .argument("<ids...>")
    .option("--note <text>", "why")
    .option("--author <name>", "who decided it; the API key's name where absent")
    .option("--json", "as JSON")
    .addHelpText("after", "\nExample:\n  periscan risks unaccept 0199d3a2-… --note 'The bastion host is gone'\n")
    .action(unaccept);
  addFormat(
    risks
      .command("history")
      .description("Show what happened to a risk: what scans saw, what people decided.")
      .argument("<id>")
      .option("--limit <n>", "at most so many", readCount, 500),
  )
    .addHelpText("after", "\nExample:\n  periscan risks history 0199d3a2-…\n")
    .action(showHistory);
}

/** A day of the reader's own zone; the acceptance ends with it. */
function readDay(text: string): string {
  const end = /^\d{4}-\d\d-\d\d$/.test(text) ? new Date(`${text}T23:59:59.999`) : undefined;
  if (!end || Number.isNaN(end.getTime())) throw new InvalidArgumentError("give a day such as 2027-06-30");
  return end.toISOString();
}

async function accept(ids: string[], { note, author, falsePositive, reason, until, json }: AcceptOptions): Promise<void> {
  const decision = {
    note,
    ...(falsePositive ? { kind: "false_positive" as const } : {}),
    ...(author === undefined ? {} : { author }),
    ...(reason === undefined ? {} : { reason }),
    ...(until === undefined ? {} : { expires_at: until }),
  };
  const count = await withClient((client) => client.risks.acceptMany({ risk_ids: ids, ...decision }));
  if (json) printJson(count);
  else console.log(`${describeCount(count.matched)} ${falsePositive ? "marked as false positive" : "accepted"} now; ${count.changed} changed.`);
}

async function unaccept(ids: string[], { note, author, json }: { note?: string; author?: string; json?: boolean }): Promise<void> {
  const end = { ...(note === undefined ? {} : { note }), ...(author === undefined ? {} : { author }) };
  const count = await withClient((client) => client.risks.endAcceptances({ risk_ids: ids, ...end }));
  if (json) printJson(count);
  else console.log(`${describeCount(count.matched)} not accepted now; ${count.changed} changed.`);
}

const describeCount = (value: number): string => (value === 1 ? "1 risk is" : `${value} risks are`);

/** An acceptance on one line. */
export function describeAcceptance({ kind, author, note, expires_at }: Acceptance): string {
  const end = expires_at === undefined ? "" : ` until ${formatTime(expires_at)}`;
  return cleanLine(`${kind === "accepted" ? "Accepted" : "Called a false positive"} by ${author}${end}: ${note}`);
}

async function showHistory(id: string, { limit, ...format }: Format & { limit: number }): Promise<void> {
  const { risk, events } = await withClient(async (client) => ({
    risk: await client.risks.get(id),
    events: await take(client.risks.history(id), limit),
  }));
  if (readFormat(format) === "table") printHead(risk);
  printList(format, { items: events, headings: ["WHEN", "WHAT", "WHO", "MORE"], row: toRow, empty: "Nothing happened to it yet." });
}

const printHead = ({ target, status, is_accepted, risk_definition }: Risk): void =>
  console.log(
    `${paint("bold", cleanLine(risk_definition.title))} on ${cleanLine(target)}  ${paintLevel(risk_definition.threat_level)}, ${cleanLine(status)}${is_accepted ? ", accepted" : ""}`,
  );

const toRow = (event: RiskEvent): string[] => [
  formatTime(event.at),
  event.type.replaceAll("_", " "),
  cleanLine(event.author ?? event.scan_type ?? ""),
  cleanLine(describeMore(event)),
];

function describeMore({ type, scan_id, threat_level, previous_threat_level, note, reason, expires_at }: RiskEvent): string {
  if (type === "threat_level_changed") return `${previous_threat_level} to ${threat_level}, scan ${scan_id}`;
  if (scan_id) return `scan ${scan_id}`;
  return [reason?.replaceAll("_", " "), note, expires_at && `until ${formatTime(expires_at)}`].filter(Boolean).join("; ");
}
