import { decodeHead } from "./decode-text.ts";

/** How much of a file tells what it is. */
const headBytes = 4096;

/** The beginning of a file as text, and the whole file again as it came. */
export async function peekFile(chunks: AsyncIterable<Uint8Array>): Promise<{ head: string; file: AsyncIterable<Uint8Array> }> {
  const reading = chunks[Symbol.asyncIterator]();
  const taken: Uint8Array[] = [];
  let bytes = 0;
  while (bytes < headBytes) {
    const { done, value } = await reading.next();
    if (done) break;
    taken.push(value);
    bytes += value.byteLength;
  }
  async function* whole(): AsyncIterable<Uint8Array> {
    try {
      yield* taken;
      for (let next = await reading.next(); !next.done; next = await reading.next()) yield next.value;
    } finally {
      await reading.return?.();
    }
  }
  return { head: decodeHead(Buffer.concat(taken)), file: whole() };
}
