import { readdirSync, readFileSync } from "node:fs";
import { Outcome } from "@periscan/contract/outcome.ts";
import { describe, expect, test } from "vitest";
import { readForTest } from "../kit/testing.ts";
import { readCoverage } from "./coverage.ts";
import { readSslyzeFile } from "./read-sslyze-file.ts";
import { type Detail, view } from "./view.ts";

// biome-ignore lint/suspicious/noExplicitAny: a sample is changed at places that its type would hide
type Sample = any;

const sample = (name: string): Sample => JSON.parse(readFileSync(new URL(`samples/${name}.json`, import.meta.url), "utf8"));

async function read(document: Sample, target?: string) {
  const { outcomes, counts } = await readForTest(readSslyzeFile, JSON.stringify(document), { type: "SSLYZE", ...(target === undefined ? {} : { target }) });
  const hosts = outcomes.map(({ target: name, address, outcome }) => {
    Outcome.parse(outcome);
    for (const { detail } of outcome.detections) view(detail);
    return {
      name,
      address,
      kind: outcome.kind,
      reason: outcome.reason,
      notes: outcome.notes,
      risks: outcome.detections.map(({ key }) => key),
      levels: outcome.detections.map(({ threat_level }) => threat_level),
      seenAt: outcome.detections.map(({ detail }) => new Map((detail as Detail).facts).get("Seen at")),
      observed: outcome.observations?.map(({ key }) => key) ?? [],
      covers: readCoverage(outcome.coverage),
    };
  });
  return { hosts, counts };
}

/** The server of a sample, at another address. */
function server(name: string, ip_address: string, change: (server: Sample) => unknown = () => {}): Sample {
  const [first] = sample(name).server_scan_results;
  Object.assign(first.server_location, { hostname: "shop.example", port: 443, ip_address });
  change(first);
  return first;
}
const file = (...servers: Sample[]) => ({ ...sample("none"), server_scan_results: servers });

describe("a file that others met", () => {
  test("same-port-two-addresses has the worse of the two, with where it was seen, and closes only what both decided", async () => {
    const { hosts, counts } = await read(sample("import/same-port-two-addresses"));
    expect(hosts).toMatchObject([{ name: "shop.example", address: "192.0.2.7", kind: "partial", risks: expect.arrayContaining(["tcp/443/tls-1.0"]) }]);
    const [host] = hosts;
    expect(host?.seenAt[host.risks.indexOf("tcp/443/tls-1.0")]).toBe("192.0.2.8");
    expect(["ssl-3.0", "tls-1.1", "heartbleed"].map((check) => host?.covers(`tcp/443/${check}`))).toEqual([true, false, false]);
    expect(counts.left_out).toEqual([]);
  });
  test("version-5 is refused by its version, before anything else", async () => {
    await expect(read(sample("import/version-5"))).rejects.toThrow(/^The file was written by SSLyze 5\.2\.0; only files of SSLyze 6 can be read\.$/);
  });
});

