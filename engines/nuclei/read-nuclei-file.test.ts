import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { readForTest } from "../kit/testing.ts";
import { readNucleiFile } from "./read-nuclei-file.ts";

const hit = (more = "") => `{"template-id":"a","info":{"name":"n","severity":"low"${more}},"type":"http","matched-at":"https://app.example/"}`;
const deep = `${"[".repeat(100_000)}${"]".repeat(100_000)}`;

/** Reads a file as an import does; each of its results is told. */
async function readHits(text: string | Uint8Array, given: { target?: string } = { target: "app.example" }) {
  const { outcomes, counts } = await readForTest(readNucleiFile, text, { type: "NUCLEI", ...given });
  const detections = outcomes.flatMap(({ outcome }) => outcome.detections);
  const said = outcomes.flatMap(({ outcome }) => [outcome.reason, ...outcome.notes]).join(" ");
  return { detections, counts, said, targets: outcomes.map(({ target }) => target), kinds: [...new Set(outcomes.map(({ outcome }) => outcome.kind))] };
}

describe("Nuclei's hits", () => {
  test.each(["\n", "\r\n"])("may have a byte order mark in front: with lines that end in %j", async (end) => {
    const { detections } = await readHits(`\ufeff${hit()}${end}${hit().replace('"a"', '"b"')}${end}`);
    expect(detections).toHaveLength(2);
  });

  test.each([
    ["no JSON", "nonsense", "Line 2 of Nuclei's output is no JSON."],
    ["cut in half", hit().slice(0, 60), "Line 2 of Nuclei's output is no JSON."],
    ["another thing", '{"hello":1}', "Line 2 of Nuclei's output is not a hit: template-id"],
    ["a list", "[1]", "Line 2 of Nuclei's output is not a hit: : Invalid input: expected object, received array."],
    ["without a place", hit().replace('"matched-at":"https://app.example/"', '"matched-at":null'), "Line 2 of Nuclei's output is not a hit: it has none of"],
  ])("are kept beside a line that is %s, which is counted and named", async (_what, line, name) => {
    const { detections, counts, said, kinds } = await readHits(`${hit()}\n${line}\n${hit().replace('"a"', '"b"')}\n`);
    expect([detections.length, kinds, counts.left_out]).toEqual([2, ["partial"], [{ reason: "that is no hit of Nuclei", count: 1 }]]);
    expect(said).toContain(name);
    await expect(readHits(`\n${line}\n`)).rejects.toThrow(new RegExp(`^${name.slice(0, 30)}`));
  });

  test("are read from a list, however deep it is, and from one hit over several lines after the other", async () => {
    const list = await readHits(`\ufeff[${hit()},${deep},${hit().replace('"a"', '"b"')}]`);
    expect([list.detections.length, list.counts.results]).toEqual([2, 3]);
    expect((await readHits(`[${hit(`,"else":${deep}`)}]`)).detections).toHaveLength(1);
    const wide = [hit(), hit().replace('"a"', '"b"')].map((text) => JSON.stringify(JSON.parse(text), undefined, 2));
    for (const end of ["\n", "\r\n"]) expect((await readHits(wide.join("\n").replaceAll("\n", end))).detections).toHaveLength(2);
    const cut = await readHits(wide.join("\n").slice(0, -20));
    expect([cut.detections.length, cut.counts.left_out.length]).toEqual([1, 1]);
  });

  test("do without a field that is not as Nuclei writes it, which is named", async () => {
    const odd = hit(`,"reference":${deep},"classification":{"cve-id":["CVE-2026-10002"],"cvss-score":{}}`);
    const { detections, said } = await readHits(odd);
    expect(detections).toMatchObject([{ threat_level: "LOW", additional_info: { cve: ["CVE-2026-10002"] } }]);
    expect(said).toContain("info.reference (1), info.classification.cvss-score (1)");
  });

  test("may have null where a text may be", async () => {
    const names = ["matcher-name", "host", "port", "url", "request", "response", "curl-command", "timestamp", "extracted-results", "fuzzing_parameter"];
    const info = ["description", "impact", "remediation", "reference", "tags", "classification", "name"].map((name) => `"${name}":null`).join();
    const text = `{"template-id":"a","info":{"severity":"low",${info}},"type":"http","matched-at":"https://app.example/",${names.map((name) => `"${name}":null`).join()}}`;
    expect(await readHits(text)).toMatchObject({ detections: [{ title: "a", threat_level: "LOW" }], said: expect.not.stringContaining("Fields") });
  });

  test("differ by where and by which input they were seen, and what is seen twice is counted as joined", async () => {
    const at = (place: string) => hit().replace("https://app.example/", place);
    const { detections, counts } = await readHits(
      ["https://app.example/?file=1", "https://app.example/?page=1", "https://app.example/?file=2", "https://other.example/"].map(at).join("\n"),
      {},
    );
    expect(detections.map(({ key }) => key)).toEqual(["a@https:443/?file", "a@https:443/?page", "a@https:443/"]);
    expect([counts.results, counts.joined, counts.left_out]).toEqual([4, 1, []]);
    const named = await readHits([hit(), at("https://other.example/")].join("\n"));
    expect(named.counts.left_out).toEqual([{ reason: "of another host than the target", count: 1 }]);
  });

  test("of another host are those of what was scanned", async () => {
    const led = (more: string) => hit().replace("https://app.example/", "https://login.example/tenant").replace('"type"', `${more},"type"`);
    for (const more of [
      `"host":"https://app.example"`,
      `"host":"app.example"`,
      `"host":"app.example:443"`,
      `"url":"https://app.example/x","host":"app.example"`,
    ]) {
      const { detections, targets } = await readHits(led(more), {});
      expect([targets, detections.map(({ key, scope }) => [key, scope])], more).toEqual([
        ["app.example"],
        [["a@https:443//login.example/tenant", "a@https://app.example:443"]],
      ]);
    }
  });
});

