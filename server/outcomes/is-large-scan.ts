import type { RiskCounts, TargetCounts } from "@periscan/contract/scan.ts";
import { isLargeFile } from "../queue/file-job.ts";
import type { ImportFile } from "./import-file.ts";

interface EndedScan {
  targets: TargetCounts | null | undefined;
  risks: RiskCounts | null | undefined;
  file: ImportFile | undefined;
}

/** Whether its files are made behind those of smaller scans; what was not counted may be large. */
export function isLargeScan({ targets, risks, file }: EndedScan): boolean {
  if (!targets || !risks) return true;
  const { new_open, still_open, closed } = risks;
  return isLargeFile({ risks: new_open + still_open + closed, targets: targets.requested, ...(file ? { bytes: file.sizeBytes } : {}) });
}
