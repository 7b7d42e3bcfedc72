import { expect, test } from "vitest";
import { decodeHead, toUtf8 } from "./decode-text.ts";

const text = '{"wort":"Größe 🔥"}\n[1]';
const swap = (bytes: Buffer) => Buffer.from(bytes).swap16();
const mark = "\ufeff";
const encodings: [string, Buffer][] = [
  ["UTF-8", Buffer.from(text)],
  ["UTF-8 with a mark", Buffer.from(mark + text)],
  ["UTF-16LE with a mark", Buffer.from(mark + text, "utf16le")],
  ["UTF-16BE with a mark", swap(Buffer.from(mark + text, "utf16le"))],
  ["UTF-16LE", Buffer.from(text, "utf16le")],
  ["UTF-16BE", swap(Buffer.from(text, "utf16le"))],
];

async function read(bytes: Uint8Array, size: number): Promise<string> {
  async function* pieces() {
    for (let start = 0; start < bytes.length; start += size) yield bytes.subarray(start, start + size);
  }
  const parts: Uint8Array[] = [];
  for await (const part of toUtf8(pieces())) parts.push(part);
  return Buffer.concat(parts).toString("utf8");
}

test.each(encodings)("%s is read as the text that it is, in pieces of any size", async (_name, bytes) => {
  for (const size of [1, 2, 3, 5, 1000]) expect(await read(bytes, size)).toBe(text);
  expect(decodeHead(bytes)).toBe(text);
});

test("a file that is shorter than a mark is itself, and one that breaks off within a character of UTF-16 is refused", async () => {
  for (const short of ["", "1", "[]", "{}\n"]) expect(await read(Buffer.from(short), 1)).toBe(short);
  await expect(read(Buffer.from(mark + text, "utf16le").subarray(0, -1), 7)).rejects.toThrow("The file is neither UTF-8 nor whole UTF-16.");
});
