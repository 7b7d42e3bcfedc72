import { z } from "zod";
import { ParseError } from "../kit/engine.ts";
import { parseWhole, readWhole } from "../kit/read-whole.ts";
import { clip } from "./port-look.ts";
import { Envelope, Location, ServerResult } from "./sslyze-schema.ts";

export interface SslyzeDocument {
  /** Of SSLyze, such as `6.3.1`. */
  version: string;
  completedAt: Date;
  servers: { result: ServerResult /** As SSLyze wrote it, for the native result. */; native: string }[];
  /** What SSLyze could not even begin with, such as a name that did not resolve. */
  invalid: { server: string; message: string }[];
}

/** A server's entry that cannot be read. */
export interface BrokenServer {
  /** Where it is, as far as the entry says it. */
  location?: ServerResult["server_location"];
  /** A sentence. */
  message: string;
}

/** A server's entry is 200 kB, and up to 5 MB with the largest chains that a server can send. */
const maxMegabytes = 256;
const maxDepth = 64;

/**
 * Reads a whole JSON file of SSLyze 6: one of ours or one that SSLyze itself wrote. Throws `ParseError` on a file that is cut off, is not
 * SSLyze's, is of another version, or has a value that is not known here; but such a value in one server's entry goes to `onBroken` where that is given.
 */
export async function readSslyzeJson(output: AsyncIterable<Uint8Array>, onBroken?: (broken: BrokenServer) => void): Promise<SslyzeDocument> {
  const text = await readWhole(output, maxMegabytes);
  const natives = sliceServers(text);
  const envelope = readEnvelope(parseWhole(text));
  if (natives.length !== envelope.server_scan_results.length) throw new ParseError("The file names its list of servers more than once.");
  const servers: SslyzeDocument["servers"] = [];
  for (const [index, server] of envelope.server_scan_results.entries()) {
    const parsed = ServerResult.safeParse(server);
    if (parsed.success) servers.push({ result: parsed.data, native: natives[index] ?? "" });
    else if (onBroken) onBroken(describeBroken(server, parsed.error));
    else throw new ParseError(describeIssue(parsed.error), { cause: parsed.error });
  }
  return {
    version: envelope.sslyze_version,
    completedAt: new Date(envelope.date_scans_completed),
    servers,
    invalid: envelope.invalid_server_strings.map(({ server_string, error_message }) => ({ server: server_string, message: error_message })),
  };
}

const Written = z.object({ sslyze_version: z.string() });

/** The version comes first: another one differs in many places, and none of them is what is wrong. */
function readEnvelope(value: unknown): z.infer<typeof Envelope> {
  const version = Written.safeParse(value).data?.sslyze_version;
  if (version !== undefined && !version.startsWith("6."))
    throw new ParseError(`The file was written by SSLyze ${clip(version, 50)}; only files of SSLyze 6 can be read.`);
  const envelope = Envelope.safeParse(value);
  if (envelope.success) return envelope.data;
  throw new ParseError(describeIssue(envelope.error), { cause: envelope.error });
}

const Located = z.object({ server_location: Location });

function describeBroken(server: unknown, error: z.ZodError): BrokenServer {
  const located = Located.safeParse(server);
  return { message: describeIssue(error), ...(located.success ? { location: located.data.server_location } : {}) };
}

const describeIssue = ({ issues }: z.ZodError): string =>
  `This is not a result of SSLyze 6: ${clip(`${issues[0]?.path.map(String).join(".")}: ${issues[0]?.message}`, 400)}.`;

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
