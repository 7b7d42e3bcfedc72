import { readFileSync } from "node:fs";
import type { Outcome } from "@periscan/contract/outcome.ts";
import { describe, expect, test } from "vitest";
import { ParseError } from "../kit/engine.ts";
import { readCoverage } from "./coverage.ts";
import { excerptMessage } from "./excerpt.ts";
import { readSite, readZapJson } from "./read-zap-json.ts";
import { readZapXml } from "./read-zap-xml.ts";
import type { Detail } from "./view.ts";
import { fromParagraphs, toParagraphs } from "./zap-report.ts";

async function read(report: unknown): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  for await (const { outcome } of readZapJson(bytesOf(report))) outcomes.push(outcome);
  return outcomes;
}
async function* bytesOf(report: unknown): AsyncIterable<Uint8Array> {
  yield Buffer.from(typeof report === "string" ? report : JSON.stringify(report));
}

const alert = (change = {}) => ({
  pluginid: "10021",
  alertRef: "10021-1",
  name: "Header missing",
  riskcode: "1",
  confidence: "2",
  desc: "<p>One &lt;b&gt;.</p><p>Two.</p>",
  instances: [{ uri: "https://example.com/a", method: "GET" }],
  reference: "<p>https://example.org/1</p><p>A book</p>",
  ...change,
});
const report = (change = {}, alerts: unknown[] = [alert()]) => ({
  "@programName": "ZAP",
  "@version": "2.17.0",
  "@generated": "Tue",
  site: [{ "@name": "https://example.com", "@host": "example.com", "@port": "443", "@ssl": "true", alerts, ...change }],
});

