import { toUtf8 } from "./decode-text.ts";
import { ParseError } from "./engine.ts";

/** A whole file as text, for formats that cannot be read in parts. Throws ParseError where it is larger than that, or neither UTF-8 nor UTF-16. */
export async function readWhole(chunks: AsyncIterable<Uint8Array>, maxMegabytes: number): Promise<string> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of toUtf8(chunks)) {
    bytes += chunk.byteLength;
    if (bytes > maxMegabytes * 1024 ** 2) throw new ParseError(`The file is larger than ${maxMegabytes} MB.`);
    parts.push(chunk);
  }
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(Buffer.concat(parts));
  } catch (cause) {
    throw new ParseError("The file is not UTF-8.", { cause });
  }
}

/** Throws ParseError where the text is not one whole JSON value. */
export function parseWhole(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new ParseError("The file is not whole, or is not JSON.", { cause });
  }
}
