import type { Detection, Outcome } from "@periscan/contract/outcome.ts";
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

const rule = (id: string, severity: string, change: object = {}) => ({
  id,
  shortDescription: { text: `Rule ${id}` },
  properties: { "security-severity": severity },
  ...change,
});
/** As CodeQL writes it: the driver has rules of its own, and those of the queries are in packs. */
const tool = {
  driver: { name: "CodeQL", guid: "00000000-0000-0000-0000-00000000000d", rules: [rule("cli/note", "0.0"), rule("cli/low", "2.0"), rule("shared", "2.0")] },
  extensions: [
    {
      name: "codeql/javascript-queries",
      rules: [rule("js/sql", "9.8"), rule("js/xss", "7.0"), rule("shared", "9.0"), rule("twice", "5.0"), rule("twice", "8.0")],
    },
    { name: "codeql/suite", guid: "00000000-0000-0000-0000-00000000000e", rules: [rule("java/ssrf", "9.1")] },
    { name: "codeql/empty" },
  ],
};
async function readSarif(results: object[], more: object = { tool }): Promise<Detection[]> {
  const numbered = results.map((result, index) => ({ message: { text: "Said" }, partialFingerprints: { number: `${index}` }, ...result }));
  return (await read(JSON.stringify({ version: "2.1.0", runs: [{ ...more, results: numbered }] }))).detections;
}

describe("the rule of a result in SARIF", () => {
  test.each<[string, object, string, string]>([
    ["of an extension", { ruleId: "js/sql", ruleIndex: 0, rule: { id: "js/sql", index: 0, toolComponent: { index: 0 } } }, "Rule js/sql", "CRITICAL"],
    ["of an extension, by index alone", { rule: { index: 1, toolComponent: { index: 0 } } }, "Rule js/xss", "HIGH"],
    ["of an extension that is named by its name", { rule: { index: 0, toolComponent: { name: "codeql/suite" } } }, "Rule java/ssrf", "CRITICAL"],
    ["of an extension that is named by its guid", { rule: { index: 0, toolComponent: { guid: tool.extensions[1]?.guid } } }, "Rule java/ssrf", "CRITICAL"],
    ["of the driver where no component is named", { ruleId: "shared", rule: { index: 2, toolComponent: {} } }, "Rule shared", "LOW"],
    ["of an extension whose id the driver has too", { rule: { id: "shared", toolComponent: { index: 0 } } }, "Rule shared", "CRITICAL"],
    ["by its id, in any component", { ruleId: "java/ssrf" }, "Rule java/ssrf", "CRITICAL"],
    ["by its id, where the index is of another rule", { ruleId: "js/sql", ruleIndex: 1 }, "Rule js/sql", "CRITICAL"],
    ["by its index, where two have its id", { ruleId: "twice", rule: { index: 3, toolComponent: { index: 0 } } }, "Rule twice", "MEDIUM"],
    ["by its id with a part behind it", { ruleId: "shared/md5", ruleIndex: 2 }, "Rule shared", "LOW"],
    ["that is not in the file is none, whatever the index", { ruleId: "gone", ruleIndex: 0 }, "Said", "MEDIUM"],
    ["of a component that is not in the file is none", { ruleId: "gone", rule: { index: 0, toolComponent: { index: 7 } } }, "Said", "MEDIUM"],
  ])("%s", async (_what, result, title, level) => {
    expect((await readSarif([result])).map(({ title, threat_level }) => [title, threat_level])).toEqual([[title, level]]);
  });
  test("must be named", async () => {
    await expect(readSarif([{}])).rejects.toThrow("A result of the file names no rule.");
    await expect(readSarif([{ rule: { index: 0, toolComponent: { index: 2 } } }])).rejects.toThrow("A result of the file names no rule.");
  });
});

test("a result of SARIF is left out only where each request to suppress it is accepted", async () => {
  const cases: [(string | undefined)[], boolean][] = [
    [[], true],
    [[undefined], false],
    [["accepted"], false],
    [["accepted", undefined], false],
    [["rejected"], true],
    [["underReview"], true],
    [["accepted", "rejected"], true],
  ];
  for (const [statuses, stands] of cases) {
    const suppressions = statuses.map((status) => ({ kind: "external", status }));
    expect(await readSarif([{ ruleId: "js/sql", suppressions }]), `${statuses}`).toHaveLength(stands ? 1 : 0);
  }
});

test.each(["", "high", { toString: 1, valueOf: 1 }, "deep"])("a score in SARIF that is no number is none: %j", async (score) => {
  const text = JSON.stringify({
    version: "2.1.0",
    runs: [{ tool, results: [{ ruleId: "x", level: "error", message: {}, properties: { "security-severity": score } }] }],
  });
  expect((await read(text.replace('"deep"', deep))).detections).toMatchObject([{ threat_level: "HIGH" }]);
});
