import type { OutcomeKind } from "@periscan/contract/outcome.ts";
import type { Engine, NativeFormat } from "@periscan/engines/kit/engine.ts";
import { findEngine } from "@periscan/engines/registry.ts";
import { and, asc, eq, isNotNull, sql } from "drizzle-orm";
import { v7 as uuidv7 } from "uuid";
import type { Transaction } from "../db/connect.ts";
import { result, scan, scanTarget, task } from "../db/schema.ts";
import { recordScanEvent } from "../events/record-scan-event.ts";
import { recordScanNotifications } from "../events/record-scan-notifications.ts";
import { countRisks, countTargets } from "../present/count-targets.ts";
import { queueFiles } from "../queue/start-queue.ts";
import type { Services } from "../services.ts";
import { applyObservations } from "./apply-observations.ts";
import { applyOutcomes } from "./apply-outcomes.ts";
import { findImportFile, type ImportFile } from "./import-file.ts";
import { isLargeScan } from "./is-large-scan.ts";

interface ScanError {
  code: string;
  message: string;
}

/**
 * Ends a scan whose tasks have all ended, under the scan's lock: risks, state, and the jobs that make its results. SUCCEEDED where at least
 * one target was looked at to the end, or an import's file was read to its end; FAILED otherwise, or with `cause`, and then the scan says why.
 */
export async function finishScan(tx: Transaction, boss: Services["boss"], scanId: string, cause?: ScanError): Promise<void> {
  const [row] = await tx.select().from(scan).where(eq(scan.id, scanId));
  if (!row) throw new Error(`scan ${scanId} is gone`);
  const engine = findEngine(row.type);
  const file = await findImportFile(tx, scanId);
  await applyOutcomes(tx, { scanId, workspaceId: row.workspaceId, engine, isImport: file !== undefined });
  await applyObservations(tx, { scanId, engine });
  const targets = await countTargets(tx, scanId);
  const risks = await countRisks(tx, scanId);
  const error = cause ?? (await findFailure(tx, scanId, file !== undefined));
  await tx
    .update(scan)
    .set({
      state: error ? "FAILED" : "SUCCEEDED",
      ...(error ? { errorCode: error.code, errorMessage: error.message } : { progress: 100 }),
      finishedAt: sql`now()`,
    })
    .where(eq(scan.id, scanId));
  await addResults(tx, { scanId, workspaceId: row.workspaceId, engine, file });
  const job = { kind: "results" as const, ofId: scanId, workspaceId: row.workspaceId };
  await queueFiles(tx, boss, { job, isLarge: isLargeScan({ targets, risks, file }) });
  await recordScanEvent(tx, scanId, "scan.updated");
  await recordScanNotifications(tx, scanId);
}

/** Why no target was looked at to the end; undefined where one was. What a file tells may be partial by its nature: an import failed where its file was not read. */
async function findFailure(tx: Transaction, scanId: string, isImport: boolean): Promise<ScanError | undefined> {
  const targets = await tx
    .select({ target: scanTarget.target, kind: scanTarget.kind, reason: scanTarget.reason })
    .from(scanTarget)
    .where(eq(scanTarget.scanId, scanId))
    .orderBy(asc(scanTarget.ordinal));
  const isComplete = targets.some(({ kind }) => kind === "complete");
  if (isComplete && !isImport) return undefined;
  const [failed] = await tx
    .select({ code: task.errorCode, message: task.errorMessage })
    .from(task)
    .where(and(eq(task.scanId, scanId), eq(task.state, "ended"), isNotNull(task.errorCode)))
    .limit(1);
  if (failed?.code) return { code: failed.code, message: failed.message ?? failed.code };
  if (isComplete) return undefined;
  const [first] = targets;
  if (isImport && targets.some(({ kind }) => kind === "partial")) return undefined;
  if (!first && isImport) return { code: "import.empty", message: "The file names no target that answered." };
  if (!first) return { code: "scan.nothing_to_scan", message: "The scan has no targets." };
  const example = `${first.target}: ${first.reason ?? ""}`;
  if (targets.length === 1) return { code: summaries[first.kind as OutcomeKind].code, message: example };
  const summary = summaries[targets.every(({ kind }) => kind === first.kind) ? (first.kind as OutcomeKind) : "partial"];
  return { code: summary.code, message: `${summary.text} ${example}` };
}

const summaries: Record<OutcomeKind, { code: string; text: string }> = {
  complete: { code: "scan.failed", text: "The scan failed." },
  partial: { code: "scan.incomplete", text: "No target was looked at to the end. The first of them:" },
  unreachable: { code: "scan.unreachable", text: "No target answered. The first of them:" },
  skipped: { code: "scan.nothing_to_scan", text: "No target could be scanned. The first of them:" },
};

interface Ended {
  scanId: string;
  workspaceId: string;
  engine: Engine;
  file: ImportFile | undefined;
}

/** An imported file is the scan's native output as it came, which need not be in the engine's first format. */
function describeNative({ native }: Engine, file: ImportFile | undefined): Pick<NativeFormat, "contentType" | "extension"> {
  if (!file || file.contentType === native.contentType) return native;
  return { contentType: file.contentType, extension: file.contentType === "application/xml" ? "xml" : "json" };
}

async function addResults(tx: Transaction, { scanId, workspaceId, engine, file }: Ended): Promise<void> {
  const [native] = await tx
    .select({ targetId: scanTarget.targetId })
    .from(scanTarget)
    .where(and(eq(scanTarget.scanId, scanId), file ? undefined : eq(scanTarget.hasNative, true)))
    .limit(1);
  const stem = `${engine.type.toLowerCase().replaceAll("_", "-")}-${scanId}`;
  const { contentType, extension } = describeNative(engine, file);
  const files = [
    ...(native ? [{ kind: "native" as const, contentType: contentType as string, fileName: `${stem}.${extension}` }] : []),
    { kind: "html" as const, contentType: "text/html", fileName: `${stem}.html` },
    { kind: "pdf" as const, contentType: "application/pdf", fileName: `${stem}.pdf` },
    { kind: "json" as const, contentType: "application/json", fileName: extension === "json" ? `${stem}-periscan.json` : `${stem}.json` },
  ].map((file) => ({ id: uuidv7(), workspaceId, scanId, ...file }));
  await tx.insert(result).values(files);
}
