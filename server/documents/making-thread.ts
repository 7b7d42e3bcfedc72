import { readlinkSync } from "node:fs";
import { setPriority } from "node:os";
import { basename } from "node:path";
import { inspect } from "node:util";
import { parentPort, workerData } from "node:worker_threads";
import { openDatabase } from "../db/connect.ts";
import { createFileStore } from "../files/file-store.ts";
import type { FileJob } from "../queue/file-job.ts";
import { makeReport } from "./make-report.ts";
import { makeResults } from "./make-results.ts";

/** What the thread stands on: it shares nothing with the server but the database and the files. */
export interface MakingInput {
  databaseUrl: string;
  filesFolder: string;
  /** How far the thread, and what it starts, gives way to others: a nice value, 0 to 19. */
  niceness: number;
}

export interface MakingRequest {
  id: number;
  kind: FileJob["kind"];
  ofId: FileJob["ofId"];
}

/** `error` is absent where the files are made. */
export type MakingMessage = { kind: "answer"; id: number; error?: string } | { kind: "warning"; message: string };

const say = (message: MakingMessage): void => parentPort?.postMessage(message);

const { databaseUrl, filesFolder, niceness } = workerData as MakingInput;
// Of Linux a thread has a priority of its own, and a number as a process has: proc(5), /proc/thread-self.
if (niceness > 0) setPriority(Number(basename(readlinkSync("/proc/thread-self"))), niceness);
const { db } = openDatabase(databaseUrl, (error) => say({ kind: "warning", message: `a database connection broke: ${error.message}` }), 2);
const services = { db, files: createFileStore(filesFolder) };

parentPort?.on("message", ({ id, kind, ofId }: MakingRequest) => {
  const making = kind === "results" ? makeResults(services, ofId) : makeReport(services, ofId);
  making.then(
    () => say({ kind: "answer", id }),
    (error) => say({ kind: "answer", id, error: inspect(error) }),
  );
});