describe("one port at two addresses", () => {
  test("whose looks are both whole is complete, with the worse level, each risk once and each observation once", async () => {
    const accepting = (suites: string[]) => (each: Sample) => {
      const { result } = each.scan_result.tls_1_2_cipher_suites;
      for (const name of suites)
        result.accepted_cipher_suites.push({ cipher_suite: { name, is_anonymous: false, key_size: 128, openssl_name: "x" }, ephemeral_key: null });
    };
    const rc4 = accepting(["TLS_RSA_WITH_RC4_128_SHA"]);
    const one = (await read(file(server("none", "192.0.2.7", rc4)))).hosts[0];
    const { hosts, counts } = await read(file(server("none", "192.0.2.7", rc4), server("none", "192.0.2.8", rc4), server("none", "192.0.2.9")));
    expect(hosts).toMatchObject([
      { kind: "complete", risks: ["tcp/443/cipher-rc4"], levels: one?.levels, seenAt: ["192.0.2.7, 192.0.2.8"], observed: one?.observed },
    ]);
    expect(counts).toEqual({ results: 2, joined: 1, left_out: [] });
    expect(hosts[0]?.covers("tcp/443/robot")).toBe(true);
  });
  test("of which one did not answer, or failed a check, closes nothing that it did not decide", async () => {
    const silent = server("filtered", "192.0.2.8");
    for (const servers of [
      [server("none", "192.0.2.7"), silent],
      [silent, server("none", "192.0.2.7")],
    ]) {
      const [host] = (await read(file(...servers))).hosts;
      expect(host).toMatchObject({ kind: "partial", reason: expect.stringContaining("At 192.0.2.8: It did not answer in time") });
      expect(host?.covers("tcp/443/robot")).toBe(false);
    }
    const failed = server("none", "192.0.2.8", (each) => Object.assign(each.scan_result, { robot: { status: "ERROR", error_reason: "CONNECTIVITY_ISSUE" } }));
    const [host] = (await read(file(server("none", "192.0.2.7"), failed))).hosts;
    expect([host?.kind, host?.covers("tcp/443/robot"), host?.covers("tcp/443/heartbleed")]).toEqual(["partial", false, true]);
    expect((await read(file(silent, silent))).hosts).toMatchObject([{ kind: "unreachable" }]);
  });
});

describe("a server that cannot be read", () => {
  const odd = (each: Sample) => Object.assign(each.scan_result.robot, { status: "MAYBE" });
  test("makes its host partial, and costs no other", async () => {
    const other = server("none", "192.0.2.8", (each) => Object.assign(each.server_location, { port: 8443 }));
    const { hosts, counts } = await read(
      file(
        server("none", "192.0.2.7", odd),
        other,
        server("none", "192.0.2.9", (each) => Object.assign(each.server_location, { hostname: "b.example" })),
      ),
    );
    expect(hosts).toMatchObject([
      { name: "shop.example", kind: "partial", reason: expect.stringMatching(/^Port 443: What the file says of it cannot be read\. .*robot/) },
      { name: "b.example", kind: "complete" },
    ]);
    expect([hosts[0]?.covers("tcp/443/robot"), hosts[0]?.covers("tcp/8443/robot")]).toEqual([false, true]);
    expect(counts).toEqual({ results: 1, joined: 0, left_out: [{ reason: "servers whose entry cannot be read", count: 1 }] });
  });
  test("puts the same port at another address in doubt", async () => {
    const [host] = (await read(file(server("none", "192.0.2.7"), server("none", "192.0.2.8", odd)))).hosts;
    expect([host?.kind, host?.covers("tcp/443/robot")]).toEqual(["partial", false]);
  });
  test("alone is a file that is refused", async () => {
    await expect(read(file(server("none", "192.0.2.7", odd)))).rejects.toThrow(/^This is not a result of SSLyze 6: scan_result\.robot/);
  });
});

test("a server that cannot be a target is left out by name, and alone it is refused by name", async () => {
  const strange = server("weak", "192.0.2.8", (each) => Object.assign(each.server_location, { hostname: "127.1" }));
  const { hosts, counts } = await read(file(server("none", "192.0.2.7"), strange));
  expect(hosts).toMatchObject([{ name: "shop.example", notes: expect.arrayContaining([expect.stringContaining("left out: 127.1.")]) }]);
  expect(counts.left_out).toEqual([{ reason: "of a server that cannot be a target: 127.1", count: counts.results }]);
  await expect(read(file(strange))).rejects.toThrow("The file has no server that can be a target: 127.1.");
  expect((await read(file(server("weak", "192.0.2.7"), strange), "192.0.2.8")).counts.left_out).toMatchObject([{ reason: "of other targets than 192.0.2.8" }]);
});

test("every sample adds up", async () => {
  for (const name of readdirSync(new URL("samples/", import.meta.url)).filter((each) => each.endsWith(".json") && each !== "unresolvable.json"))
    expect((await read(sample(name.replace(".json", "")))).hosts.length).toBeGreaterThan(0);
});
