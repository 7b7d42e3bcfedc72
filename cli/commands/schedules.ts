import type { NewSchedule, Schedule, ScheduleRun } from "@periscan/sdk/types.ts";
import { Argument, type Command, InvalidArgumentError, Option } from "commander";
import { cleanLine, formatTime, paint, printJson, printTable } from "../print.ts";
import { addFormat, type Format, printList } from "../print-list.ts";
import { readCount } from "../read-count.ts";
import { withClient } from "../session.ts";
import { take } from "../take.ts";
import { collectOption, readOptions, readType } from "./scan.ts";

export function addSchedulesCommand(program: Command): void {
  const schedules = addFormat(
    program
      .command("schedules")
      .description("Scans by the clock: list, add, change, pause. A platform must run at the time (periscan up).")
      .enablePositionalOptions()
      .option("--limit <n>", "at most so many", readCount, 500),
  )
    .addHelpText(
      "after",
      "\nExamples:\n  periscan schedules\n  periscan schedules add NMAP 192.0.2.0/28 --name office --every week --on SUN --at 02:00 --zone Europe/Berlin\n",
    )
    .action(listSchedules);
  addAddCommand(schedules);
  addOne(schedules, "show", "Show a schedule, its next times and what became of the last ones.")
    .option("--limit <n>", "at most so many runs", readCount, 20)
    .action(showSchedule);
  addOne(schedules, "pause", "Pause a schedule: nothing is due until it is resumed.").action((id: string, options: Options) =>
    printChanged(
      withClient((client) => client.schedules.pause(id)),
      "The schedule is paused.",
      options,
    ),
  );
  addOne(schedules, "resume", "Resume a schedule: its next time is the first from now on.").action((id: string, options: Options) =>
    printChanged(
      withClient((client) => client.schedules.resume(id)),
      "The schedule is resumed.",
      options,
    ),
  );
  schedules
    .command("delete")
    .description("Delete a schedule and its log. Its scans stay.")
    .argument("<id>")
    .addHelpText("after", "\nExample:\n  periscan schedules delete 0199d3a2-…\n")
    .action(deleteSchedule);
}

const addOne = (schedules: Command, name: string, description: string): Command =>
  schedules
    .command(name)
    .description(description)
    .argument("<id>")
    .option("--json", "as JSON")
    .addHelpText("after", `\nExample:\n  periscan schedules ${name} 0199d3a2-…\n`);

interface Options {
  json?: boolean;
}

interface AddOptions extends Options {
  name: string;
  tag?: string[];
  cron?: string;
  every?: NewSchedule["every"];
  at?: string;
  on?: NonNullable<NewSchedule["on"]>;
  zone: string;
  missed?: NewSchedule["missed"];
  overlap?: NewSchedule["overlap"];
  option?: Record<string, string>;
  login?: boolean;
}

function addAddCommand(schedules: Command): void {
  schedules
    .command("add")
    .description("Add a schedule. Give --cron or --every.")
    .addArgument(new Argument("<type>", "the scan type, such as NMAP").argParser(readType))
    .argument("[targets...]", "addresses, names, URLs, or CIDR blocks; or --tag")
    .requiredOption("--name <name>", "what it is called")
    .option("--tag <tag...>", "every target that has one of these tags at the time")
    .option("--cron <fields>", "five fields: minute, hour, day of the month, month, weekday")
    .addOption(new Option("--every <unit>", "instead of a cron").choices(["hour", "day", "week", "month"]))
    .option("--at <time>", "with --every, such as 03:00")
    .option("--on <days...>", "with --every: weekdays such as MON, or days of a month, or LAST", collectDay)
    .option("--zone <name>", "the time zone on whose clock it runs", Intl.DateTimeFormat().resolvedOptions().timeZone)
    .addOption(new Option("--missed <policy>", "when no platform ran at the time (default run_once)").choices(["run_once", "skip"]))
    .addOption(new Option("--overlap <policy>", "when the scan before still runs (default skip)").choices(["skip", "queue"]))
    .option("--option <name=value>", "an option of the engine; may be given again", collectOption)
    .option("--login", "use the login that is set for each target (use_authentication)")
    .option("--json", "as JSON")
    .addHelpText(
      "after",
      "\nExamples:\n  periscan schedules add NMAP 192.0.2.0/28 --name office --every week --on SUN --at 02:00\n  periscan schedules add NMAP --tag production --name nightly --cron '30 3 * * MON-FRI' --zone Europe/Berlin\n",
    )
    .action(addSchedule);
}

