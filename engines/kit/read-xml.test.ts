import { expect, test } from "vitest";
import { ParseError } from "./engine.ts";
import { createXmlReader } from "./read-xml.ts";

function read(...pieces: (string | Uint8Array)[]) {
  const seen: string[] = [];
  const reader = createXmlReader({
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
  ["a DOCTYPE with declarations beside an address", '<!DOCTYPE a SYSTEM "a.dtd" [<!ENTITY x "y">]><a>&x;</a>'],
  ["an entity of a DTD elsewhere", '<!DOCTYPE a SYSTEM "file:///tmp/a.dtd"><a>&x;</a>'],
  ["an unknown entity", "<a>&nbsp;</a>"],
  ["deep nesting", "<a>".repeat(100)],
])("%s is refused", (_, document) => {
  expect(() => read(document)).toThrow(ParseError);
});

test.each(["nmaprun", 'nmaprun PUBLIC "-//x//EN" "https://example.org/nmap.dtd"', "nmaprun SYSTEM 'nmap.dtd'"])(
  "a DOCTYPE without declarations is harmless: %s",
  (doctype) => expect(read(`<!DOCTYPE ${doctype}><nmaprun/>`)).toHaveLength(2),
);

const utf16 = (text: string, { mark = "\ufeff", swap = false } = {}) => {
  const bytes = Buffer.from(`${mark}${text}`, "utf16le");
  return swap ? bytes.swap16() : bytes;
};
const declared = (encoding: string, content: Uint8Array | string) =>
  Buffer.concat([Buffer.from(`<?xml version="1.0" encoding="${encoding}"?>\n<a>`), Buffer.from(content as string), Buffer.from("</a>")]);

test.each<[string, Buffer, string]>([
  ["UTF-8 with a mark", Buffer.from("\ufeff<a>é</a>"), "é"],
  ["a mark before another name", Buffer.concat([Buffer.from("\ufeff"), declared("iso-8859-1", "é")]), "é"],
  ["iso-8859-1", declared("iso-8859-1", Buffer.from([0xe9])), "é"],
  ["ISO-8859-15", declared("ISO-8859-15", Buffer.from([0xa4])), "€"],
  ["windows-1252", declared("windows-1252", Buffer.from([0x80, 0x93])), "€“"],
  ["single quotes", Buffer.from("<?xml version='1.0' encoding='windows-1252'?><a>\x80</a>", "latin1"), "€"],
  ["GB18030", declared("gb18030", Buffer.from([0xd6, 0xd0])), "中"],
  ["US-ASCII", declared("us-ascii", "e"), "e"],
  ["UTF-16 of little end", utf16("<a>é中</a>"), "é中"],
  ["UTF-16 of big end", utf16('<?xml version="1.0" encoding="UTF-16"?><a>é中</a>', { swap: true }), "é中"],
  ["UTF-16 without a mark", utf16('<?xml version="1.0" encoding="utf-16"?><a>é</a>', { mark: "" }), "é"],
  ["UTF-8 that calls itself UTF-16", declared("utf-16", "é"), "é"],
])("the encoding is the document's: %s", (_, document, text) => {
  const expected = ["<a 1 {}", `a: ${text}`, ">a 1"];
  expect(read(document)).toEqual(expected);
  // A character cut in two may come as two runs of text.
  const pieces = read(...Array.from(document, (_byte, index) => document.subarray(index, index + 1)));
  expect(pieces.filter((line) => !line.startsWith("a: "))).toEqual(["<a 1 {}", ">a 1"]);
  expect(pieces.map((line) => (line.startsWith("a: ") ? line.slice(3) : "")).join("")).toBe(text);
});

test("what is no XML is refused with its first piece", () => {
  for (const piece of ["{\n", "PK", "\u0000\u0001"])
    expect(() => createXmlReader({ open: () => {}, close: () => {}, text: () => {} }).write(Buffer.from(piece))).toThrow(ParseError);
});

test("an encoding that is not known, or that the bytes are not of, is refused by name", () => {
  expect(() => read(declared("x-none", "a"))).toThrow("in an encoding that is not known: x-none");
  expect(() => read(declared("shift_jis", Buffer.from([0x81, 0x20])))).toThrow("The XML is not shift_jis, which it names");
  expect(() => read(utf16("<a/>").subarray(0, -1))).toThrow(ParseError);
});

test("bytes that are not UTF-8 are refused", () => {
  expect(() => read("<a>", new Uint8Array([0xff, 0xfe]), "</a>")).toThrow(ParseError);
});

test("one token that never ends is refused before it fills the memory", () => {
  const piece = Buffer.from("x".repeat(1024 * 1024));
  expect(() => read('<a b="', ...Array.from({ length: 20 }, () => piece))).toThrow(/larger than 8 MiB/);
});
