import { stripVTControlCharacters as bare } from "node:util";
import { type Command, Option } from "commander";
import { printJson, printTable } from "./print.ts";
import { readSettings } from "./settings.ts";

const formats = ["table", "json", "csv"];

/** The options that say how a list is printed, alike in every command that prints one. */
export interface Format {
  format?: string;
  json?: boolean;
}

export const addFormat = (command: Command, more: string[] = []): Command =>
  command
    .addOption(new Option("--format <format>", "how it is printed (default: table)").choices([...formats, ...more]))
    .addOption(new Option("--json", "short for --format json").conflicts("format"));

/** What was asked for, else what the configuration says, else a table. */
export const readFormat = ({ format, json }: Format): string => (json ? "json" : (format ?? readSettings().format.value));

interface List<T> {
  items: T[];
  headings: string[];
  row(item: T): string[];
  /** What a person reads where there is nothing. */
  empty: string;
}

/** Prints a list as it was asked for. JSON has all of each item, a table and CSV have the same columns. */
export function printList<T>(format: Format, { items, headings, row, empty }: List<T>): void {
  const chosen = readFormat(format);
  if (chosen === "json") printJson(items);
  else if (chosen === "csv") printCsv(headings, items.map(row));
  else if (items.length === 0) console.log(empty);
  else printTable(headings, items.map(row));
}

/** RFC 4180. A cell that a spreadsheet would take for a formula begins with an apostrophe, as in the export of risks. */
function printCsv(headings: string[], rows: string[][]): void {
  const cell = (text: string) => {
    const plain = bare(text);
    return `"${(/^[=+\-@\t\r]/.test(plain) ? `'${plain}` : plain).replaceAll('"', '""')}"`;
  };
  for (const cells of [headings, ...rows]) process.stdout.write(`${cells.map(cell).join(",")}\r\n`);
}
