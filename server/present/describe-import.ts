import type { ImportCounts } from "@periscan/contract/import-counts.ts";
import type { ScanImport } from "@periscan/contract/scan.ts";

const number = (value: number): string => value.toLocaleString("en");

/** What became of an import's results, with a sentence that says it. */
export function presentImport(counts: ImportCounts): ScanImport {
  return { ...counts, summary: describeImport(counts) };
}

function describeImport({ results, risks, joined, left_out }: ImportCounts): string {
  if (results === 0) return "The file has no result.";
  const left = left_out.reduce((sum, { count }) => sum + count, 0);
  const parts = [
    `${number(risks)} became ${risks === 1 ? "a risk" : "risks"}`,
    ...(joined === 0 ? [] : [`${number(joined)} ${joined === 1 ? "was" : "were"} joined to others`]),
    ...(left === 0
      ? []
      : [`${number(left)} ${left === 1 ? "was" : "were"} left out (${left_out.map(({ reason, count }) => `${reason}: ${number(count)}`).join("; ")})`]),
  ];
  return `The file has ${number(results)} ${results === 1 ? "result" : "results"}: ${parts.join(", ")}.`;
}
