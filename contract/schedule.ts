import { z } from "zod";
import { maxTargetsPerScan, NewScan, ScanType } from "./scan.ts";

/** The shortest time between two occurrences of a schedule. */
export const minScheduleMinutes = 15;

const weekdays = ["MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN"] as const;

/** When a schedule's scans are due: `cron`, or the simple form `every`, `at`, `on`, which becomes a `cron`. */
const recurrence = {
  cron: z
    .string()
    .max(200)
    .optional()
    .describe(
      `Five fields: minute, hour, day of the month, month, weekday (0 or 7 is Sunday), such as \`30 3 * * MON-FRI\`. Where both day fields are given, either may match. At most every ${minScheduleMinutes} minutes.`,
    ),
  every: z.enum(["hour", "day", "week", "month"]).optional().describe("The simple form, in the place of `cron`."),
  at: z
    .string()
    .regex(/^([01]\d|2[0-3]):[0-5]\d$/, "give a time such as 03:00")
    .optional()
    .describe("With `every`: the time on the zone's clock, 03:00 where absent. Of an hour only the minutes count."),
  on: z
    .array(z.union([z.enum(weekdays), z.int().min(1).max(31), z.literal("LAST")]))
    .min(1)
    .max(31)
    .optional()
    .describe("With `every`: the weekdays of a week (MON where absent), or the days of a month (1 where absent; `LAST` is its last day)."),
  time_zone: z.string().min(1).max(64).optional().describe("An IANA name such as `Europe/Berlin`, on whose clock the schedule runs; UTC where absent."),
};

const Missed = z
  .enum(["run_once", "skip"])
  .describe("What happens when no server ran at the time: one scan as soon as one runs, however many were missed, or none.");
const Overlap = z.enum(["skip", "queue"]).describe("What happens when the scan before still runs: nothing, or one scan as soon as it has ended.");

const { targets, target_ids, tags, use_authentication, options } = NewScan.shape;
const changes = {
  name: z.string().trim().min(1).max(200),
  type: ScanType,
  targets,
  target_ids,
  tags: tags.describe("Every target that has one of these tags at the time of the scan."),
  options,
  use_authentication,
  ...recurrence,
  missed: Missed.optional(),
  overlap: Overlap.optional(),
  enabled: z.boolean().optional().describe("False makes it paused: nothing is due until it is resumed."),
};

export const NewSchedule = z.strictObject(changes).meta({ id: "NewSchedule" });
export type NewSchedule = z.infer<typeof NewSchedule>;

/** Only what is given changes; `cron` and `every` replace each other. */
export const ScheduleUpdate = z.strictObject({ ...changes, name: changes.name.optional(), type: ScanType.optional() }).meta({ id: "ScheduleUpdate" });
export type ScheduleUpdate = z.infer<typeof ScheduleUpdate>;

export const Schedule = z
  .object({
    id: z.string(),
    name: z.string(),
    type: ScanType,
    targets: z.array(z.string()).max(maxTargetsPerScan),
    target_ids: z.array(z.string()),
    tags: z.array(z.string()),
    options: z.record(z.string(), z.unknown()),
    use_authentication: z.boolean(),
    cron: z.string(),
    time_zone: z.string(),
    missed: Missed,
    overlap: Overlap,
    enabled: z.boolean(),
    next_runs: z.array(z.iso.datetime()).max(5).describe("The next five; none while it is paused."),
    last_scan_id: z.string().optional().describe("The scan that it made last."),
    created_at: z.iso.datetime(),
  })
  .meta({ id: "Schedule" });
export type Schedule = z.infer<typeof Schedule>;

/**
 * `started`: it made a scan. `waiting`: it will, once the scan before has ended. `skipped`: by the schedule's own policy. `refused`: the scan
 * could not be made, or is over the workspace's allowance.
 */
export const ScheduleRunState = z.enum(["started", "waiting", "skipped", "refused"]).meta({ id: "ScheduleRunState" });
export type ScheduleRunState = z.infer<typeof ScheduleRunState>;

/** What became of one occurrence of a schedule. */
export const ScheduleRun = z
  .object({
    id: z.string(),
    planned_at: z.iso.datetime(),
    state: ScheduleRunState,
    scan_id: z.string().optional(),
    reason: z.object({ code: z.string(), message: z.string() }).optional().describe("Why it was skipped or refused, or what a reader of it must know."),
    missed_since: z.iso.datetime().optional().describe("The first of the occurrences before this one that were missed, and that it stands for."),
    created_at: z.iso.datetime(),
  })
  .meta({ id: "ScheduleRun" });
export type ScheduleRun = z.infer<typeof ScheduleRun>;
