import type { ScanDocument } from "@periscan/contract/scan-document.ts";
import { boundReport } from "./bound-report.ts";
import { describeScan } from "./describe-scan.ts";
import { renderHtml } from "./render-html.ts";
import { renderPdf } from "./render-pdf.ts";
import { showText } from "./show-text.ts";

const wholeScan = { risks: "The scan's HTML file has more, and its JSON file all of them.", rows: "The scan's HTML and JSON files have all of them." };

/** A scan's document as one of the files that Periscan makes itself. */
export async function renderResult(kind: "json" | "html" | "pdf", document: ScanDocument): Promise<string | Uint8Array> {
  if (kind === "json") return `${JSON.stringify(document, undefined, 2)}\n`;
  const report = showText(describeScan(document));
  return kind === "html" ? renderHtml(report) : renderPdf(boundReport(report, wholeScan));
}
