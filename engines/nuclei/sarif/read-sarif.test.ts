import { readFileSync } from "node:fs";
import { Outcome } from "@periscan/contract/outcome.ts";
import type { ThreatLevel } from "@periscan/contract/risk.ts";
import { describe, expect, test } from "vitest";
import { readForTest } from "../../kit/testing.ts";
import { readNucleiFile } from "../read-nuclei-file.ts";
import { view } from "../view.ts";

async function readFile(file: string | Uint8Array) {
  const { outcomes, counts } = await readForTest(readNucleiFile, file, { type: "NUCLEI", target: "https://app.example/" });
  const [read] = outcomes;
  if (!read || outcomes.length > 1) throw new Error("A SARIF file is of one target.");
  for (const { detail } of Outcome.parse(read.outcome).detections) view(detail);
  return { ...read.outcome, counts, observedAt: read.observedAt };
}
const sample = (name: string) => readFileSync(new URL(`../samples/import/${name}.sarif`, import.meta.url));
const write = (runs: unknown) => JSON.stringify({ version: "2.1.0", runs });
const probe = { driver: { name: "Probe", rules: [{ id: "R1" }] } };
const read = (results: unknown, more: object = {}) => readFile(write([{ tool: probe, results, ...more }]));
const at = (uri: string, region?: object, more: object = {}) => [{ physicalLocation: { artifactLocation: { uri, ...more }, ...(region ? { region } : {}) } }];
const said = (text: string, more: object = {}) => ({ ruleId: "R1", message: { text }, ...more });

type Line = [level: ThreatLevel, location: string, description: string];
/** Real shapes of other tools' files, each with what must be read from it: level, place, and the beginning of the description. */
const cases: [file: string, lines: Line[]][] = [
  [
    "artifact-index",
    [
      ["MEDIUM", "src/one.c:9", "Weak hash"],
      ["MEDIUM", "src/two.c:9", "Weak hash"],
    ],
  ],
  [
    "commit-fingerprint",
    [
      ["MEDIUM", "conf.env:2:1", "token has detected"],
      ["MEDIUM", "conf.env:5:1", "token has detected"],
    ],
  ],
  ["constant-fingerprint", [4, 19, 77].map((line) => ["HIGH", `src/run.py:${line}`, "Command built from input"])],
  ["context-fingerprint", [10, 200].map((line) => ["MEDIUM", `a.c:${line}:3`, "strcpy copies without a limit"])],
  ["cwe-tags", [["HIGH", "a.py:1", "Query from input"]]],
  ["helpuri-null", [["HIGH", "main.tf:3", "Bucket is public"]]],
  ["image-packages", ["liba", "libb"].map((name) => ["HIGH", "registry.example/app:1", `Package: ${name}`])],
  ["kind-review", ["review", "open", "fail"].map((kind) => ["MEDIUM", `${kind}.c:1`, `Check ${kind}`])],
  ["level-null", [["MEDIUM", "a.py:1", "x is unchecked"]]],
  ["level-override", [["HIGH", "a.c:1", "Raised by the settings of the run"]]],
  ["logical-locations", ["/login", "/search", "/pay"].map((path) => ["MEDIUM", `POST ${path}`, "Input reaches a query"])],
  [
    "message-id",
    [
      ["HIGH", "app.dll", "'app.dll' was built with no stack cookies."],
      ["MEDIUM", "a.c:7", "Name 'total' is used before {init}."],
    ],
  ],
  ["nested-fingerprint", [["HIGH", "pom.xml:1", "Old library"]]],
  ["no-locations", ["A", "B"].map((name) => ["MEDIUM", "", `Setting ${name} is off`])],
  ["no-ruleid", [["HIGH", "notes.txt:3", "Key found in notes.txt"]]],
  [
    "nuclei-kind-open",
    [
      ["CRITICAL", "/admin/", "Old panel"],
      ["MEDIUM", "/files/", "Open listing"],
    ],
  ],
  ["pass-without-message", [["HIGH", "a.c:1", "x"]]],
  ["runs-empty", []],
  [
    "same-line",
    [
      ["MEDIUM", "a.php:12:5", "$id is not escaped"],
      ["MEDIUM", "a.php:12:40", "$name is not escaped"],
    ],
  ],
  [
    "uribase",
    [
      ["HIGH", "file:///src/a/main.c:1", "Weak"],
      ["HIGH", "file:///src/b/main.c:1", "Weak"],
    ],
  ],
  ["utf16", [["HIGH", "a.c:3", "Größe unchecked"]]],
];

