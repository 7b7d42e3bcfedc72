import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { Readable } from "node:stream";
import { buffer, text } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import { fileURLToPath } from "node:url";
import type { Report } from "./report.ts";

const program = fileURLToPath(new URL("set-pdf.ts", import.meta.url));

/** 10,000 risks take about 20 s on a slow machine. */
const deadlineSeconds = 300;

/** 10,000 risks take about 2 GB; the machine must not fall for one report. */
const mostMemoryBytes = 4 * 1024 ** 3;

/**
 * The report as PDF, set by Typst in a process of its own, which the kernel ends with this one (`setpriv --pdeathsig`). Throws where it fails, takes
 * longer than five minutes, or more than 4 GiB.
 */
export async function renderPdf(report: Report): Promise<Buffer> {
  const command = ["--pdeathsig", "KILL", "--", process.execPath, program];
  const child = spawn("setpriv", command, {
    stdio: ["pipe", "pipe", "pipe"],
    env: { PATH: process.env.PATH, LC_ALL: "C.UTF-8" },
    timeout: deadlineSeconds * 1000,
    killSignal: "SIGKILL",
  });
  const watching = setInterval(() => {
    if (readMemory(child.pid) > mostMemoryBytes) child.kill("SIGKILL");
  }, 500);
  child.once("close", () => clearInterval(watching));
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

/** Resident bytes of a process: the second field of /proc/PID/statm, in pages of 4 KiB, proc(5). 0 where it is gone. */
function readMemory(pid: number | undefined): number {
  try {
    return 4096 * Number(readFileSync(`/proc/${pid}/statm`, "utf8").split(" ")[1]);
  } catch {
    return 0;
  }
}
