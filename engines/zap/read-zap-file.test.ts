import { readdirSync, readFileSync } from "node:fs";
import { Outcome } from "@periscan/contract/outcome.ts";
import { describe, expect, test } from "vitest";
import { readForTest } from "../kit/testing.ts";
import { formatScope, readCoverage } from "./coverage.ts";
import { readZapFile } from "./read-zap-file.ts";
import { type Detail, view } from "./view.ts";

async function read(file: unknown, target?: string) {
  const bytes = typeof file === "string" || file instanceof Uint8Array ? file : JSON.stringify(file);
  const { outcomes, counts } = await readForTest(readZapFile, bytes, { type: "OWASP_ZAP", ...(target === undefined ? {} : { target }) });
  for (const { outcome } of outcomes) {
    Outcome.parse(outcome);
    for (const { detail } of outcome.detections) view(detail);
  }
  const sites = outcomes.map(({ target: name, outcome }) => ({
    name,
    kind: outcome.kind,
    reason: outcome.reason,
    notes: outcome.notes,
    risks: outcome.detections.map(({ title, threat_level }) => [title, threat_level]),
    places: outcome.detections.map(({ detail }) => (detail as Detail).instances.map(({ url, param, other }) => `${url} ${param} ${other}`.trim())),
    detections: outcome.detections,
    covers: readCoverage(outcome.coverage),
  }));
  return { sites, counts };
}
const sample = (name: string) => readFileSync(new URL(`samples/import/${name}`, import.meta.url));
const shop = "http://shop.example:8080";
const none = { joined: 0, left_out: [] };
const csp = [["No CSP", "MEDIUM"]];

describe("a file that others met", () => {
  test.each<[string, object, object]>([
    ["alert-without-name.xml", { risks: csp }, { results: 1, ...none }],
    ["reliability.xml", { risks: csp, places: [[`${shop}/`]] }, { results: 1, ...none }],
    ["site-object.json", { risks: csp }, { results: 1, ...none }],
    ["site-without-alerts-key.json", { risks: [] }, { results: 0, ...none }],
    [
      "strange-site.json",
      { risks: csp, notes: ["The report also has what cannot be a target, and it is left out: http://127.1:9000."] },
      { results: 2, joined: 0, left_out: [{ reason: "of a site that cannot be a target: http://127.1:9000", count: 1 }] },
    ],
    ["unmerged.xml", { risks: csp, places: [[`${shop}/ x`, `${shop}/b x`]] }, { results: 2, joined: 1, left_out: [] }],
  ])("%s is read as what was there, and closes nothing that it does not name", async (name, site, counts) => {
    const read_ = await read(sample(name));
    expect(read_.sites).toMatchObject([{ name: `${shop}/`, kind: "partial", ...site }]);
    expect(read_.counts).toEqual(counts);
    const elsewhere = formatScope({ rule: "10038", origin: shop, answered: ["/elsewhere"], erred: [] });
    expect(read_.sites[0]?.covers(elsewhere)).toBe(false);
  });
});

const alert = (change = {}) => ({ pluginid: "10021", name: "Header missing", riskcode: "1", confidence: "2", instances: [{ uri: `${shop}/a` }], ...change });
const site = (alerts: unknown, name = shop) => ({ "@name": name, "@host": "shop.example", "@port": "8080", "@ssl": "false", alerts });
const report = (...sites: object[]) => ({ "@version": "2.16.1", "@generated": "Fri, 2 Jan 2026 03:04:05", site: sites });

