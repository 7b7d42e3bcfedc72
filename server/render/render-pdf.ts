import { spawn } from "node:child_process";
import { once } from "node:events";
import { Readable } from "node:stream";
import { buffer, text } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import { fileURLToPath } from "node:url";
import type { Report } from "./report.ts";

const program = fileURLToPath(new URL("set-pdf.ts", import.meta.url));

/** 10,000 risks take about 20 s on a slow machine. */
const deadlineSeconds = 300;

/** The report as PDF, set by Typst in a process of its own. Throws where it fails or takes longer than five minutes. */
export async function renderPdf(report: Report): Promise<Buffer> {
  const child = spawn(process.execPath, [program], { stdio: ["pipe", "pipe", "pipe"], timeout: deadlineSeconds * 1000, killSignal: "SIGKILL" });
  const [pdf, errors, [exitCode, signal]] = await Promise.all([
    buffer(child.stdout),
    text(child.stderr),
    once(child, "close") as Promise<[number | null, string | null]>,
    // A child that dies early closes the pipe; its exit code says more than EPIPE.
    pipeline(Readable.from([JSON.stringify(report)]), child.stdin).catch(() => {}),
  ]);
  if (exitCode !== 0 || pdf.byteLength === 0) throw new Error(`the PDF could not be set (${signal ?? exitCode}): ${errors.slice(-2000)}`);
  return pdf;
}
