import { TextDecoder } from "node:util";
import { ParseError } from "./engine.ts";

type Encoding = "utf-8" | "utf-16le" | "utf-16be";

/**
 * Any text file as UTF-8 without a byte order mark: shells and editors on Windows write UTF-16, or put a mark in front. A file without a mark is UTF-16
 * where every other of its first bytes is 0, as no text in UTF-8 has it. Throws ParseError where a file in UTF-16 breaks off within a character.
 */
export async function* toUtf8(chunks: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  let head: Uint8Array = new Uint8Array();
  let decoder: TextDecoder | undefined;
  let isKnown = false;
  for await (const chunk of chunks) {
    let next = chunk;
    if (!isKnown) {
      head = Buffer.concat([head, chunk]);
      if (head.byteLength < headBytes) continue;
      isKnown = true;
      decoder = createDecoder(head);
      next = decoder ? head : skipMark(head);
    }
    yield decoder ? decode(decoder, next) : next;
  }
  if (!isKnown) yield skipMark(head);
  else if (decoder) yield decode(decoder);
}

/** The beginning of a text file as text, in whichever of these encodings it is. */
export const decodeHead = (bytes: Uint8Array): string => new TextDecoder(findEncoding(bytes)).decode(bytes);

/** Enough to tell the encoding of the shortest JSON. */
const headBytes = 4;

function findEncoding([a, b, c, d]: Uint8Array): Encoding {
  if ((a === 0xff && b === 0xfe) || (a !== 0 && b === 0 && c !== 0 && d === 0)) return "utf-16le";
  return (a === 0xfe && b === 0xff) || (a === 0 && b !== 0 && c === 0 && d !== 0) ? "utf-16be" : "utf-8";
}

function createDecoder(head: Uint8Array): TextDecoder | undefined {
  const encoding = findEncoding(head);
  return encoding === "utf-8" ? undefined : new TextDecoder(encoding, { fatal: true });
}

function decode(decoder: TextDecoder, bytes?: Uint8Array): Uint8Array {
  try {
    return Buffer.from(bytes ? decoder.decode(bytes, { stream: true }) : decoder.decode());
  } catch (cause) {
    throw new ParseError("The file is neither UTF-8 nor whole UTF-16.", { cause });
  }
}

const skipMark = (head: Uint8Array): Uint8Array => (head[0] === 0xef && head[1] === 0xbb && head[2] === 0xbf ? head.subarray(3) : head);
