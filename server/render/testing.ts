import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DocumentRisk, ScanDocument } from "@periscan/contract/scan-document.ts";
import { renderResult } from "./render-result.ts";

const time = "2026-11-24T12:00:00.000Z";

/** An open port, with what a test changes of it. */
export const risk = (change: Partial<DocumentRisk> = {}): DocumentRisk => ({
  risk_id: "r1",
  target_id: "t1",
  target: "192.0.2.1",
  change: "new_open",
  status: "OPEN",
  is_accepted: false,
  title: "Open TCP Port: 23",
  threat_level: "HIGH",
  description: "Telnet is open. It sends logins in clear text.",
  solution: "Use SSH.",
  references: ["https://example.com/telnet"],
  additional_info: { port: 23 },
  evidence: [{ type: "facts", rows: [["Port", "23/tcp"]] }],
  first_detected_at: time,
  last_detected_at: time,
  ...change,
});

/** The document of a finished scan. */
export function makeDocument({ risks = [], complete = 1, unreachable = 0 }: { risks?: DocumentRisk[]; complete?: number; unreachable?: number }): ScanDocument {
  const targets = Array.from({ length: complete + unreachable }, (_, index) => ({
    target_id: `t${index + 1}`,
    target: `192.0.2.${index + 1}`,
    notes: [],
    ...(index < complete
      ? { outcome: "complete" as const, coverage: "All 65,535 TCP ports" }
      : { outcome: "unreachable" as const, reason: "It did not answer." }),
  }));
  const count = (level: string) => risks.filter(({ threat_level, status }) => threat_level === level && status === "OPEN").length;
  return {
    format: "periscan.scan/1",
    generated_at: time,
    scan: {
      id: "s1",
      type: "NMAP",
      title: "TCP port scan",
      state: complete > 0 ? "SUCCEEDED" : "FAILED",
      ...(complete > 0 ? {} : { error: { code: "scan.unreachable", message: "192.0.2.1: It did not answer." } }),
      options: { ports: "1-1000" },
      engine_versions: ["Nmap 7.93"],
      content: [],
      created_at: time,
      started_at: time,
      finished_at: time,
    },
    workspace: "default",
    summary: {
      risks: { CRITICAL: count("CRITICAL"), HIGH: count("HIGH"), MEDIUM: count("MEDIUM"), LOW: count("LOW"), NONE: count("NONE") },
      changes: { new_open: risks.length, still_open: 0, closed: 0 },
      targets: { complete, partial: 0, unreachable, skipped: 0, pending: 0 },
    },
    risks,
    targets,
    not_covered: targets.filter(({ outcome }) => outcome !== "complete").map(({ target }) => ({ target, what: "It did not answer." })),
  };
}

/** What a reader of the PDF sees, by Poppler. */
export async function readPdf(document: ScanDocument): Promise<{ text: string; pages: string[]; info: string; meta: string }> {
  const folder = mkdtempSync(join(tmpdir(), "periscan-pdf-"));
  try {
    const file = join(folder, "report.pdf");
    writeFileSync(file, await renderResult("pdf", document));
    // This Poppler complains of PDF/UA's `Suspects` entry on standard error.
    const run = (program: string, ...args: string[]) =>
      execFileSync(program, args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"], maxBuffer: 256 * 1024 ** 2 });
    const text = run("pdftotext", "-layout", file, "-").replaceAll("\u200b", "");
    return {
      text,
      pages: text.split("\f"),
      info: run("pdfinfo", file),
      meta: run("pdfinfo", "-meta", file),
    };
  } finally {
    rmSync(folder, { recursive: true });
  }
}
