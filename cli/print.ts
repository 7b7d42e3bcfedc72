import { stripVTControlCharacters as bare, styleText } from "node:util";

type Paint = Parameters<typeof styleText>[0];

/** Colour where the stream is a terminal that shows it; NO_COLOR turns it off. */
export const paint = (format: Paint, text: string, stream: NodeJS.WriteStream = process.stdout): string =>
  styleText(format, text, { stream, validateStream: true });

const levelColours: Record<string, Paint> = {
  CRITICAL: ["bold", "redBright"],
  HIGH: "red",
  MEDIUM: "yellow",
  LOW: "blue",
  NONE: "gray",
};

export const paintLevel = (level: string): string => paint(levelColours[level] ?? "reset", level);

/**
 * Scanner output and names on one line: whatever could steer a terminal (control characters, also the C1 block, and the marks that reorder
 * text) becomes U+FFFD.
 */
export const cleanLine = (text: string): string => text.replace(/[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu, "\uFFFD");

/** Prints rows under headings, columns as wide as needed; the last column is cut to a terminal's width. Cells may be painted. */
export function printTable(headings: string[], rows: string[][]): void {
  const widths = headings.map((heading, column) => Math.max(heading.length, ...rows.map((row) => bare(row[column] ?? "").length)));
  const room = (process.stdout.columns ?? Number.POSITIVE_INFINITY) - widths.slice(0, -1).reduce((sum, width) => sum + width + 2, 0);
  const line = (cells: string[]) =>
    cells
      .map((cell, column) => (column === cells.length - 1 ? cut(cell, room) : cell + " ".repeat(Math.max(0, (widths[column] ?? 0) - bare(cell).length))))
      .join("  ");
  console.log(paint("bold", line(headings)));
  for (const row of rows) console.log(line(row));
}

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

export const printJson = (value: unknown): void => console.log(JSON.stringify(value, undefined, 2));
