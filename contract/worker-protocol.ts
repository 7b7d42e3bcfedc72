import { z } from "zod";
import { ImportCounts } from "./import-counts.ts";
import { Observation, Outcome } from "./outcome.ts";
import { EngineContent, ScanType } from "./scan.ts";
import { RecordedLogin, TargetLogin } from "./target.ts";

/**
 * What a worker and the server say to each other, below `/worker/v1`, with the worker's token as bearer. A worker claims a task and gets a
 * lease with an attempt number. Every later call carries that number; once the task has a newer attempt, or is over, the answer is 409 and
 * the worker drops the task.
 */
export const EngineStatus = z.object({
  type: ScanType,
  ready: z.boolean(),
  version: z.string().max(200).optional(),
  content: z.array(EngineContent).max(20).optional().describe("The rules, templates or feed that it scans with, where it has any."),
  missing: z.string().max(2000).optional().describe("What is missing and what mends it, where the engine is not ready."),
  installing: z.boolean().optional().describe("It is being installed right now."),
});
export type EngineStatus = z.infer<typeof EngineStatus>;

export const ClaimRequest = z.object({
  worker: z.object({
    name: z.string().min(1).max(200).optional().describe("That of the token, or absent: a token is for one worker."),
    version: z.string().max(50),
  }),
  engines: z.array(EngineStatus),
  fitting: z
    .array(ScanType)
    .describe(
      "The types whose engine fits into the memory that is free now. A workspace's oldest task is never passed over by one of its own that fits better.",
    ),
  imports: z.boolean().optional().describe("Whether an import fits into the memory that is free now; absent where this worker reads none."),
  wait_seconds: z.int().min(0).max(60),
});
export type ClaimRequest = z.infer<typeof ClaimRequest>;

export const Task = z.object({
  task_id: z.string(),
  attempt: z.int().min(1),
  scan_id: z.string(),
  type: ScanType,
  options: z.record(z.string(), z.unknown()),
  targets: z
    .array(z.object({ target_id: z.string(), target: z.string(), known: z.array(Observation), login: z.union([TargetLogin, RecordedLogin]).optional() }))
    .describe("Only those that have no outcome yet; with what was seen of them before, and the login where the scan uses it."),
  import: z
    .object({
      size_bytes: z.int().min(0),
      target: z.string().optional().describe("Canonical: what the file is of, where it does not say so itself."),
      known: z.boolean().describe("An earlier import read the same bytes: `POST tasks/:id/recall` takes over what it told, where that still holds."),
    })
    .optional()
    .describe("The task is to read a file and not to scan: `targets` is empty, and `GET tasks/:id/file?attempt=` answers the file."),
  policy: z.object({ allow_loopback: z.boolean(), allow_private: z.boolean().default(true) }),
  deadline_seconds: z.int().min(1).describe("From now on; the worker ends the attempt then."),
  heartbeat_seconds: z.number().positive(),
});
export type Task = z.infer<typeof Task>;

export const ClaimAnswer = z.object({ data: Task.nullable() });

const Attempt = z.int().min(1);

export const Heartbeat = z.object({
  attempt: Attempt,
  progress: z.number().min(0).max(1).describe("The share of this attempt's targets that is done."),
});
export type Heartbeat = z.infer<typeof Heartbeat>;

/** `sequence` counts an attempt's outcomes from 1, so that one sent again is known and harmless. */
export const OutcomeReport = z.object({
  attempt: Attempt,
  sequence: z.int().min(1),
  target_id: z.string(),
  resolved_target: z.string().max(2048).optional(),
  engine_version: z.string().max(200).optional(),
  content: z.array(EngineContent).max(20).optional(),
  has_native: z.boolean().describe("The native output of this target was uploaded before."),
  outcome: Outcome,
});
export type OutcomeReport = z.infer<typeof OutcomeReport>;

/** The most outcomes of one `ImportReport`. */
export const maxReportOutcomes = 1000;

/**
 * Some of the outcomes that a file tells of; its targets are made when they are told. A target counts once: what is sent again, by this attempt or
 * by the one that begins the file anew, changes nothing.
 */
export const ImportReport = z.object({
  attempt: Attempt,
  sequence: z.int().min(1),
  outcomes: z
    .array(
      z.object({
        target: z.string().min(1).max(2048).describe("In canonical form."),
        resolved_target: z.string().max(2048).optional(),
        observed_at: z.iso.datetime().optional().describe("When the file says that the target was looked at."),
        outcome: Outcome,
      }),
    )
    .min(1)
    .max(maxReportOutcomes),
});
export type ImportReport = z.infer<typeof ImportReport>;

/** Whether everything that the file tells was taken over from the earlier import; where not, it must be read. */
export const Recall = z.object({ attempt: Attempt });
export const RecallAnswer = z.object({ data: z.object({ recalled: z.boolean() }) });

export const AttemptEnd = z.object({
  attempt: Attempt,
  error: z
    .object({
      code: z.string().max(100),
      message: z.string().max(2000),
      retry: z.boolean().describe("Another attempt may do better."),
    })
    .optional()
    .describe("Absent where the engine ran to its end."),
  import: ImportCounts.optional().describe(
    "What became of the results in an import's file, where it was read. Of a file that was recalled the server knows it.",
  ),
});
export type AttemptEnd = z.infer<typeof AttemptEnd>;
