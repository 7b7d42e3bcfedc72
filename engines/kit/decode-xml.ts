import { ParseError } from "./engine.ts";

/** The bytes of an XML document as text, piece by piece. Both throw ParseError where the bytes are not of the document's encoding. */
export interface XmlDecoder {
  /** May hold the very first bytes back, until it is known which encoding they are in. */
  decode(bytes: Uint8Array): string;
  end(): string;
}

/** A declaration is never longer than that. */
const maxHeadBytes = 1024;

/** Finds the encoding by XML 1.0, 4.3.3 and appendix F: the byte order mark, else the declaration, else UTF-8. It knows the encodings of the WHATWG's list. */
export function createXmlDecoder(): XmlDecoder {
  let head = Buffer.alloc(0);
  let decoder: InstanceType<typeof TextDecoder> | undefined;
  const decode = (bytes?: Uint8Array): string => {
    decoder ??= new TextDecoder(findEncoding(head), { fatal: true });
    try {
      return bytes ? decoder.decode(bytes, { stream: true }) : decoder.decode();
    } catch (cause) {
      throw new ParseError(`The XML is not ${nameEncoding(decoder)}.`, { cause });
    }
  };
  return {
    decode: (bytes) => {
      if (decoder) return decode(bytes);
      head = Buffer.concat([head, bytes]);
      return isDecided(head) ? decode(head) : "";
    },
    end: () => (decoder ? "" : decode(head)) + decode(),
  };
}

const nameEncoding = ({ encoding }: { encoding: string }): string => (encoding === "utf-8" ? "UTF-8" : `${encoding}, which it names as its encoding`);

const declarationStart = "<?xml";
/** In UTF-8 and in every encoding that has ASCII's characters at their places. */
const utf8Mark = Buffer.from([0xef, 0xbb, 0xbf]);

/** As early as can be, so that a mistake is found at the line where it stands. */
function isDecided(head: Buffer): boolean {
  const [first] = head;
  if (first === utf8Mark[0]) return head.length >= utf8Mark.length;
  if (head.length < 2) return first !== undefined && !firstOfTwo.has(first);
  if (!declarationStart.startsWith(head.subarray(0, declarationStart.length).toString("latin1"))) return true;
  return head.length >= maxHeadBytes || head.includes("?>");
}

/** What may be half of a mark or of a character in UTF-16, or the start of a declaration. */
const firstOfTwo = new Set([0x3c, 0xfe, 0xff, 0]);

function findEncoding(head: Buffer): string {
  const [first, second] = head;
  if (head.subarray(0, 3).equals(utf8Mark)) return "utf-8";
  if ((first === 0xff && second === 0xfe) || (first === 0x3c && second === 0)) return "utf-16le";
  if ((first === 0xfe && second === 0xff) || (first === 0 && second === 0x3c)) return "utf-16be";
  const [, name = "utf-8"] = /^<\?xml\s[^>]*?\sencoding\s*=\s*["']([A-Za-z][\w.-]{0,39})["']/.exec(head.subarray(0, maxHeadBytes).toString("latin1")) ?? [];
  // What could be read so far is no UTF-16: such a name stays behind where a program wrote its text as UTF-8.
  if (/^(utf|ucs|iso-10646-ucs)-?(16|2|4|32)/i.test(name)) return "utf-8";
  try {
    return new TextDecoder(name).encoding;
  } catch (cause) {
    throw new ParseError(`The XML is in an encoding that is not known: ${name}. Save it as UTF-8.`, { cause });
  }
}
