import { readFileSync } from "node:fs";
import { Outcome } from "@periscan/contract/outcome.ts";
import { describe, expect, test } from "vitest";
import { readForTest } from "../kit/testing.ts";
import { readCoverage } from "./coverage.ts";
import { readOpenvasFile } from "./read-openvas-file.ts";
import { view } from "./view.ts";

async function read(file: string | Uint8Array, target?: string) {
  const { outcomes, counts } = await readForTest(readOpenvasFile, file, { type: "OPENVAS", ...(target === undefined ? {} : { target }) });
  for (const { outcome } of outcomes) {
    Outcome.parse(outcome);
    for (const { detail } of outcome.detections) view(detail);
  }
  const hosts = outcomes.map(({ target: name, outcome: { kind, reason, coverage, detections, notes } }) => ({
    name,
    kind,
    reason,
    notes,
    covers: readCoverage(coverage),
    risks: detections.map(({ key, threat_level }) => [key.split(":").at(-1), threat_level]),
    detections,
  }));
  return { hosts, counts };
}
const sample = (name: string) => readFileSync(new URL(`samples/import/${name}.xml`, import.meta.url), "utf8");

interface Given {
  host?: string;
  port?: string;
  oid?: string;
  threat?: string;
  severity?: string | undefined;
  qod?: string;
  nvt?: string;
}

const result = ({ host = "192.0.2.30", port = "443/tcp", oid = "1.1", threat = "High", severity = "7.5", qod = "80", nvt = "" }: Given = {}) =>
  `<result><name>A test</name><host>${host}</host><port>${port}</port><nvt oid="${oid}"><name>A test</name>${nvt}</nvt><threat>${threat}</threat>` +
  `${severity === "" ? "" : `<severity>${severity}</severity>`}<qod><value>${qod}</value></qod><description>seen</description></result>`;
const ended = (address: string, details = "") => `<host><ip>${address}</ip><end>2026-01-02T03:04:05Z</end>${details}</host>`;
const report = (results: string, hosts = ended("192.0.2.30")) =>
  `<report><report><scan_run_status>Done</scan_run_status>${hosts}<results>${results}</results></report></report>`;
const none = { joined: 0, left_out: [] };

describe("a file that others met", () => {
  test.each<[string, object, number]>([
    ["cve-element", { kind: "complete", risks: [["443/tcp", "HIGH"]] }, 1],
    [
      "empty-threat",
      {
        kind: "complete",
        risks: [
          ["443/tcp", "HIGH"],
          ["443/tcp", "MEDIUM"],
        ],
      },
      2,
    ],
    ["host-details", { kind: "complete", risks: [["443/tcp", "HIGH"]] }, 1],
    ["no-qod", { kind: "complete", risks: [["443/tcp", "HIGH"]] }, 1],
    [
      "port-with-name",
      {
        kind: "complete",
        risks: [
          ["80/tcp", "HIGH"],
          ["445/tcp", "HIGH"],
        ],
      },
      2,
    ],
  ])("%s is read as what was there, and closes nothing", async (name, host, results) => {
    const { hosts, counts } = await read(sample(name));
    expect(hosts).toMatchObject([{ name: "192.0.2.30", ...host }]);
    expect(counts).toEqual({ results, ...none });
    for (const scope of ["443/tcp", "1.3.6.1.4.1.25623.1.0.900009:443/tcp"]) expect(hosts[0]?.covers(scope)).toBe(false);
  });
  test("has the CVEs, links and numbers of Bugtraq that old reports list as text", async () => {
    const [host] = (await read(sample("cve-element"))).hosts;
    expect(host?.detections).toMatchObject([
      {
        references: [
          "https://nvd.nist.gov/vuln/detail/CVE-2014-0224",
          "https://nvd.nist.gov/vuln/detail/CVE-2014-3470",
          "https://example.org/a",
          "https://example.org/b",
        ],
        additional_info: { cve: ["CVE-2014-0224", "CVE-2014-3470"], bid: ["67899"] },
      },
    ]);
  });
  test("without a quality of detection says that it is not known", async () => {
    const [detection] = (await read(sample("no-qod"))).hosts[0]?.detections ?? [];
    expect(detection?.additional_info).not.toHaveProperty("qod");
    expect(view(detection?.detail)[0]).toMatchObject({ rows: expect.arrayContaining([["Quality of detection", "not known"]]) });
  });
});

