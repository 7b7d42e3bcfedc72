import type { Schedule, ScheduleRun } from "@periscan/contract/schedule.ts";
import { findEngine } from "@periscan/engines/registry.ts";
import { sampleId, sampleTime } from "./sample-facts.ts";
import { finishedSamples } from "./sample-scans.ts";

const dayMinutes = 24 * 60;

/** One for each scan that says which schedule made it. */
export const sampleSchedules: Schedule[] = finishedSamples.flatMap(({ scan }) =>
  scan.scheduled_by === undefined
    ? []
    : {
        id: scan.scheduled_by,
        name: "Every morning",
        type: scan.type,
        targets: [],
        target_ids: scan.targets.map(({ target_id }) => target_id),
        tags: [],
        options: findEngine(scan.type)?.options.parse({}) ?? {},
        use_authentication: false,
        cron: "0 10 * * *",
        time_zone: "UTC",
        missed: "run_once",
        overlap: "skip",
        enabled: true,
        next_runs: [1, 2, 3, 4, 5].map((day) => sampleTime(60 + day * dayMinutes)),
        last_scan_id: scan.id,
        created_at: sampleTime(60 - dayMinutes),
      },
);

/** What became of the times of a sample schedule: it ran once. */
export const listSampleRuns = ({ last_scan_id }: Schedule): ScheduleRun[] => [
  { id: sampleId("run", 1), planned_at: sampleTime(60), state: "started", ...(last_scan_id ? { scan_id: last_scan_id } : {}), created_at: sampleTime(60) },
];
