import type { Outcome } from "@periscan/contract/outcome.ts";
import { parseTarget } from "@periscan/contract/target-syntax.ts";
import { describe, expect, test } from "vitest";
import { ParseError } from "../kit/engine.ts";
import { createTally } from "../kit/tally.ts";
import { readNucleiFile } from "./read-nuclei-file.ts";

const parsed = parseTarget("https://app.example/");
const target = parsed.ok ? parsed.targets[0] : undefined;

async function read(text: string): Promise<Outcome> {
  async function* bytes(): AsyncIterable<Uint8Array> {
    yield Buffer.from(text);
  }
  for await (const { outcome } of readNucleiFile(bytes(), { type: "NUCLEI", tally: createTally(), ...(target ? { target } : {}) })) return outcome;
  throw new Error("The file told nothing.");
}

const hit = (more = "") => `{"template-id":"a","info":{"name":"n","severity":"low"${more}},"type":"http","matched-at":"https://app.example/"}`;
const deep = `${"[".repeat(100_000)}${"]".repeat(100_000)}`;

describe("Nuclei's hits", () => {
  test.each(["\n", "\r\n"])("may have a byte order mark in front: with lines that end in %j", async (end) => {
    const { detections } = await read(`\ufeff${hit()}${end}${hit().replace('"a"', '"b"')}${end}`);
    expect(detections).toHaveLength(2);
    await expect(read(`${hit()}${end}\ufeff${hit()}${end}`)).rejects.toThrow("Line 2 of Nuclei's output is no JSON.");
  });
  test("are refused by number where they are a list, however deep it is", async () => {
    expect((await read(`\ufeff[${hit()}]`)).detections).toHaveLength(1);
    await expect(read(`[${hit()},${deep}]`)).rejects.toThrow(
      new ParseError("Line 2 of Nuclei's output is not a hit: : Invalid input: expected object, received array."),
    );
    await expect(read(`[${hit()},${hit(`,"reference":${deep}`)}]`)).rejects.toThrow(/^Line 2 of Nuclei's output is not a hit: info\.reference/);
    expect((await read(`[${hit(`,"else":${deep}`)}]`)).detections).toHaveLength(1);
    expect((await read(hit(`,"else":${deep}`))).detections).toHaveLength(1);
  });
});
