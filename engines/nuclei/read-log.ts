import { z } from "zod";
import { ParseError } from "../kit/engine.ts";
import type { Line } from "./read-lines.ts";

/** What Nuclei says on standard error, as far as it matters here. */
export type LogEvent =
  | { kind: "loaded"; templates: number }
  /** The end marker, with the number of hits that were printed. */
  | { kind: "finished"; matches: number }
  /** Templates that Nuclei could not read. */
  | { kind: "broken"; text: string }
  | { kind: "fatal"; text: string };

const patterns: [RegExp, (match: RegExpExecArray) => LogEvent][] = [
  [/^\[INF\] Templates loaded for current scan: (\d{1,9})$/, (match) => ({ kind: "loaded", templates: Number(match[1]) })],
  [/^\[INF\] Scan completed in [\w.µ]{1,40}\. (?:No results|(\d{1,9}) matches) found\.$/, (match) => ({ kind: "finished", matches: Number(match[1] ?? 0) })],
  [/^\[(?:WRN|ERR)\] (Found \d+ templates? with (?:syntax|runtime) error.*)$/, (match) => ({ kind: "broken", text: (match[1] ?? "").slice(0, 200) })],
  [/^\[FTL\] (.*)$/, (match) => ({ kind: "fatal", text: (match[1] ?? "").slice(0, 500) })],
];

/** Reads a line of Nuclei's log; undefined where it says nothing of these. */
export function readLog(text: string): LogEvent | undefined {
  for (const [pattern, make] of patterns) {
    const match = pattern.exec(text);
    if (match) return make(match);
  }
  return undefined;
}

const Trace = z.object({
  template: z.string().min(1).max(4096),
  type: z.string().max(50),
  input: z.string().max(20_000),
  address: z.string().max(4096),
  error: z.string().min(1).max(20_000),
  kind: z.string().max(100).optional(),
});

/** How a request went. `hung up`: the target closed the connection, or answered what is no HTTP. `elsewhere`: the scope's proxy refused it. */
export type RequestEnd = "answered" | "hung up" | "unanswered" | "elsewhere" | "not sent";

export interface Request {
  /** The template's path; its id where Nuclei writes that. */
  template: string;
  type: string;
  input: string;
  address: string;
  end: RequestEnd;
}

/** One line of Nuclei's log of requests (`-trace-log`), which has every request that a template made and what became of it. */
export function readRequest({ number, text }: Line): Request {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new ParseError(`Line ${number} of Nuclei's log of requests is no JSON.`, { cause });
  }
  const parsed = Trace.safeParse(value);
  if (!parsed.success) throw new ParseError(`Line ${number} of Nuclei's log of requests is not a request.`, { cause: parsed.error });
  const { template, type, input, address, error, kind } = parsed.data;
  return { template, type, input, address, end: readEnd(error, kind) };
}

/** The errors of Go's net and net/http; what is not known here counts as unanswered. */
function readEnd(error: string, kind: string | undefined): RequestEnd {
  if (error === "none") return "answered";
  if (error.includes("not allowed by ruleset")) return "elsewhere";
  if (kind === "template-logic") return "not sent";
  if (/malformed|\bEOF\b|connection reset|broken pipe|server closed|use of closed|unexpected|bad record|tls:|protocol error/i.test(error)) return "hung up";
  return "unanswered";
}
