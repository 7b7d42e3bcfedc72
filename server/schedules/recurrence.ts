import { minScheduleMinutes, type ScheduleUpdate } from "@periscan/contract/schedule.ts";
import { Cron } from "croner";
import { ApiError } from "../errors/api-error.ts";
import { fromWallTime, isTimeZone, toWallTime } from "./zone-clock.ts";

/** When a schedule is due. `cron` has five fields, read on the clock of `timeZone`. */
export interface Recurrence {
  cron: string;
  timeZone: string;
}

/**
 * The library sees wall times as if they were UTC, and zone-clock.ts says when they are: the library's own zones skip `15,45 2 * * *` on the
 * day that has no such hour, and run `0,30 2 * * *` four times on the day that has it twice. UTC is said as an offset: for the zone of that
 * name it makes formats of Intl at each step, which takes 90 times as long.
 */
const onWall = (cron: string): Cron => new Cron(cron, { utcOffset: 0, mode: "5-part" });

/** The first wall time after this one. The library (10.0.1) takes 30 February for 2 March and goes on there, past the first: so once more from March. */
function nextWall(pattern: Cron, after: Date): Date | null {
  const next = pattern.nextRun(after);
  const march = Date.UTC(after.getUTCFullYear(), 2, 1);
  return next && after.getTime() < march && next.getTime() > march ? pattern.nextRun(new Date(march - 1000)) : next;
}

/**
 * The first occurrence after this moment. Each time of the zone's clock counts once: one that comes twice at its first coming, one that
 * never comes at the next moment that exists. Undefined where there is none any more.
 */
export function nextOccurrence({ cron, timeZone }: Recurrence, after: Date): Date | undefined {
  const pattern = onWall(cron);
  let wall = nextWall(pattern, toWallTime(after, timeZone));
  while (wall) {
    const moment = fromWallTime(wall, timeZone);
    // In the second coming of an hour the clock shows what has been already.
    if (moment > after) return moment;
    wall = nextWall(pattern, wall);
  }
  return undefined;
}

/**
 * The last occurrence at or before this moment, which is not before `first`, an occurrence. Found by halving with `nextOccurrence`, which
 * goes on in the same order: the library's own way back (10.0.1) throws around 29 February.
 */
export function lastOccurrence(recurrence: Recurrence, first: Date, until: Date): Date {
  let last = first;
  let [from, to] = [first.getTime(), until.getTime()];
  // None is later than `to`. The first look, from `first` itself, is the last where nothing was missed.
  for (let look = from; from < to; look = Math.floor((from + to) / 2)) {
    const next = nextOccurrence(recurrence, new Date(look));
    if (next && next <= until) {
      last = next;
      from = next.getTime();
    } else to = look;
  }
  return last;
}

/** The next occurrences, beginning with `first` itself. */
export function nextOccurrences(recurrence: Recurrence, first: Date, count: number): Date[] {
  const found = [first];
  while (found.length < count) {
    const next = nextOccurrence(recurrence, found.at(-1) as Date);
    if (!next) break;
    found.push(next);
  }
  return found;
}

type Given = Pick<ScheduleUpdate, "cron" | "every" | "at" | "on" | "time_zone">;

/** What the client said, checked, over what was before. Throws 400 with the field at fault. */
export function readRecurrence(given: Given, before: Recurrence | undefined): Recurrence {
  const timeZone = given.time_zone ?? before?.timeZone ?? "UTC";
  if (!isTimeZone(timeZone)) throw refusal("time_zone", `${JSON.stringify(timeZone)} is not the name of a time zone, such as Europe/Berlin`);
  if (given.cron !== undefined && given.every !== undefined) throw refusal("every", "give either cron or every, not both");
  for (const field of ["at", "on"] as const)
    if (given[field] !== undefined && given.every === undefined) throw refusal(field, "goes with every; in a cron it is a part of the five fields");
  const field = given.every === undefined ? "cron" : "every";
  const cron = given.every === undefined ? (given.cron ?? before?.cron) : toCron(given as Given & { every: string });
  if (cron === undefined) throw refusal("cron", "give a cron such as 0 3 * * MON, or every");
  return { cron: checkCron(cron, field), timeZone };
}

function toCron({ every, at = "03:00", on }: Given & { every: string }): string {
  const [hour, minute] = at.split(":").map(Number);
  if ((every === "hour" || every === "day") && on) throw refusal("on", "goes with every week or month");
  if (every === "hour") return `${minute} * * * *`;
  if (every === "day") return `${minute} ${hour} * * *`;
  const days = on ?? (every === "week" ? ["MON"] : [1]);
  for (const [index, day] of days.entries()) {
    const isWeekday = typeof day === "string" && day !== "LAST";
    if (isWeekday !== (every === "week")) throw refusal(`on[${index}]`, every === "week" ? "give weekdays such as MON" : "give days from 1 to 31, or LAST");
  }
  if (every === "week") return `${minute} ${hour} * * ${days.join(",")}`;
  return `${minute} ${hour} ${days.map((day) => (day === "LAST" ? "L" : day)).join(",")} * *`;
}

/** The cron with single spaces. `@daily`, a date, a `?` and a sixth field are the library's own and no five-field cron. */
function checkCron(text: string, field: string): string {
  const fields = text.trim().split(/\s+/);
  if (fields.length !== 5) throw refusal(field, `${JSON.stringify(text)} has ${fields.length} fields, a cron has five`);
  const cron = fields.join(" ").toUpperCase();
  if (!/^[0-9A-Z*,/# -]+$/.test(cron)) throw refusal(field, `${JSON.stringify(text)} holds a character that no cron has`);
  try {
    onWall(cron);
  } catch (error) {
    throw refusal(field, (error as Error).message.replace(/^CronPattern: /, "").replace(/\.$/, ""));
  }
  // The library looks as far as the year 3000; from now on it may run out of stack before that. Ten leap years have every day on every weekday.
  if (!onWall(cron).nextRun(new Date("2959-12-31T00:00:00Z"))) throw refusal(field, `${cron} never occurs`);
  checkSpacing(cron, field);
  return cron;
}

/** As if every day were one of the schedule's, so that it holds across midnight whatever its days are. */
function checkSpacing(cron: string, field: string): void {
  const [minute, hour] = cron.split(" ");
  const times = onWall(`${minute} ${hour} * * *`).nextRuns(2 * 24 * (60 / minScheduleMinutes) + 2, new Date("2027-01-01T00:00:00Z"));
  const tooClose = times.some((time, index) => time.getTime() - (times[index - 1]?.getTime() ?? 0) < minScheduleMinutes * 60_000);
  if (tooClose) throw refusal(field, `${cron} occurs more often than every ${minScheduleMinutes} minutes`);
}

const refusal = (field: string, sentence: string): ApiError => new ApiError(400, "schedule.invalid", `${field}: ${sentence}.`, { field });