describe("a result of a report", () => {
  const first = async (given: Given) => (await read(report(result(given)))).hosts[0];

  test.each<[string, Given, string]>([
    ["an empty threat goes by its severity", { threat: "", severity: "9.8" }, "CRITICAL"],
    ["a threat that is not known goes by its severity", { threat: "Hoch", severity: "5.0" }, "MEDIUM"],
    ["no severity has that of its test", { severity: "", nvt: "<cvss_base>6.8</cvss_base>" }, "MEDIUM"],
    ["neither has its threat's level", { severity: "", threat: "Medium" }, "MEDIUM"],
    ["a level and a severity of 0 has the level", { severity: "0.0", threat: "High" }, "HIGH"],
    ["a quality of detection that is none is kept", { qod: "high" }, "HIGH"],
    ["a port in the middle of names is kept", { port: "microsoft-ds (smb) (443/tcp)" }, "HIGH"],
  ])("with %s", async (_title, given, level) => {
    expect(await first(given)).toMatchObject({ kind: "complete", risks: [["443/tcp", level]] });
  });
  test("of a scan of products has its CVE", async () => {
    expect(await first({ oid: "CVE-2026-10003", port: "general/tcp" })).toMatchObject({
      detections: [{ references: ["https://nvd.nist.gov/vuln/detail/CVE-2026-10003"], additional_info: { cve: ["CVE-2026-10003"] } }],
    });
  });
  test("that is no risk is counted with why", async () => {
    const others = [
      { threat: "Log", severity: "0.0" },
      { threat: "", severity: "0.0" },
      { threat: "False Positive", severity: "-1.0" },
      { threat: "", severity: "-1.0" },
      { qod: "30", oid: "1.2" },
    ];
    const { hosts, counts } = await read(report([{}, {}, ...others].map(result).join("")));
    expect(hosts).toMatchObject([{ kind: "complete", risks: [["443/tcp", "HIGH"]], notes: [expect.stringContaining("1 results with a quality")] }]);
    expect(counts).toEqual({
      results: 7,
      joined: 1,
      left_out: [
        { reason: "log entries, which are no risk", count: 2 },
        { reason: "called false positives in the report", count: 2 },
        { reason: "with a quality of detection below 70 %", count: 1 },
      ],
    });
  });
  test("that cannot be read makes its host partial, is counted, and costs no other", async () => {
    const broken = [
      { threat: "", severity: "" },
      { port: "443/tcp/x y" },
      { port: "70000/tcp" },
      { oid: "é" },
      { oid: "0" },
      { threat: "Alarm", severity: "", oid: "1.3" },
      { threat: "Error", severity: "-3.0" },
    ];
    const { hosts, counts } = await read(report([{}, ...broken, { host: "192.0.2.31" }].map(result).join(""), ended("192.0.2.30") + ended("192.0.2.31")));
    expect(hosts).toMatchObject([
      { kind: "partial", risks: [["443/tcp", "HIGH"]] },
      { name: "192.0.2.31", kind: "complete", risks: [["443/tcp", "HIGH"]] },
    ]);
    expect(hosts[0]?.reason).toContain("A test has neither a threat nor a severity that is known: none. A test has a port that is none: 443/tcp/x y.");
    expect(hosts[0]?.reason).toContain("1 more results could not be read. A test failed: seen");
    expect(counts).toMatchObject({ results: 9, left_out: expect.arrayContaining([{ reason: "without a severity", count: 1 }]) });
    expect(counts.left_out).toHaveLength(6);
    const alone = await read(report(result({ threat: "Alarm", severity: "" })));
    expect(alone.hosts[0]?.reason).toBe("A test (1.1:443/tcp) hit, but the scanner gave it no severity: look at that port yourself.");
  });
  test("of a host that is no address is left out, and where there is no other host the report is refused by its name", async () => {
    const { hosts, counts } = await read(report(result() + result({ host: "fe80::1%eth0" }), ended("192.0.2.30") + ended("server")));
    expect(hosts).toMatchObject([{ name: "192.0.2.30", kind: "complete" }]);
    expect(counts).toEqual({ results: 2, joined: 0, left_out: [{ reason: "of a host that is no address: fe80::1%eth0", count: 1 }] });
    await expect(read(report(result({ host: "server" }), ended("server")))).rejects.toThrow("no host that is an address: server");
  });
  test("of another target than the one that was named is counted as that", async () => {
    const two = report(result() + result({ host: "192.0.2.31" }), ended("192.0.2.30") + ended("192.0.2.31"));
    expect((await read(two, "192.0.2.31")).counts).toEqual({ results: 2, joined: 0, left_out: [{ reason: "of other targets than 192.0.2.31", count: 1 }] });
  });
});

test("what is not read is not kept, however much there is of it, nor under what name", async () => {
  const details = "<detail><name>EXIT_CODE</name><source><type>nvt</type></source></detail>".repeat(50_000);
  const references = `<refs>${'<ref type="cve" id="CVE-2026-10003"/>'.repeat(20_000)}</refs><__proto__/><constructor/>`;
  const { hosts } = await read(report(result({ nvt: references }), `${ended("192.0.2.30", details)}<constructor><host/></constructor>`));
  expect(hosts).toMatchObject([{ kind: "complete", risks: [["443/tcp", "HIGH"]] }]);
});

test("every report of Periscan's own and of Greenbone's adds up", async () => {
  for (const name of ["foreign-ids", "greenbone", "hostile", "many", "none", "one", "silent", "timed-out", "unreachable"])
    expect((await read(readFileSync(new URL(`samples/reports/${name}.xml`, import.meta.url), "utf8"))).hosts.length).toBeGreaterThan(0);
});
