import { inspect } from "node:util";
import { parentPort, workerData } from "node:worker_threads";
import { openDatabase } from "../db/connect.ts";
import { createFileStore } from "../file-store.ts";
import { makeReport } from "../reports/make-report.ts";
import { makeResults } from "../scans/make-results.ts";

/** What the thread stands on: it shares nothing with the server but the database and the files. */
export interface MakingInput {
  databaseUrl: string;
  filesFolder: string;
}

export interface MakingRequest {
  id: number;
  kind: "results" | "report";
  /** The scan's or the report's. */
  ofId: string;
}

/** `error` is absent where the files are made. */
export type MakingMessage = { kind: "answer"; id: number; error?: string } | { kind: "warning"; message: string };

const say = (message: MakingMessage): void => parentPort?.postMessage(message);

const { databaseUrl, filesFolder } = workerData as MakingInput;
const { db } = openDatabase(databaseUrl, (error) => say({ kind: "warning", message: `a database connection broke: ${error.message}` }), 2);
const services = { db, files: createFileStore(filesFolder) };

parentPort?.on("message", ({ id, kind, ofId }: MakingRequest) => {
  const making = kind === "results" ? makeResults(services, ofId) : makeReport(services, ofId);
  making.then(
    () => say({ kind: "answer", id }),
    (error) => say({ kind: "answer", id, error: inspect(error) }),
  );
});
