/** What a job makes: all files of a scan, or a report's one. */
export interface FileJob {
  kind: "results" | "report";
  /** The scan's or the report's. */
  ofId: string;
  workspaceId: string;
}

/** What decides how long files take: their PDF takes a second for so many risks, a longer one minutes. */
const mostSmallRisks = 100;
const mostSmallTargets = 500;
const mostSmallBytes = 16 * 1024 * 1024;

export interface FileSize {
  risks: number;
  targets: number;
  /** Of the file that was imported. */
  bytes?: number;
}

/** Whether files of that size are made behind the small ones. */
export const isLargeFile = ({ risks, targets, bytes = 0 }: FileSize): boolean => risks > mostSmallRisks || targets > mostSmallTargets || bytes > mostSmallBytes;

/** Where it need not be counted further. */
export const enoughToKnow: FileSize = { risks: mostSmallRisks + 1, targets: mostSmallTargets + 1 };
