import type { Block } from "@periscan/contract/block.ts";
import { z } from "zod";
import { ParseError } from "../kit/engine.ts";
import { cleanText } from "./clean-text.ts";

/** The evidence of a hit, as Nuclei gave it, cut to a size that a person reads. */
export const Detail = z.object({
  template: z.string().min(1).max(200),
  type: z.string().max(50),
  severity: z.string().max(50),
  at: z.string().max(2048),
  matcher: z.string().max(500).optional(),
  extractor: z.string().max(500).optional(),
  /** The parameter that a fuzzing template changed, where it is, and the method. */
  input: z.string().max(500).optional(),
  extracted: z.array(z.string().max(500)).max(50),
  request: z.string().max(4200).optional(),
  response: z.string().max(8400).optional(),
  curl: z.string().max(2048).optional(),
});
export type Detail = z.infer<typeof Detail>;

/** What the template saw, then the request and the answer with what was seen marked, then how to see it again. */
export function view(value: unknown): Block[] {
  const parsed = Detail.safeParse(value);
  if (!parsed.success) throw new ParseError("This is not the evidence of a hit of Nuclei.", { cause: parsed.error });
  const { template, type, severity, at, matcher, extractor, input, extracted, request, response, curl } = parsed.data;
  const rows: [string, string][] = [["Seen at", at], ...(type === "sarif" ? sarifRows(template, severity) : templateRows(template, severity))];
  if (matcher) rows.push(["Matcher", matcher]);
  if (extractor) rows.push(["Extractor", extractor]);
  if (input) rows.push(["Input", input]);
  const blocks: Block[] = [{ type: "facts", rows }];
  if (extracted.length > 0) blocks.push({ type: "text", text: "What the template read there:" }, { type: "list", items: extracted });
  if (request) blocks.push({ type: "text", text: type === "http" ? "Request:" : "Sent:" }, { type: "code", text: cleanText(request) });
  if (response) {
    const marked = markLines(cleanText(response), extracted);
    blocks.push(
      { type: "text", text: marked.hits > 0 ? "Answer; lines that the template read begin with »:" : "Answer:" },
      { type: "code", text: marked.text },
    );
  }
  if (curl) blocks.push({ type: "text", text: "To see it again:" }, { type: "code", text: curl });
  return blocks;
}

const templateRows = (template: string, severity: string): [string, string][] => [
  ["Template", template],
  ["Severity in the template", severity],
];

/** A file of another tool has rules and no templates, and its severity may be that of a score. */
const sarifRows = (rule: string, severity: string): [string, string][] => [
  ["Rule", rule],
  ["Severity", severity],
];

function markLines(text: string, extracted: string[]): { text: string; hits: number } {
  const wanted = extracted.map((each) => each.trim()).filter(({ length }) => length > 1);
  let hits = 0;
  const lines = text.split("\n").map((line) => {
    if (!wanted.some((each) => line.includes(each))) return `  ${line}`;
    hits += 1;
    return `» ${line}`;
  });
  return hits === 0 ? { text, hits } : { text: lines.join("\n"), hits };
}
