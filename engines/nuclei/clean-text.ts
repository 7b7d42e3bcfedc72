// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
const unprintable = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\ufffd]/g;

/** Text of a target as evidence: line ends of one kind, and bytes that are no text as dots, which keep their place. */
export const cleanText = (text: string): string => text.toWellFormed().replace(/\r\n/g, "\n").replace(unprintable, "·");

/** The part of a text from a character on that has at most so many bytes, with a word about what is left out behind it. */
export function cutText(text: string, from: number, bytes: number): string {
  const part = text.slice(from, from + bytes);
  // A character that is cut through becomes U+FFFD, once.
  const cut = Buffer.from(part)
    .subarray(0, bytes)
    .toString("utf8")
    .replace(/\ufffd$/, "");
  const left = text.length - from - cut.length;
  return left > 0 ? `${cut}\n[… ${left.toLocaleString("en")} more characters]\n` : cut;
}
