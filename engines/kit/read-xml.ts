import { SaxesParser } from "saxes";
import { createXmlDecoder } from "./decode-xml.ts";
import { ParseError } from "./engine.ts";

export interface XmlHandlers {
  /** `depth` is 1 for the root. `attributes` of one call are the caller's to keep. */
  open(name: string, attributes: Record<string, string>, depth: number): void;
  close(name: string, depth: number): void;
  /** A run of text inside the element `name`, without the white space around it; not called for white space alone. */
  text(name: string, text: string): void;
}

export interface XmlReader {
  /** Feeds the next piece; handlers run before it returns. Throws ParseError. */
  write(bytes: Uint8Array): void;
  /** Throws ParseError where the document is not complete. */
  end(): void;
  /** Starts keeping the text of the element whose `open` runs now. */
  startKeeping(): void;
  /** The raw text since `startKeeping`, to the end of the element whose `close` runs now. */
  takeKept(): string;
}

/** A name, and perhaps the address of a DTD. */
const harmlessDoctype = /^[\w:.-]+(\s+(SYSTEM|PUBLIC\s+("[^"]*"|'[^']*'))\s+("[^"]*"|'[^']*'))?$/;

const maxDepth = 64;
/** No tag, comment or run of text of a scanner is that long; more would be gathered in memory. */
const maxTokenCharacters = 8 * 1024 * 1024;
const maxKeptCharacters = 256 * 1024 * 1024;

/**
 * Reads XML as it comes, in bounded memory: no entities but the five of XML, no DOCTYPE that declares anything, limited depth, limited size of one
 * token. The encoding is the byte order mark's, else the one that the document names, else UTF-8. A document that is cut off or malformed throws ParseError.
 */
export function createXmlReader(handlers: XmlHandlers): XmlReader {
  // Positions in lines cost a tenth of the speed and nobody is shown them.
  const parser = new SaxesParser<{ xmlns: false; position: false }>({ xmlns: false, position: false });
  const decoder = createXmlDecoder();
  let depth = 0;
  let received = 0;
  let lastToken = 0;
  let tagStart = 0;
  let keptFrom: number | undefined;
  // What was read since the last token, or since the start of what is kept: a tag may begin in one chunk and end in another.
  let buffer = { from: 0, text: "" };

  parser.on("error", (error) => {
    throw new ParseError(`The XML is not well formed: ${error.message}`);
  });
  parser.on("doctype", (text) => {
    // Without declarations of its own it defines no entity, and what it names is never fetched.
    if (!harmlessDoctype.test(text.trim())) throw new ParseError("The XML has a DOCTYPE with declarations in it, which is not allowed.");
  });
  parser.on("opentagstart", (tag) => {
    // The parser stands one character past the name.
    tagStart = parser.position - tag.name.length - 2;
  });
  // Text comes before the next tag does, so this is the element it stands in only while no child has been opened.
  let current = "";
  parser.on("text", (text) => {
    const trimmed = text.trim();
    if (trimmed !== "") handlers.text(current, trimmed);
  });
  parser.on("opentag", (tag) => {
    lastToken = parser.position;
    depth += 1;
    if (depth > maxDepth) throw new ParseError(`The XML is nested deeper than ${maxDepth} elements.`);
    current = tag.name;
    handlers.open(tag.name, tag.attributes, depth);
  });
  parser.on("closetag", (tag) => {
    lastToken = parser.position;
    handlers.close(tag.name, depth);
    depth -= 1;
  });

  const feed = (text: string) => {
    buffer.text += text;
    received += text.length;
    parser.write(text);
    if (received - lastToken > maxTokenCharacters) throw new ParseError("The XML has a single token that is larger than 8 MiB.");
    const from = keptFrom ?? lastToken;
    if (received - from > maxKeptCharacters) throw new ParseError("The XML has a single element that is larger than 256 MiB.");
    if (from > buffer.from) buffer = { from, text: buffer.text.slice(from - buffer.from) };
  };
  return {
    write: (bytes) => feed(decoder.decode(bytes)),
    end: () => {
      feed(decoder.end());
      parser.close();
    },
    startKeeping: () => {
      keptFrom = tagStart;
    },
    takeKept: () => {
      const text = keptFrom === undefined ? "" : buffer.text.slice(keptFrom - buffer.from, parser.position - buffer.from);
      keptFrom = undefined;
      return text;
    },
  };
}
