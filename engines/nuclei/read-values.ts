import { ParseError } from "../kit/engine.ts";
import { parseWhole, readWhole } from "../kit/read-whole.ts";
import { type Line, readLines } from "./read-lines.ts";
import { isWarning, parseLine } from "./read-result.ts";

/** A JSON value of a file of hits, with its line, or its place in a list; `error` says why there is none. */
export type FileValue = { number: number; value: unknown } | { number: number; error: ParseError };

/** The values of Nuclei's JSONL, of the list of `-json-export`, or of hits that a tool such as jq wrote over several lines each. `head` is its beginning. */
export function readValues(head: string, file: AsyncIterable<Uint8Array>): AsyncIterable<FileValue> {
  if (/^\s*\[\s*[{\]]/.test(head)) return readList(file);
  const lines = readLines(file, "Nuclei's output");
  return readEach(/^\s*\{\s*\n/.test(head) ? joinLines(lines) : lines);
}

async function* readList(file: AsyncIterable<Uint8Array>): AsyncIterable<FileValue> {
  const list = parseWhole(await readWhole(file, 128));
  if (!Array.isArray(list)) throw new ParseError("This is not a list of Nuclei's hits.");
  for (const [index, value] of list.entries()) yield { number: index + 1, value };
}

async function* readEach(lines: AsyncIterable<Line>): AsyncIterable<FileValue> {
  for await (const line of lines) {
    if (line.text.trim() === "" || isWarning(line.text)) continue;
    yield readOne(line);
  }
}

function readOne(line: Line): FileValue {
  try {
    return { number: line.number, value: parseLine(line) };
  } catch (error) {
    if (error instanceof ParseError) return { number: line.number, error };
    throw error;
  }
}

const mostLines = 1_000_000;

/** What was laid out over several lines as one: only the value's own brace stands at the beginning of a line, and no text goes over its line's end. */
async function* joinLines(lines: AsyncIterable<Line>): AsyncIterable<Line> {
  let parts: string[] = [];
  let start = 1;
  for await (const { number, text } of lines) {
    if (parts.length === 0) start = number;
    if (parts.length > 0 || text.trim() !== "") parts.push(text);
    if (parts.length > mostLines) throw new ParseError(`The hit that begins on line ${start} of Nuclei's output does not end.`);
    if (!text.startsWith("}")) continue;
    yield { number: start, text: parts.join("\n") };
    parts = [];
  }
  if (parts.length > 0) yield { number: start, text: parts.join("\n") };
}