describe("a SARIF file", () => {
  test.each(cases)("%s is read as it stands there", async (name, lines) => {
    const { detections, kind, reason } = await readFile(sample(name));
    const seen = detections.map(({ threat_level, additional_info, description }, index) => [
      threat_level,
      additional_info.location ?? "",
      description.slice(0, lines[index]?.[2].length),
    ]);
    expect(seen).toEqual(lines);
    expect(kind).toBe("partial");
    expect(reason).toMatch(/closes nothing/);
    const again = await readFile(sample(name));
    expect(again.detections).toEqual(detections);
  });

  test("keeps weakness, score and vulnerability, with links to them", async () => {
    const [seen] = (await readFile(sample("cwe-tags"))).detections;
    expect(seen).toMatchObject({
      additional_info: { cwe: ["CWE-89"], security_severity: 8.8 },
      references: ["https://cwe.mitre.org/data/definitions/89.html"],
    });
    const [found] = (await readFile(sample("image-packages"))).detections;
    expect(found).toMatchObject({ additional_info: { cve: ["CVE-2026-10001"] }, references: ["https://nvd.nist.gov/vuln/detail/CVE-2026-10001"] });
    const rule = {
      id: "R1",
      relationships: [{ target: { id: "120", toolComponent: { name: "CWE" } } }],
      properties: { tags: ["CWE-79: Cross-site", "external/cwe/cwe-0089", "other"] },
    };
    const { detections } = await read([said("x", { taxa: [{ id: "CWE-22" }], properties: { cwe: "CWE-20" } })], {
      tool: { driver: { name: "P", rules: [rule] } },
    });
    expect(detections[0]?.additional_info.cwe).toEqual(["CWE-20", "CWE-79", "CWE-89", "CWE-22", "CWE-120"]);
  });

  test("is titled by what is said where it names no rule", async () => {
    const [seen] = (await readFile(sample("no-ruleid"))).detections;
    expect(seen).toMatchObject({ title: "Key found in notes.txt", threat_level: "HIGH" });
    expect(view(seen?.detail)[0]).toEqual({
      type: "facts",
      rows: [
        ["Seen at", "notes.txt:3"],
        ["Rule", "none named"],
        ["Severity", "high"],
      ],
    });
    const { detections } = await read([{ rule: { index: 0, toolComponent: { index: 2 } }, locations: at("a.c") }]);
    expect(detections).toMatchObject([{ title: "A result of Probe", additional_info: { location: "a.c" } }]);
  });

  test("that has no run says so, and one whose tool could produce none is an error", async () => {
    expect((await readFile(sample("runs-empty"))).reason).toContain("The file has no run of a tool");
    await expect(readFile(sample("runs-null"))).rejects.toThrow("its tool could not produce any run");
    await expect(readFile('{"version":"2.0.0","runs":[]}')).rejects.toThrow("This is SARIF 2.0.0, and only 2.1.0 can be read");
    await expect(readFile('{"version":"2.1.0"}')).rejects.toThrow("runs is not a list");
  });
});

