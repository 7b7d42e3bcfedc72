import { ParseError } from "../kit/engine.ts";

export interface Line {
  /** From 1. */
  number: number;
  text: string;
}

/** One hit has its template, its request and its answer, of which Nuclei keeps 1 MB at most unless told otherwise; six bytes of JSON for each byte of it. */
const longestLineBytes = 16 * 1024 ** 2;

/** Cuts a stream of bytes into lines. Throws ParseError on one that is longer than a line may be. */
export async function* readLines(chunks: AsyncIterable<Uint8Array>, what: string): AsyncIterable<Line> {
  let number = 0;
  let pieces: Uint8Array[] = [];
  let bytes = 0;
  const take = (): Line => {
    number += 1;
    const text = Buffer.concat(pieces).toString("utf8").replace(/\r$/, "");
    pieces = [];
    bytes = 0;
    return { number, text };
  };
  const keep = (piece: Uint8Array) => {
    bytes += piece.length;
    if (bytes > longestLineBytes) throw new ParseError(`Line ${number + 1} of ${what} is longer than ${longestLineBytes.toLocaleString("en")} bytes.`);
    pieces.push(piece);
  };
  for await (const chunk of chunks) {
    let start = 0;
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, start)) {
      keep(chunk.subarray(start, end));
      yield take();
      start = end + 1;
    }
    keep(chunk.subarray(start));
  }
  if (bytes > 0) yield take();
}