describe("a report of ZAP's", () => {
  test("is read with its alerts grouped as ZAP groups them, and closes nothing that it does not name", async () => {
    const [outcome] = await read(report());
    expect(outcome).toMatchObject({ kind: "complete", coverage: { rules: ["10021"], whole: false } });
    expect(outcome?.detections).toMatchObject([
      { key: "10021-1", title: "Header missing", threat_level: "LOW", description: "One <b>.\nTwo.", references: ["https://example.org/1"] },
    ]);
  });
  test("has one risk of what ZAP parts by risk and name: the worst, with the places of all", async () => {
    const low = alert({ pluginid: "90022", alertRef: "90022", name: "Error Disclosure", riskcode: "1", count: "3" });
    const medium = { ...low, name: "Error Message", riskcode: "2", count: "1", instances: [{ uri: "https://example.com/b", method: "GET" }] };
    for (const alerts of [
      [low, medium],
      [medium, low],
    ]) {
      const [outcome] = await read(report({}, alerts));
      expect(outcome?.detections).toMatchObject([{ key: "90022", title: "Error Message", threat_level: "MEDIUM", additional_info: { instances: 4 } }]);
      expect(outcome?.detections[0]?.detail).toMatchObject({ instances: [{ url: "https://example.com/b" }, { url: "https://example.com/a" }] });
      expect(readCoverage(outcome?.coverage)(outcome?.detections[0]?.scope ?? "")).toBe(true);
    }
  });
  test("without references has a risk for each name of a plugin, and keeps the plugin's key where it has one", async () => {
    const policy = (name: string, change = {}) => alert({ pluginid: "10055", alertRef: undefined, name, ...change });
    const alerts = [policy("CSP: Wildcard Directive"), policy("CSP: style-src"), policy("CSP: style-src", { riskcode: "2" }), alert({ alertRef: undefined })];
    const [outcome] = await read(report({}, alerts));
    expect(outcome?.detections.map(({ key, title, threat_level }) => [key.replace(/-\w{12}$/, "-NAME"), title, threat_level])).toEqual([
      ["10055-NAME", "CSP: Wildcard Directive", "LOW"],
      ["10055-NAME", "CSP: style-src", "MEDIUM"],
      ["10021", "Header missing", "LOW"],
    ]);
    expect(new Set(outcome?.detections.map(({ key }) => key)).size).toBe(3);
    for (const { scope, detail } of outcome?.detections ?? []) {
      expect(readCoverage(outcome?.coverage)(scope)).toBe(true);
      expect((detail as Detail).rule.id).toMatch(/^\d{5}$/);
    }
    const [again] = await read(report({}, alerts.toReversed()));
    expect(again?.detections.map(({ key }) => key).sort()).toEqual(outcome?.detections.map(({ key }) => key).sort());
  });
  test("may have what a person raised, which has neither plugin nor reference", async () => {
    const [outcome] = await read(report({}, [alert({ pluginid: "-1", alertRef: "", name: "Seen by hand" }), alert()]));
    expect(outcome?.detections.map(({ key }) => key)).toEqual([expect.stringMatching(/^-1-\w{12}$/), "10021-1"]);
  });
  test("in XML is read the same", async () => {
    const alerts = ["1", "2"].map(
      (risk) =>
        `<alertitem><pluginid>90022</pluginid><alertRef>90022</alertRef><name>Error Disclosure</name><riskcode>${risk}</riskcode><confidence>2</confidence><desc></desc>` +
        `<instances><instance><uri>https://example.com/${risk}</uri></instance></instances></alertitem>`,
    );
    const xml = `<OWASPZAPReport version="2.17.0" generated="Tue"><site name="https://example.com" host="example.com" port="443" ssl="true"><alerts>${alerts.join("")}</alerts></site></OWASPZAPReport>`;
    const [site] = (await readZapXml(bytesOf(xml))).sites;
    expect(site && readSite(site).detections).toMatchObject([{ key: "90022", threat_level: "MEDIUM", additional_info: { instances: 2 } }]);
  });
  test("without alerts is no clean site", async () => {
    expect(await read(report({}, []))).toMatchObject([{ kind: "partial", detections: [] }]);
    expect(await read(report({}, [alert({ confidence: "0" })]))).toMatchObject([{ kind: "partial", detections: [] }]);
  });
  test.each<[string, unknown]>([
    ["names no site", { ...report(), site: [] }],
    ["has an unknown risk", report({}, [alert({ riskcode: "4" })])],
    ["has no risk", report({}, [alert({ riskcode: undefined })])],
    ["is of something else", { version: "2.1.0", runs: [] }],
    ["is a list", []],
    ["is nothing", ""],
    ["is cut", JSON.stringify(report()).slice(0, -1)],
    [
      "is partial without a reason",
      report({
        periscan: {
          outcome: "partial",
          notes: [],
          scopes: {},
          coverage: { origin: "x", path: "", rules: [], content: [], answered: "", erred: "", places: 0, whole: false },
        },
      }),
    ],
  ])("that %s is refused", async (_what, text) => await expect(read(text)).rejects.toThrow(ParseError));

  test("may have thousands of places, of which fifty are kept with the count of all", async () => {
    const instances = Array.from({ length: 5000 }, (_, index) => ({ uri: `https://example.com/${"x".repeat(1000)}${index}` }));
    const [outcome] = await read(report({}, [alert({ instances, count: "6000" })]));
    const [detection] = outcome?.detections ?? [];
    expect(detection?.additional_info).toMatchObject({ instances: 6000 });
    expect(JSON.stringify(detection?.detail).length).toBeLessThan(20_000);
    expect(detection?.scope.length).toBeLessThan(500);
  });
  test("whose text holds control characters is stored without them", async () => {
    const [outcome] = await read(report({}, [alert({ name: "A\u0000B\u001bC\ud800" })]));
    expect(outcome?.detections[0]?.title).toBe("A\ufffdB\ufffdC\ufffd");
  });
});

test("a detail stays below 20 kB, whatever was sent and answered", async () => {
  for (const name of ["hostile", "faulty", "active"])
    for (const { detections } of await read(readFileSync(new URL(`samples/${name}.json`, import.meta.url), "utf8")))
      for (const { detail } of detections) expect(JSON.stringify(detail).length).toBeLessThan(20_000);
  const long = { header: `GET / HTTP/1.1\r\n${"x: y\r\n".repeat(5000)}`, body: `${"a".repeat(50_000)}HIT${"b".repeat(50_000)}` };
  const shown = excerptMessage(long, ["HIT"]);
  expect(shown.length).toBeLessThan(5000);
  expect(shown).toMatch(/^▶ …a+HITb+…$/m);
});

test.each(["Plain.", 'One.\nTwo <b>&amp;</b> "three"', "a < b > c & d"])("text goes through a report's paragraphs unchanged: %j", (text) =>
  expect(fromParagraphs(toParagraphs(text))).toBe(text),
);
