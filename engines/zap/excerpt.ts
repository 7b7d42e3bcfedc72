import { clip } from "./clean-text.ts";

/** One message of HTTP as ZAP keeps it. */
export interface Message {
  header: string;
  body: string;
}

const maxHeaderLines = 30;
const maxLineCharacters = 400;
const maxBodyCharacters = 700;
const maxCharacters = 4900;
const mark = "▶ ";
const noMark = "  ";

/** A message for reading: its head cut to size, and of its body the part around the first of `hits` that is in it; every line with a hit is marked. */
export function excerptMessage({ header, body }: Message, hits: string[]): string {
  const wanted = hits.filter((hit) => hit !== "");
  const lines = header.trimEnd().split(/\r?\n/);
  const cut = lines.slice(0, maxHeaderLines).map((line) => cutAround(line, wanted, maxLineCharacters));
  const more = lines.length > maxHeaderLines ? [`… ${lines.length - maxHeaderLines} more lines`] : [];
  const text = body === "" ? [] : ["", ...cutAround(body, wanted, maxBodyCharacters).split(/\r?\n/)];
  const marked = [...cut, ...more, ...text].map((line) => `${wanted.some((hit) => includesPart(line, hit)) ? mark : noMark}${line}`.trimEnd());
  return clip(marked.join("\n"), maxCharacters);
}

/** A hit over several lines shows on each of them. */
const includesPart = (line: string, hit: string) => hit.split(/\r?\n/).some((part) => part.trim() !== "" && line.includes(part));

function cutAround(text: string, hits: string[], most: number): string {
  if (text.length <= most) return text;
  const hit = hits.find((each) => text.includes(each));
  const at = hit === undefined ? 0 : text.indexOf(hit);
  const start = Math.max(0, Math.min(at - Math.floor((most - Math.min(most, hit?.length ?? 0)) / 2), text.length - most));
  return `${start > 0 ? "…" : ""}${text.slice(start, start + most)}${start + most < text.length ? "…" : ""}`;
}
