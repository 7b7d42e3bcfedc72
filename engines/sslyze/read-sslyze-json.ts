import { z } from "zod";
import { ParseError } from "../kit/engine.ts";
import { readWhole } from "../kit/read-whole.ts";
import { Envelope, ServerResult } from "./sslyze-schema.ts";

export interface SslyzeDocument {
  /** Of SSLyze, such as `6.3.1`. */
  version: string;
  completedAt: Date;
  servers: { result: ServerResult /** As SSLyze wrote it, for the native result. */; native: string }[];
  /** What SSLyze could not even begin with, such as a name that did not resolve. */
  invalid: { server: string; message: string }[];
}

/** A server's entry is 200 kB, and up to 5 MB with the largest chains that a server can send. */
const maxMegabytes = 256;
const maxDepth = 64;

/**
 * Reads a whole JSON file of SSLyze 6: one of ours or one that SSLyze itself wrote. Throws `ParseError` on a file that is cut off, is not
 * SSLyze's, is of another version, or has a value that is not known here.
 */
export async function readSslyzeJson(output: AsyncIterable<Uint8Array>): Promise<SslyzeDocument> {
  return parseSslyzeJson(await readWhole(output, maxMegabytes));
}

function parseSslyzeJson(text: string): SslyzeDocument {
  const natives = sliceServers(text);
  const envelope = check(Envelope, parseJson(text));
  if (natives.length !== envelope.server_scan_results.length) throw new ParseError("The file names its list of servers more than once.");
  return {
    version: envelope.sslyze_version,
    completedAt: new Date(envelope.date_scans_completed),
    servers: envelope.server_scan_results.map((server, index) => ({ result: check(ServerResult, server), native: natives[index] ?? "" })),
    invalid: envelope.invalid_server_strings.map(({ server_string, error_message }) => ({ server: server_string, message: error_message })),
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new ParseError("The file is not whole JSON.", { cause });
  }
}

function check<Schema extends z.ZodType>(schema: Schema, value: unknown): z.infer<Schema> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new ParseError(`This is not a result of SSLyze 6: ${z.prettifyError(parsed.error).slice(0, 500)}`, { cause: parsed.error });
}

/**
 * The text of each server's entry, cut out and not written anew: keys and serial numbers are larger than JavaScript's numbers. Looks at depth
 * before anything is parsed.
 */
function sliceServers(text: string): string[] {
  const servers: string[] = [];
  let depth = 0;
  let inString = false;
  let stringStart = 0;
  let lastString = "";
  let listName = "";
  let start = 0;
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (inString) {
      if (code === backslash) index++;
      else if (code === quote) {
        inString = false;
        if (depth === 1) lastString = text.slice(stringStart, index);
      }
    } else if (code === quote) {
      inString = true;
      stringStart = index + 1;
    } else if (code === openBrace || code === openBracket) {
      depth++;
      if (depth > maxDepth) throw new ParseError(`The file is nested deeper than ${maxDepth}.`);
      if (depth === 2) listName = lastString;
      if (depth === 3) start = index;
    } else if (code === closeBrace || code === closeBracket) {
      if (depth === 3 && listName === "server_scan_results") servers.push(text.slice(start, index + 1));
      depth--;
    }
  }
  return servers;
}

const [quote, backslash, openBrace, closeBrace, openBracket, closeBracket] = ['"', "\\", "{", "}", "[", "]"].map((character) => character.charCodeAt(0));