describe("what becomes of each result", () => {
  test("is counted, with why it was left out", async () => {
    const { counts, notes, reason } = await read([
      said("a"),
      said("a"),
      said("b"),
      said("c", { kind: "pass" }),
      said("c", { kind: "notApplicable" }),
      said("c", { suppressions: [{ kind: "external" }] }),
      said("c", { baselineState: "absent" }),
      said("d", { kind: "review" }),
      null,
      5,
      {},
      { message: "no object" },
    ]);
    expect(counts).toEqual({
      results: 12,
      joined: 1,
      left_out: [
        { reason: "no failure (kind pass)", count: 1 },
        { reason: "no failure (kind notApplicable)", count: 1 },
        { reason: "suppressed in the file", count: 1 },
        { reason: "gone since the file's baseline", count: 1 },
        { reason: "not readable as a result", count: 4 },
      ],
    });
    expect(reason).toContain("4 of its results could not be read.");
    expect(notes).toEqual(["1 result is for a person to decide: the tool does not say whether it is a failure (kind review or open)."]);
  });

  test("is said where it stands in other files, or in no list at all", async () => {
    const away = await read(undefined, { externalPropertyFileReferences: { results: [{ itemCount: 7 }, {}] } });
    expect(away.counts).toEqual({ results: 7, joined: 0, left_out: [{ reason: "in other files, which this one names", count: 7 }] });
    expect(away.reason).toContain("Results of Probe are in other files");
    expect((await read(undefined)).reason).toContain("A run of Probe has no list of results");
    const notifications = [{ level: "error", message: { text: "x" } }, { level: "note" }];
    expect((await read([], { invocations: [{ executionSuccessful: false, toolExecutionNotifications: notifications }] })).reason).toMatch(
      /The tool says that a run of it failed\. Probe met an error while it ran\./,
    );
  });

  test("is the worst of them where there are more than a target may have", async () => {
    const results = Array.from({ length: 20_010 }, (_, index) => said(`n${index}`, index >= 20_000 ? { level: "error" } : {}));
    const { detections, counts, reason } = await read([...results, results[0]]);
    expect(detections).toHaveLength(20_000);
    expect(detections.filter(({ threat_level }) => threat_level === "HIGH")).toHaveLength(10);
    expect(counts).toEqual({ results: 20_011, joined: 1, left_out: [{ reason: "more than 20,000 different ones", count: 10 }] });
    expect(reason).toContain("Only the worst 20,000 results were kept.");
  });

  test.each([
    ["a run", [null, 5, {}, { tool: probe, results: [said("x")] }]],
    ["a tool", [{ tool: 5, results: [said("x")] }]],
    ["a list of rules", [{ tool: { driver: { name: "Probe", rules: "x" }, extensions: 5 }, results: [said("x")] }]],
    ["a rule", [{ tool: { driver: { name: "Probe", rules: [null, { id: 5, properties: 5 }, { id: "R1", shortDescription: 5 }] } }, results: [said("x")] }]],
    ["a list of files", [{ tool: probe, artifacts: 5, logicalLocations: "x", originalUriBaseIds: [], invocations: {}, results: [said("x")] }]],
    [
      "a field of a result",
      [{ tool: probe, results: [said("x", { rule: 5, kind: 7, level: [], locations: "x", suppressions: 5, taxa: {}, properties: [] })] }],
    ],
    ["a place", [{ tool: probe, results: [said("x", { locations: [null, { physicalLocation: { artifactLocation: 5, region: "x" } }] })] }]],
  ])("is not changed where %s is something else than SARIF says", async (_what, runs) => {
    expect((await readFile(write(runs))).detections).toMatchObject([{ description: "x", threat_level: "MEDIUM" }]);
  });

  test("does not hang on names that objects have by themselves, nor on depth", async () => {
    const names = ["__proto__", "constructor", "toString", "hasOwnProperty"];
    const results = names.map((name) =>
      said(name, { ruleId: name, message: { id: name }, locations: at(name, {}, { uriBaseId: name }), properties: { [name]: name } }),
    );
    const rules = names.map((id) => ({ id, messageStrings: {} }));
    const { detections } = await read(results, { tool: { driver: { name: "P", rules } }, originalUriBaseIds: {} });
    expect(detections.map(({ additional_info }) => additional_info.location)).toEqual(names.map((name) => `%${name}%/${name}`));
    const deep = `${"[".repeat(100_000)}${"]".repeat(100_000)}`;
    const text = write([{ tool: probe, results: [said("x", { locations: "deep", properties: { tags: "deep" }, fingerprints: { a: "deep" } })] }]);
    expect((await readFile(text.replaceAll('"deep"', deep))).detections).toHaveLength(1);
  });
});

