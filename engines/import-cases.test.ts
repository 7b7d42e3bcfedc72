import { existsSync, readdirSync, readFileSync } from "node:fs";
import { Outcome } from "@periscan/contract/outcome.ts";
import type { ScanType } from "@periscan/contract/scan.ts";
import { expect, test } from "vitest";
import { ParseError } from "./kit/engine.ts";
import { createTally } from "./kit/tally.ts";
import { readForTest } from "./kit/testing.ts";
import { engines, findEngine } from "./registry.ts";

/** How the files in an engine's `samples/import` are imported, by how their names end; the engine's own tests say what each of them tells. */
const ways: Record<string, { ending: RegExp; type: ScanType; target?: string }[]> = {
  nmap: [
    { ending: /udp.*\.xml$/, type: "NMAP_UDP" },
    { ending: /\.xml$/, type: "NMAP" },
  ],
  sslyze: [{ ending: /\.json$/, type: "SSLYZE" }],
  openvas: [{ ending: /\.xml$/, type: "OPENVAS" }],
  zap: [{ ending: /\.(xml|json)$/, type: "OWASP_ZAP" }],
  nuclei: [
    { ending: /\.sarif$/, type: "NUCLEI", target: "https://app.example/" },
    { ending: /\.jsonl?$/, type: "NUCLEI" },
  ],
};

const cases = Object.entries(ways).flatMap(([folder, forms]) => {
  const place = new URL(`${folder}/samples/import/`, import.meta.url);
  return existsSync(place)
    ? readdirSync(place).map((name) => ({ name: `${folder} ${name}`, file: new URL(name, place), way: forms.find(({ ending }) => ending.test(name)) }))
    : [];
});

test("every engine has a way to import its cases", () => {
  expect(engines.map(({ program }) => program).filter((program) => !Object.hasOwn(ways, program.toLowerCase()))).toEqual([]);
});

test.each(cases)("$name: each result is a risk, joined to one, or left out with a reason, and no two risks are one", async ({ file, way }) => {
  if (!way) throw new Error("No way to import it is named.");
  const { load, view } = findEngine(way.type);
  try {
    const { outcomes } = await readForTest((await load()).read, readFileSync(file), way);
    expect(new Set(outcomes.map(({ target }) => target)).size).toBe(outcomes.length);
    for (const { outcome } of outcomes) {
      const { detections } = Outcome.parse(outcome);
      expect(new Set(detections.map(({ key }) => key)).size).toBe(detections.length);
      for (const { detail } of detections) expect(view(detail)).not.toEqual([]);
    }
  } catch (error) {
    // A file that cannot be read at all says why.
    if (!(error instanceof ParseError)) throw error;
    expect(error.message).toMatch(/^[A-Z].{20,}\.$/s);
  }
});

const hit = JSON.stringify({ "template-id": "a", info: { name: "Größe", severity: "low" }, type: "http", "matched-at": "https://app.example/" });
const sample = (path: string) => readFileSync(new URL(path, import.meta.url), "utf8");

test.each<[ScanType, string]>([
  ["OWASP_ZAP", sample("zap/samples/foreign.json")],
  ["SSLYZE", sample("sslyze/samples/weak.json")],
  ["NUCLEI", `${hit}\n${hit}\n`],
  ["NUCLEI", `[${hit}]`],
])("%s: JSON in UTF-16 tells what it tells in UTF-8", async (type, text) => {
  const { read } = await findEngine(type).load();
  const readAll = async (bytes: Uint8Array) => {
    const outcomes: unknown[] = [];
    async function* file() {
      yield bytes;
    }
    for await (const outcome of read(file(), { type, tally: createTally() })) outcomes.push(outcome);
    return outcomes;
  };
  const expected = await readAll(Buffer.from(text));
  expect(await readAll(Buffer.from(`\ufeff${text}`, "utf16le"))).toEqual(expected);
  expect(await readAll(Buffer.from(`\ufeff${text}`, "utf16le").swap16())).toEqual(expected);
  expect(await readAll(Buffer.from(`\ufeff${text}`))).toEqual(expected);
});
