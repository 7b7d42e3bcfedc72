import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { readForTest } from "../kit/testing.ts";
import { readCoverage } from "./coverage.ts";
import { readOpenvasFile } from "./read-openvas-file.ts";
import { type ReportOutcome, readOpenvasXml } from "./read-openvas-xml.ts";

const sample = (name: string) => readFileSync(new URL(`samples/reports/${name}.xml`, import.meta.url), "utf8");

async function* bytesOf(text: string): AsyncIterable<Uint8Array> {
  yield Buffer.from(text);
}
async function read(text: string): Promise<ReportOutcome[]> {
  const hosts: ReportOutcome[] = [];
  for await (const host of readOpenvasXml(bytesOf(text))) hosts.push(host);
  return hosts;
}

/** As gvmd writes them; those of the scan as a whole have an empty host. */
const error = (description: string, host = "") =>
  `<error><host>${host}<asset asset_id=""/></host><port></port><description>${description}</description>` +
  `<nvt oid=""><type>nvt</type><name></name><cvss_base></cvss_base></nvt><scan_nvt_version></scan_nvt_version><severity>-3.0</severity></error>`;
const withErrors = (...errors: string[]) =>
  sample("greenbone").replace(/<errors>.*?<\/errors>/s, `<errors><count>${errors.length}</count>${errors.join("")}</errors>`);

test("what a report of Greenbone's tells is closed by no scan: it does not say by which feed, logins and settings it was found", async () => {
  const feed = {
    name: "Greenbone Community Feed",
    version: "202901010000",
    tests: 200_000,
    origin: "official",
    set: "a".repeat(16),
    includes: [],
    dropped: [],
    since: "000000000000",
  };
  const coverage = { source: "scan", tcp: "1-65535", udp: "", sure: { tcp: "1-65535", udp: "" }, answered: true, feed, below: [] };
  const scopes = (await read(sample("greenbone"))).flatMap(({ outcome }) => outcome.detections.map(({ scope }) => scope));
  expect(scopes.map((scope) => readCoverage(coverage)(scope))).toEqual([false]);
});

describe("an error in a report of Greenbone's", () => {
  test("that names no host is one of the whole scan: each host is partial, and keeps what was found", async () => {
    const [host, ...more] = await read(withErrors(error("Task interrupted unexpectedly"), error("Task interrupted unexpectedly")));
    expect(more).toEqual([]);
    expect(host).toMatchObject({
      address: "127.0.0.1",
      outcome: { kind: "partial", reason: "The report's scan had an error: Task interrupted unexpectedly." },
    });
    expect(host?.outcome.detections).toHaveLength(1);
  });
  test("that names a host is of that host, and one that names something else is of the whole scan", async () => {
    expect(await read(withErrors(error("NVT timed out", "127.0.0.1")))).toMatchObject([
      { outcome: { kind: "partial", reason: "A test failed: NVT timed out" } },
    ]);
    expect(await read(withErrors(error("NVT timed out", "nowhere")))).toMatchObject([
      { outcome: { kind: "partial", reason: "The report's scan had an error: nowhere: NVT timed out." } },
    ]);
  });
  test("that kept the scan from starting is the reason why the report has no host", async () => {
    const text = `<report><report><scan_run_status>Interrupted</scan_run_status><errors>${error("Could not connect to Scanner")}</errors></report></report>`;
    await expect(readForTest(readOpenvasFile, text, { type: "OPENVAS" })).rejects.toThrow(
      "The report has no host. The report's scan had an error: Could not connect to Scanner.",
    );
  });
});