describe("the identity of a result", () => {
  const keys = async (results: object[], more?: object) => (await read(results, more)).detections.map(({ key }) => key);
  const marked = (line: number, print: string) =>
    said("Weak", { partialFingerprints: { "primaryLocationLineHash/v1": print }, locations: at("a.c", { startLine: line, startColumn: 3 }) });

  test("is the tool's fingerprint where no other place shares it, so lines may move", async () => {
    expect(await keys([marked(9, "a"), marked(20, "b")])).toEqual(await keys([marked(10, "a"), marked(21, "b")]));
    // An empty list of complete ones is none.
    expect(await keys([{ ...marked(9, "a"), fingerprints: {} }])).toEqual(await keys([marked(12, "a")]));
  });

  test("is the place where a fingerprint is shared, without changing that of others", async () => {
    const [a, b, c] = await keys([marked(9, "a"), marked(20, "a"), marked(30, "c")]);
    expect(new Set([a, b, c]).size).toBe(3);
    expect(await keys([marked(9, "a"), marked(20, "a"), marked(31, "c")])).toEqual([a, b, c]);
    // One that gave its fingerprint up may meet another at its place: they are told apart by what they say.
    const met = [marked(9, "a"), marked(20, "a"), said("Other", { locations: at("a.c", { startLine: 9, startColumn: 3 }) })];
    expect(new Set(await keys(met)).size).toBe(3);
  });

  test("is of the last column, of further places, of the base folder and of the message where only that differs", async () => {
    const pairs: [object, object][] = [
      [{ locations: at("a.c", { startLine: 1, endColumn: 4 }) }, { locations: at("a.c", { startLine: 1, endColumn: 9 }) }],
      [{ locations: at("a.exe", { byteOffset: 4 }) }, { locations: at("a.exe", { byteOffset: 9 }) }],
      [{ locations: [...at("a.c"), ...at("b.c")] }, { locations: [...at("a.c"), ...at("c.c")] }],
      [{ locations: at("a.c", {}, { uriBaseId: "A" }) }, { locations: at("a.c", {}, { uriBaseId: "B" }) }],
      [{ locations: at("a.c"), message: { text: "b" } }, { locations: at("a.c") }],
      [{ locations: [{ logicalLocations: [{ name: "f" }] }] }, { locations: [{ logicalLocations: [{ name: "g" }] }] }],
      [{ analysisTarget: { uri: "a.dll" } }, { analysisTarget: { uri: "b.dll" } }],
      [{ ruleId: "R2" }, {}],
    ];
    for (const [a, b] of pairs) {
      const both = await keys([said("a", a), said("a", b)]);
      expect(new Set(both).size, JSON.stringify([a, b])).toBe(2);
      expect((await keys([said("a", b), said("a", a)])).toSorted()).toEqual(both.toSorted());
    }
  });

  test("is the same wherever the tool ran", async () => {
    const there = (folder: string) =>
      keys([said("a", { locations: at("src/a.c", { startLine: 1 }, { uriBaseId: "ROOT" }) })], { originalUriBaseIds: { ROOT: { uri: `file:///${folder}/` } } });
    expect(await there("home/ada")).toEqual(await there("builds/7"));
  });

  test("joins what two runs say of the same place, and what is the same in all", async () => {
    const run = { tool: probe, results: [said("a", { locations: at("a.c", { startLine: 1 }) })] };
    expect((await readFile(write([run, run]))).counts).toEqual({ results: 2, joined: 1, left_out: [] });
    const [one] = (await read([said("a", { level: "note" }), said("a", { level: "error" })])).detections;
    expect(one?.threat_level).toBe("HIGH");
  });

  test("is of 500 characters at most, and not of what is cut away", async () => {
    const long = (end: string) => said("a", { locations: at(`${"x".repeat(3000)}${end}`) });
    expect(new Set(await keys([long("a"), long("b"), long("\u0001"), long("·")])).size).toBe(4);
  });
});

