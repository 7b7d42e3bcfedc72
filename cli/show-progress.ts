import type { Scan } from "@periscan/contract/scan.ts";
import { cleanLine, cut, formatDuration } from "./print.ts";
import { describeTarget } from "./print-scan.ts";

export interface ProgressDisplay {
  update(scan: Scan): void;
  end(): void;
}

const barWidth = 24;

/** A line for each target that is done, above one live line of the whole, whose time goes on between two changes; nothing where the stream is no terminal. */
export function showProgress(stream: NodeJS.WriteStream): ProgressDisplay {
  if (!stream.isTTY) return { update: () => {}, end: () => {} };
  const shown = new Set<string>();
  const clear = "\r\x1b[2K";
  let ticking: NodeJS.Timeout | undefined;
  const draw = (scan: Scan, lines: string[] = []) => stream.write(`${clear}${lines.join("")}${cut(describeProgress(scan), (stream.columns ?? 80) - 1)}`);
  return {
    update: (scan) => {
      const done = scan.targets.filter(({ outcome }) => outcome !== "pending");
      const fresh = done.filter(({ target_id }) => !shown.has(target_id));
      for (const target of fresh) shown.add(target.target_id);
      const columns = (stream.columns ?? 80) - 1;
      const lines = scan.targets.length === 1 ? [] : fresh.map((target) => `${cut(describeTarget(target), columns)}\n`);
      draw(scan, lines);
      clearInterval(ticking);
      ticking = setInterval(() => draw(scan), 1000).unref();
    },
    end: () => {
      clearInterval(ticking);
      stream.write(clear);
    },
  };
}

function describeProgress({ state, progress, started_at, target_counts, type }: Scan): string {
  const filled = Math.round((barWidth * progress) / 100);
  const bar = "█".repeat(filled) + "░".repeat(barWidth - filled);
  const elapsed = started_at ? `  ${formatDuration((Date.now() - Date.parse(started_at)) / 1000)}` : "";
  const phase = state === "QUEUED" ? "  waiting for a worker" : "";
  return `${cleanLine(type)} ${bar} ${progress} %  ${target_counts.requested - target_counts.pending} of ${target_counts.requested} targets${elapsed}${phase}`;
}
