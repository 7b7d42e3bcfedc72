import { stripVTControlCharacters as bare, format, styleText } from "node:util";

type Paint = Parameters<typeof styleText>[0];

/** Colour where the stream is a terminal that shows it; NO_COLOR turns it off. The text is one line: `cleanLine` is applied to it. */
export const paint = (style: Paint, text: string, stream: NodeJS.WriteStream = process.stdout): string =>
  styleText(style, cleanLine(text), { stream, validateStream: true });

const levelColours: Record<string, Paint> = {
  CRITICAL: ["bold", "redBright"],
  HIGH: "red",
  MEDIUM: "yellow",
  LOW: "blue",
  NONE: "gray",
};

export const paintLevel = (level: string): string => paint(Object.hasOwn(levelColours, level) ? (levelColours[level] ?? "reset") : "reset", level);

/** What could steer a terminal: control characters, also the C1 block, the marks that reorder text, and what begins a line. */
const steering = /[\p{Cc}\p{Cs}\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu;

/** Text from outside on one line: whatever could steer a terminal becomes U+FFFD. */
export const cleanLine = (text: string): string => text.replace(steering, "\uFFFD");

/** Colours as `paint` writes them. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
const colour = /(\u001b\[[0-9;]{1,20}m)/;

/** Whether `paint` colours what is written there. */
const showsColours = (stream: NodeJS.WriteStream): boolean => paint("red", "", stream) !== "";

/** The same of text that may have line ends, tabs and, where it is shown with them, colours. */
export function cleanOutput(text: string, hasColours: boolean): string {
  const cleanText = (part: string) => part.replace(steering, (character) => (character === "\n" || character === "\t" ? character : "\uFFFD"));
  return hasColours
    ? text
        .split(colour)
        .map((part, index) => (index % 2 ? part : cleanText(part)))
        .join("")
    : cleanText(text);
}

/**
 * Lets nothing of this program's messages steer the terminal, whoever forgot to clean a text from outside: from here on `console.log` and `console.error` write `cleanOutput` of theirs.
 */
export function guardConsole(): void {
  for (const [name, stream] of [["log", process.stdout] as const, ["error", process.stderr] as const]) {
    const write = console[name];
    console[name] = (...values: unknown[]) => write("%s", cleanOutput(format(...values), showsColours(stream)));
  }
}

/** Prints rows under headings, columns as wide as needed; the last column is cut to a terminal's width. Cells may be painted. */
export function printTable(headings: string[], given: string[][]): void {
  const rows = given.map((row) => row.map(cleanCell));
  const widths = headings.map((heading, column) => Math.max(heading.length, ...rows.map((row) => bare(row[column] ?? "").length)));
  const room = (process.stdout.columns ?? Number.POSITIVE_INFINITY) - widths.slice(0, -1).reduce((sum, width) => sum + width + 2, 0);
  const line = (cells: string[]) =>
    cells
      .map((cell, column) => (column === cells.length - 1 ? cut(cell, room) : cell + " ".repeat(Math.max(0, (widths[column] ?? 0) - bare(cell).length))))
      .join("  ");
  console.log(paint("bold", line(headings)));
  for (const row of rows) console.log(line(row));
}

/** One line, of which nothing but colours steers the terminal. */
const cleanCell = (text: string): string =>
  text
    .split(colour)
    .map((part, index) => (index % 2 ? part : cleanLine(part)))
    .join("");

/** One line, no longer than the room; what is cut loses its colours. */
export const cut = (text: string, room: number): string => (room < 10 || bare(text).length <= room ? text : `${bare(text).slice(0, room - 1)}…`);

/** A moment in the reader's own zone, such as `2026-11-24 14:03`. */
export function formatTime(iso: string | undefined): string {
  if (iso === undefined) return "";
  return new Date(iso).toLocaleString("sv-SE", { dateStyle: "short", timeStyle: "short" });
}

/** A length of time, such as `42 s`, `3 min 5 s`, `2 h 10 min`. */
export function formatDuration(seconds: number): string {
  if (seconds < 60) return `${Math.round(seconds)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
  return `${Math.floor(seconds / 3600)} h ${Math.round((seconds % 3600) / 60)} min`;
}

/** Whatever could steer a terminal is escaped, so that the value stays what it is. */
export const printJson = (value: unknown): void => console.log(JSON.stringify(value, undefined, 2).replace(steering, escapeUnlessLayout));

const escapeUnlessLayout = (character: string): string => (character === "\n" ? character : `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`);