describe("a report", () => {
  test("of an old version has several places in one alert", async () => {
    const places = [1, 2].map((number) => `<uri>${shop}/${number}</uri><param>p${number}</param><otherinfo>o${number}</otherinfo>`).join("");
    const item = `<alertitem><pluginid>10021</pluginid><alert>A&amp;B</alert><riskcode>1</riskcode><reliability>1</reliability><desc>D</desc>${places}<solution>S</solution></alertitem>`;
    const xml = `<OWASPZAPReport version="1.4"><site name="${shop}" host="shop.example" port="8080" ssl="false"><alerts>${item}</alerts></site></OWASPZAPReport>`;
    const { sites } = await read(xml);
    expect(sites).toMatchObject([{ risks: [["A&B", "LOW"]], places: [[`${shop}/1 p1 o1`, `${shop}/2 p2 o2`]] }]);
    expect(sites[0]?.detections[0]).toMatchObject({ solution: "S", additional_info: { confidence: "Low", instances: 2 } });
  });
  test("in UTF-16, or with elements that are called as what every object has, is read", async () => {
    const item = "<alertitem><pluginid>1</pluginid><name>é</name><riskcode>1</riskcode><constructor>x</constructor><__proto__>x</__proto__></alertitem>";
    const xml = `\ufeff<?xml version="1.0" encoding="UTF-16"?><OWASPZAPReport><site name="${shop}"><alerts>${item}</alerts></site></OWASPZAPReport>`;
    expect((await read(Buffer.from(xml, "utf16le"))).sites).toMatchObject([{ risks: [["é", "LOW"]] }]);
    expect((await read(report(site([alert({ alertRef: "constructor", pluginid: "1" })])))).sites).toMatchObject([{ risks: [["Header missing", "LOW"]] }]);
  });
  test("may have null where a text may be, numbers for digits, and one thing in the place of a list of it", async () => {
    const nulls = { alertRef: null, desc: null, solution: null, reference: null, cweid: null, wascid: null, otherinfo: null, sourceid: null, count: null };
    const one = alert({ ...nulls, pluginid: 10021, riskcode: 1, confidence: null, instances: { uri: `${shop}/a`, method: null, param: null, evidence: null } });
    const { sites, counts } = await read({ ...report(site(one)), "@generated": null });
    expect(sites).toMatchObject([{ risks: [["Header missing", "LOW"]], places: [[`${shop}/a`]] }]);
    expect(sites[0]?.detections[0]?.additional_info).not.toHaveProperty("confidence");
    expect(counts).toEqual({ results: 1, ...none });
  });
  test("whose alert names no place keeps it, and no look at any page closes it", async () => {
    for (const change of [{ instances: [] }, { instances: null }, { instances: [{ uri: "", evidence: "x" }] }]) {
      const [one] = (await read(report(site([alert(change)])))).sites;
      expect(one?.risks).toEqual([["Header missing", "LOW"]]);
      const scope = one?.detections[0]?.scope ?? "";
      const looked = { origin: shop, path: "", rules: ["10021"], content: [], answered: "", erred: "", refused: "", places: 1, whole: true };
      const everywhere = { ...looked, answered: formatScope({ rule: "1", origin: shop, answered: ["/", ""], erred: [] }).split("|")[3] };
      expect([one?.covers(scope), readCoverage(everywhere)(scope)]).toEqual([false, false]);
    }
  });
  test("with an alert that cannot be read keeps the others, counts it and says so; with none that can be read it is refused", async () => {
    const { sites, counts } = await read(
      report(site([alert(), alert({ name: "Odd", riskcode: "9" }), alert({ name: null }), "x", alert({ confidence: "0" })])),
    );
    expect(sites).toMatchObject([{ kind: "partial", risks: [["Header missing", "LOW"]] }]);
    expect(sites[0]?.reason).toContain("3 of the site's alerts could not be read. Odd: riskcode is not a risk of ZAP's, 0 to 3.");
    expect(counts).toEqual({
      results: 5,
      joined: 0,
      left_out: [
        { reason: "called false positives in ZAP", count: 1 },
        { reason: "alerts whose riskcode cannot be read", count: 1 },
        { reason: "alerts whose name cannot be read", count: 1 },
        { reason: "alerts whose form cannot be read", count: 1 },
      ],
    });
    await expect(read(report(site([alert({ riskcode: "9" })]), site([], "http://other.example")))).rejects.toThrow(
      "None of the report's alerts can be read. Header",
    );
  });
  test("that has a site twice joins what it says of it, and it is partial, also where the report is Periscan's", async () => {
    const other = alert({ instances: [{ uri: `${shop}/b` }] });
    const { sites, counts } = await read(report(site([alert()]), site([other])));
    expect(sites).toMatchObject([{ kind: "partial", places: [[`${shop}/a`, `${shop}/b`]] }]);
    expect(counts).toEqual({ results: 2, joined: 1, left_out: [] });
    const own = JSON.parse(readFileSync(new URL("samples/well-made.json", import.meta.url), "utf8"));
    expect((await read(own)).sites).toMatchObject([{ kind: "complete" }]);
    const twice = await read({ ...own, site: [...own.site, ...own.site] });
    expect(twice.sites).toMatchObject([{ kind: "partial" }]);
    expect(twice.counts.results).toBe(2 * own.site[0].alerts.length);
  });
  test("all of whose sites are none is refused by name; with a target its other sites are counted", async () => {
    await expect(read(report(site([alert()], "//shop"), site([], "")))).rejects.toThrow("no site that can be a target: //shop");
    expect((await read(report(site([alert()], "//shop")), "shop.example")).sites).toMatchObject([{ name: "shop.example", risks: [["Header missing", "LOW"]] }]);
    const two = report(site([alert()]), { ...site([alert(), alert()], "http://other.example"), "@host": "other.example" });
    expect((await read(two, "shop.example")).counts).toEqual({ results: 3, joined: 0, left_out: [{ reason: "of other targets than shop.example", count: 2 }] });
  });
});

test("every sample of a report adds up", async () => {
  for (const name of readdirSync(new URL("samples/", import.meta.url)).filter((each) => each.endsWith(".json")))
    expect((await read(readFileSync(new URL(`samples/${name}`, import.meta.url)))).sites.length).toBeGreaterThan(0);
});