function collectDay(text: string, days: (string | number)[] = []): (string | number)[] {
  const day = /^\d{1,2}$/.test(text) ? Number(text) : text.toUpperCase();
  if (text === "") throw new InvalidArgumentError("give a day");
  return [...days, day];
}

async function addSchedule(type: NewSchedule["type"], targets: string[], options: AddOptions): Promise<void> {
  const { name, tag, cron, every, at, on, zone, missed, overlap, option, login } = options;
  const given = {
    targets: targets.length > 0 ? targets : undefined,
    tags: tag,
    cron,
    every,
    at,
    on,
    missed,
    overlap,
    options: option && (await readOptions(type, option)),
  };
  const present = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  const request: NewSchedule = { name, type, time_zone: zone, ...(login ? { use_authentication: true } : {}), ...present };
  const schedule = await withClient((client) => client.schedules.create(request));
  if (options.json) return printJson(schedule);
  console.log(cleanLine(schedule.id));
  console.log(`Next: ${schedule.next_runs.map((moment) => formatTime(moment)).join(", ")}`);
}

async function listSchedules({ limit, ...format }: Format & { limit: number }): Promise<void> {
  const schedules = await withClient((client) => take(client.schedules.list(), limit));
  const empty = "No schedules yet. Add one: periscan schedules add NMAP 127.0.0.1 --name nightly --every day --at 03:00";
  printList(format, { items: schedules, headings: ["SCHEDULE", "TYPE", "CRON", "ZONE", "NEXT", "NAME"], row: toRow, empty });
}

const toRow = ({ id, type, cron, time_zone, next_runs, enabled, name }: Schedule): string[] => [
  id,
  type,
  cron,
  time_zone,
  enabled ? formatTime(next_runs[0]) : paint("yellow", "paused"),
  cleanLine(name),
];

async function showSchedule(id: string, { limit, json }: Options & { limit: number }): Promise<void> {
  const { schedule, runs } = await withClient(async (client) => ({
    schedule: await client.schedules.get(id),
    runs: await take(client.schedules.runs(id), limit),
  }));
  if (json) return printJson({ schedule, runs });
  const what = [...schedule.targets, ...schedule.target_ids, ...schedule.tags.map((tag) => `every target with the tag ${tag}`)].join(", ");
  console.log(`${paint("bold", cleanLine(schedule.name))}  ${cleanLine(`${schedule.type}, ${schedule.cron} on the clock of ${schedule.time_zone}`)}`);
  console.log(`Targets  ${cleanLine(what)}`);
  console.log(`Next     ${schedule.enabled ? schedule.next_runs.map((moment) => formatTime(moment)).join(", ") : paint("yellow", "paused")}`);
  if (runs.length === 0) return console.log("It has not been due yet.");
  printTable(["PLANNED", "STATE", "SCAN", "REASON"], runs.map(toRunRow));
}

const toRunRow = ({ planned_at, state, scan_id, reason, missed_since }: ScheduleRun): string[] => [
  formatTime(planned_at),
  state === "refused" ? paint("red", state) : state,
  scan_id ?? "",
  cleanLine([reason?.message, missed_since ? `It stands for those missed since ${formatTime(missed_since)}.` : undefined].filter(Boolean).join(" ")),
];

async function deleteSchedule(id: string): Promise<void> {
  await withClient((client) => client.schedules.delete(id));
  console.log("The schedule is deleted.");
}

async function printChanged(changed: Promise<Schedule>, sentence: string, { json }: Options): Promise<void> {
  const schedule = await changed;
  if (json) printJson(schedule);
  else console.log(sentence);
}
