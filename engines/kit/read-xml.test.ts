import { expect, test } from "vitest";
import { ParseError } from "./engine.ts";
import { createXmlReader } from "./read-xml.ts";

function read(...pieces: (string | Uint8Array)[]) {
  const seen: string[] = [];
  const reader = createXmlReader({
    doctype: "nmaprun",
    open: (name, attributes, depth) => {
      seen.push(`<${name} ${depth} ${JSON.stringify(attributes)}`);
      if (name === "keep") reader.startKeeping();
    },
    close: (name, depth) => {
      seen.push(`>${name} ${depth}`);
      if (name === "keep") seen.push(reader.takeKept());
    },
    text: (name, text) => seen.push(`${name}: ${text}`),
  });
  for (const piece of pieces) reader.write(typeof piece === "string" ? Buffer.from(piece) : piece);
  reader.end();
  return seen;
}

test("elements, attributes and text come in order, wherever the pieces are cut", () => {
  const document = '<?xml version="1.0"?><!DOCTYPE nmaprun><a x="1&lt;"><keep y="&#233;">text é</keep></a>';
  const expected = ['<a 1 {"x":"1<"}', '<keep 2 {"y":"é"}', "keep: text é", ">keep 2", '<keep y="&#233;">text é</keep>', ">a 1"];
  expect(read(document)).toEqual(expected);
  const bytes = Buffer.from(document);
  expect(read(...Array.from(bytes, (_, index) => bytes.subarray(index, index + 1)))).toEqual(expected);
});

test.each([
  ["cut off", "<a><b>"],
  ["empty", ""],
  ["not well formed", "<a></b>"],
  ["two roots", "<a/><a/>"],
  ["an entity that expands", '<!DOCTYPE nmaprun [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><nmaprun>&b;</nmaprun>'],
  ["an entity of a file", '<!DOCTYPE nmaprun [<!ENTITY x SYSTEM "file:///etc/passwd">]><nmaprun>&x;</nmaprun>'],
  ["another DOCTYPE", "<!DOCTYPE html><a/>"],
  ["an unknown entity", "<a>&nbsp;</a>"],
  ["deep nesting", "<a>".repeat(100)],
])("%s is refused", (_, document) => {
  expect(() => read(document)).toThrow(ParseError);
});

test("bytes that are not UTF-8 are refused", () => {
  expect(() => read("<a>", new Uint8Array([0xff, 0xfe]), "</a>")).toThrow(ParseError);
});

test("one token that never ends is refused before it fills the memory", () => {
  const piece = Buffer.from("x".repeat(1024 * 1024));
  expect(() => read('<a b="', ...Array.from({ length: 20 }, () => piece))).toThrow(/larger than 8 MiB/);
});
