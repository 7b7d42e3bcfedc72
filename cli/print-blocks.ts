import type { Block } from "@periscan/contract/block.ts";
import { cleanLine, paint } from "./print.ts";

/** Evidence as lines for a terminal, each cleaned of what could steer it. */
export function printBlocks(blocks: Block[]): void {
  for (const [index, block] of blocks.entries()) {
    if (index > 0) console.log("");
    for (const line of drawBlock(block)) console.log(`  ${line}`);
  }
}

const splitLines = (text: string): string[] => text.split(/\r?\n/).map((line) => cleanLine(line.replaceAll("\t", "    ")));

function drawBlock(block: Block): string[] {
  if (block.type === "text") return splitLines(block.text);
  if (block.type === "code") return splitLines(block.text).map((line) => `${paint("gray", "│")} ${line}`);
  if (block.type === "list") return block.items.map((item) => `- ${cleanLine(item)}`);
  if (block.type === "facts") return drawFacts(block.rows);
  const rows = block.rows.map((row) => row.map((cell) => cleanLine(cell)));
  const widths = block.columns.map((column, index) => Math.max(column.length, ...rows.map((row) => row[index]?.length ?? 0)));
  const pad = (row: string[]) => row.map((cell, index) => cell.padEnd(widths[index] ?? 0)).join("  ");
  return [paint("bold", pad(block.columns)), ...rows.map(pad)];
}

/** A value of several lines keeps its column. */
function drawFacts(rows: string[][]): string[] {
  const width = Math.max(...rows.map(([name = ""]) => name.length));
  return rows.flatMap(([name = "", value = ""]) =>
    splitLines(value).map((line, index) => `${paint("gray", cleanLine(index === 0 ? name : "").padEnd(width))}  ${line}`),
  );
}