describe("the words of a result", () => {
  const words = async (message: object, rule: object = {}, driver: object = {}) =>
    (await read([{ ruleId: "R1", message, locations: at("a.c") }], { tool: { driver: { name: "P", rules: [{ id: "R1", ...rule }], ...driver } } }))
      .detections[0]?.description;
  const strings = { messageStrings: { hit: { text: "{1} before {0}, {{0}} and {2}" } } };

  test("have what their placeholders stand for", async () => {
    expect(await words({ id: "hit", arguments: ["a", "b"] }, strings)).toBe("b before a, {0} and {2}");
    expect(await words({ id: "hit" }, {}, { globalMessageStrings: { hit: { markdown: "{{all}}" } } })).toBe("{all}");
    expect(await words({ text: "{{ user }}" })).toBe("{{ user }}");
    expect(await words({ text: "{0}{0}", arguments: ["{1}", "no"] })).toBe("{1}{1}");
    expect(await words({ text: "of [the input](1), see [a page](https://a.example/) and \\[x]", arguments: [] })).toBe(
      "of the input, see [a page](https://a.example/) and \\[x]",
    );
    expect(await words({ id: "gone" }, strings)).toBe("It is a hit of the rule R1 of P.");
  });

  test("do not grow without end", async () => {
    const bomb = { text: "{0}".repeat(30_000), arguments: ["x".repeat(100_000)] };
    expect((await words(bomb))?.length).toBe(18_000);
  });
});

describe("the level of a result", () => {
  const level = async (result: object, { rule = {}, ...run }: { rule?: object } & Record<string, unknown> = {}) =>
    (await read([said("x", result)], { tool: { driver: { name: "P", rules: [{ id: "R1", ...rule }, { id: "R2" }] } }, ...run })).detections[0]?.threat_level;
  const raise = (descriptor: object, to = "error") => ({ ruleConfigurationOverrides: [{ descriptor, configuration: { level: to } }] });
  const note = { defaultConfiguration: { level: "note" } };

  test("is its own, else that of the settings of its run, else the rule's, else a warning", async () => {
    expect(await level({ level: "error" }, { rule: note })).toBe("HIGH");
    expect(await level({}, { rule: note })).toBe("LOW");
    expect(await level({})).toBe("MEDIUM");
    for (const descriptor of [{ id: "R1" }, { index: 0 }, { id: "R1", index: 1 }])
      expect(await level({}, { rule: note, invocations: [raise(descriptor)] })).toBe("HIGH");
    expect(await level({}, { rule: note, invocations: [raise({ id: "R2" })] })).toBe("LOW");
    expect(await level({ level: "note" }, { invocations: [raise({ id: "R1" })] })).toBe("LOW");
    // Of several invocations the result names its own.
    const two = [raise({ id: "R1" }, "none"), raise({ id: "R1" })];
    expect(await level({ provenance: { invocationIndex: 1 } }, { rule: note, invocations: two })).toBe("HIGH");
    expect(await level({}, { rule: note, invocations: two })).toBe("LOW");
    expect(
      await level({}, { invocations: [{ ruleConfigurationOverrides: [{ descriptor: { id: "R1" }, configuration: { enabled: true } }] }], rule: note }),
    ).toBe("LOW");
  });

  test("that SARIF does not know is a warning, and said", async () => {
    const { detections, reason } = await read([said("x", { level: "fatal" })]);
    expect(detections).toMatchObject([{ threat_level: "MEDIUM" }]);
    expect(reason).toContain("SARIF knows no level fatal; results with it count as warnings.");
    expect(await level({ level: "ERROR" })).toBe("HIGH");
  });

  test("none says nothing of what is for a person to decide", async () => {
    expect(await level({ kind: "review", level: "none" })).toBe("MEDIUM");
    expect(await level({ kind: "open", level: "none" }, { rule: note })).toBe("LOW");
    expect(await level({ level: "none" })).toBe("NONE");
  });

  test("of Nuclei's own file is none where its template says so, whatever the score", async () => {
    const nuclei = async (score: string, rating: string) =>
      read([said("x", { level: rating, kind: "open" })], {
        tool: { driver: { name: "Nuclei", rules: [{ id: "R1", properties: { "security-severity": score } }] } },
      });
    expect((await nuclei("1", "none")).detections).toMatchObject([{ threat_level: "NONE" }]);
    const unknown = await nuclei("9.5", "none");
    expect(unknown.detections).toMatchObject([{ threat_level: "NONE", additional_info: { severity: "unknown" } }]);
    expect(unknown.reason).toContain("Nobody has assessed how severe a hit of R1 is");
    expect(unknown.notes).toEqual([]);
    expect((await nuclei("8", "error")).detections).toMatchObject([{ threat_level: "HIGH" }]);
  });

  test.each(["", "high", { toString: 1, valueOf: 1 }, -1, 11])("is not that of a score that is none: %j", async (score) => {
    expect(await level({ level: "error", properties: { "security-severity": score } })).toBe("HIGH");
  });
});