describe("a file that somebody brought", () => {
  const names = (name: string) => readFileSync(new URL(`samples/import/${name}`, import.meta.url));
  const cases: [name: string, keys: string[], leftOut: [string, number][]][] = [
    ["nuclei-foreign-host.jsonl", ["tenant@https:443//login.other.example/shop.example/config"], []],
    ["nuclei-fuzz-parameters.jsonl", ["xss@https:443/find?q[q query GET]", "xss@https:443/find?sort[sort query GET]"], []],
    ["nuclei-matcher-status.jsonl", ["probe@https:443/a"], [["of a template that did not match (matcher-status is false)", 2]]],
    ["nuclei-no-matched-at.jsonl", ["probe@https:443/a", "cookie@tcp:443"], []],
    ["nuclei-pretty.json", ["probe@https:443/a"], []],
    ["nuclei-v2-old.json", ["probe:m@https:443/a"], []],
  ];
  test.each(cases)("%s", async (name, keys, leftOut) => {
    for (const given of [{}, { target: "shop.example" }]) {
      const { detections, targets, counts } = await readHits(names(name), given);
      expect([targets, detections.map(({ key, threat_level }) => [key, threat_level])]).toEqual([["shop.example"], keys.map((key) => [key, "HIGH"])]);
      expect(counts.left_out).toEqual(leftOut.map(([reason, count]) => ({ reason, count })));
      if (name === "nuclei-v2-old.json") continue;
      for (const { additional_info, references } of detections) {
        const cvss = { cvss_score: 9.8, cvss_vector: "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H" };
        expect(additional_info).toMatchObject({ cve: ["CVE-2026-10002"], cwe: ["CWE-89"], ...cvss });
        expect(references).toEqual(["https://nvd.nist.gov/vuln/detail/CVE-2026-10002", "https://cwe.mitre.org/data/definitions/89.html"]);
      }
    }
  });
});