test("a base folder is found through others, and a circle of them ends", async () => {
  const place = async (originalUriBaseIds: object) =>
    (await read([said("x", { locations: at("a.c", {}, { uriBaseId: "A" }) })], { originalUriBaseIds })).detections[0]?.additional_info.location;
  expect(await place({ A: { uri: "src", uriBaseId: "B" }, B: { uri: "file:///home/" } })).toBe("file:///home/src/a.c");
  expect(await place({ A: { uri: "src/", uriBaseId: "B" } })).toBe("%B%/src/a.c");
  expect(await place({ A: { uri: "x/", uriBaseId: "A" } })).toBe(`${"x/".repeat(20)}a.c`);
});

test("a place by number is that of the run's own lists", async () => {
  const { detections } = await read([said("x", { locations: [{ logicalLocations: [{ index: 1 }], physicalLocation: { artifactLocation: { index: 0 } } }] })], {
    artifacts: [{ location: { uri: "lib/a.c", uriBaseId: "ROOT" } }],
    logicalLocations: [{ name: "no" }, { fullyQualifiedName: "main()" }],
  });
  expect(detections[0]?.additional_info).toMatchObject({ location: "%ROOT%/lib/a.c", logical_location: "main()" });
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
    { name: "codeql/suite", guid: "00000000-0000-0000-0000-00000000000e", rules: [rule("java/ssrf", "9.1", { guid: "00000000-0000-0000-0000-00000000001f" })] },
    { name: "codeql/empty" },
  ],
};
const readOne = async (result: object) => (await read([{ message: { text: "Said" }, ...result }], { tool })).detections;

describe("the rule of a result in SARIF", () => {
  test.each<[string, object, string, string]>([
    ["of an extension", { ruleId: "js/sql", ruleIndex: 0, rule: { id: "js/sql", index: 0, toolComponent: { index: 0 } } }, "Rule js/sql", "CRITICAL"],
    ["of an extension, by index alone", { rule: { index: 1, toolComponent: { index: 0 } } }, "Rule js/xss", "HIGH"],
    ["of an extension that is named by its name", { rule: { index: 0, toolComponent: { name: "codeql/suite" } } }, "Rule java/ssrf", "CRITICAL"],
    ["of an extension that is named by its guid", { rule: { index: 0, toolComponent: { guid: tool.extensions[1]?.guid } } }, "Rule java/ssrf", "CRITICAL"],
    ["of the driver where no component is named", { ruleId: "shared", rule: { index: 2, toolComponent: {} } }, "Rule shared", "LOW"],
    ["of an extension whose id the driver has too", { rule: { id: "shared", toolComponent: { index: 0 } } }, "Rule shared", "CRITICAL"],
    ["of an extension, by its own guid", { rule: { guid: "00000000-0000-0000-0000-00000000001f" } }, "Rule java/ssrf", "CRITICAL"],
    ["by its id, in any component", { ruleId: "java/ssrf" }, "Rule java/ssrf", "CRITICAL"],
    ["by its id, where the index is of another rule", { ruleId: "js/sql", ruleIndex: 1 }, "Rule js/sql", "CRITICAL"],
    ["by its index, where two have its id", { ruleId: "twice", rule: { index: 3, toolComponent: { index: 0 } } }, "Rule twice", "MEDIUM"],
    ["by its id with a part behind it", { ruleId: "shared/md5", ruleIndex: 2 }, "Rule shared", "LOW"],
    ["that is not in the file is none, whatever the index", { ruleId: "gone", ruleIndex: 0 }, "Said", "MEDIUM"],
    ["of a component that is not in the file is none", { ruleId: "gone", rule: { index: 0, toolComponent: { index: 7 } } }, "Said", "MEDIUM"],
  ])("%s", async (_what, result, title, level) => {
    expect((await readOne(result)).map(({ title, threat_level }) => [title, threat_level])).toEqual([[title, level]]);
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
    expect(await readOne({ ruleId: "js/sql", suppressions }), `${statuses}`).toHaveLength(stands ? 1 : 0);
  }
});
