import { readFileSync } from "node:fs";
import type { ScanType } from "@periscan/contract/scan.ts";
import { describe, expect, test } from "vitest";
import { readForTest } from "../kit/testing.ts";
import { readCoverage } from "./coverage.ts";
import { readNmapFile } from "./read-nmap-file.ts";

const up = (address: string, content: string, { ended = 1_795_526_371, state = '<status state="up" reason="echo-reply"/>', more = "" } = {}) =>
  `<host endtime="${ended}"${more}>${state}<address addr="${address}" addrtype="ipv4"/>${content}</host>`;
const named = (name: string) => `<hostnames><hostname name="${name}" type="user"/></hostnames>`;
const port = (number: number | string, protocol = "tcp", state = "open", service = "") =>
  `<port protocol="${protocol}" portid="${number}"><state state="${state}" reason="syn-ack"/>${service}</port>`;
const scope = (type: string, services: string, protocol = "tcp") => `<scaninfo type="${type}" protocol="${protocol}" numservices="9" services="${services}"/>`;
const whole = (content: string, { scanner = "nmap", finished = '<finished exit="success"/>' } = {}) =>
  `<?xml version="1.0"?><!DOCTYPE nmaprun><nmaprun scanner="${scanner}" start="1795526000">${content}<runstats>${finished}</runstats></nmaprun>`;

async function readFile(file: string | Uint8Array, type: ScanType = "NMAP", target?: string) {
  const { outcomes, counts } = await readForTest(readNmapFile, file, { type, ...(target === undefined ? {} : { target }) });
  const hosts = outcomes.map(({ target: name, observedAt, outcome: { kind, reason, coverage, detections, notes } }) => ({
    name,
    kind,
    covers: ["tcp/22", "tcp/80", "tcp/443", "udp/161"].filter(readCoverage(coverage)),
    scopes: detections.map((detection) => detection.scope),
    reason,
    notes,
    observedAt,
  }));
  return { hosts, counts };
}
const read = async (content: string, type?: ScanType, target?: string) => (await readFile(whole(content), type, target)).hosts;
const sample = (name: string) => readFileSync(new URL(`samples/import/${name}.xml`, import.meta.url));

const both = ["tcp/22", "tcp/443"];
const all = ["tcp/22", "tcp/80", "tcp/443"];
const complete = (name: string) => ({ name, kind: "complete", covers: all, scopes: both });
const none = { joined: 0, left_out: [] };

describe("a file that others met", () => {
  test.each<[string, object[], object]>([
    ["doctype-public", [complete("192.0.2.24")], { results: 2, ...none }],
    ["finished-without-exit", [complete("192.0.2.11")], { results: 2, ...none }],
    ["host-twice-other-ports", [complete("192.0.2.13")], { results: 2, ...none }],
    [
      "ipv6-zone",
      [complete("2001:db8::7")],
      { results: 4, joined: 0, left_out: [{ reason: "of a host whose address cannot be a target: fe80::1%eth0", count: 2 }] },
    ],
    [
      "masscan",
      [{ name: "192.0.2.14", kind: "partial", reason: expect.stringContaining("written by masscan"), scopes: ["tcp/22", "tcp/443", "tcp/8080"] }],
      { results: 3, ...none },
    ],
    ["sctp-beside-tcp", [complete("192.0.2.10")], { results: 3, joined: 0, left_out: [{ reason: "open SCTP ports, which no scan type is for", count: 1 }] }],
    ["two-names-one-address", [complete("a.example"), complete("b.example")], { results: 4, ...none }],
    ["zenmap", [complete("192.0.2.23")], { results: 2, ...none }],
  ])("%s is read as what was there", async (name, hosts, counts) => {
    const seen = await readFile(sample(name));
    expect(seen).toMatchObject({ hosts, counts });
    expect(seen.hosts).toHaveLength(hosts.length);
  });
  test("protocol-scan is refused by its name", async () => {
    await expect(readFile(sample("protocol-scan"))).rejects.toThrow("of a protocol scan (-sO), which tells of no ports");
  });
});

describe("a host that comes twice", () => {
  const twice = (first: string, second: string, scopes = [scope("syn", "1-1000"), ""]) => `${scopes[0]}${first}${scopes[1]}${second}`;
  const ssh = up("192.0.2.1", `<ports>${port(22)}</ports>`);
  const closed443 = up("192.0.2.1", `<ports>${port(443, "tcp", "closed")}</ports>`);

  test("keeps what each entry saw and looked at, of different ports too", async () => {
    expect(await read(twice(ssh, up("192.0.2.1", port(443))))).toMatchObject([{ kind: "complete", covers: all, scopes: both }]);
    expect(await read(twice(ssh, closed443, [scope("syn", "22"), scope("connect", "443")]))).toMatchObject([
      { kind: "complete", covers: both, scopes: ["tcp/22"] },
    ]);
    expect(await read(twice(ssh, closed443, [scope("syn", "22,80"), scope("fin", "443")]))).toMatchObject([{ kind: "partial", scopes: ["tcp/22"] }]);
  });
  test("has an open port once, as the entry saw it that learned most", async () => {
    const probed = '<service name="ssh" product="OpenSSH" method="probed" conf="10"/>';
    for (const [first, second] of [
      [port(22, "tcp", "open", probed), port(22)],
      [port(22), port(22, "tcp", "open", probed)],
    ] as const) {
      const { outcomes, counts } = await readForTest(readNmapFile, whole(twice(up("192.0.2.1", first), up("192.0.2.1", second))), { type: "NMAP" });
      expect(outcomes[0]?.outcome).toMatchObject({ kind: "complete", detections: [{ key: "tcp/22", additional_info: { product: "OpenSSH" } }] });
      expect(outcomes[0]?.outcome.observations).toHaveLength(1);
      expect(counts).toMatchObject({ results: 2, joined: 1 });
    }
    expect(await read(scope("syn", "1-100") + up("192.0.2.1", port(22) + port(22)))).toMatchObject([{ kind: "complete", scopes: ["tcp/22"] }]);
  });
  test.each([
    ["down", up("192.0.2.1", "", { state: '<status state="down" reason="no-response"/>' }), "Once there was no answer"],
    ["cut short", up("192.0.2.1", "", { more: ' timedout="true"' }), "gave up on this host"],
    ["of another day", up("192.0.2.1", port(80), { ended: 1_795_326_371 }), "import each scan by itself"],
  ])("and is %s once closes nothing, in either order, and keeps what was seen", async (_what, other, why) => {
    for (const content of [twice(ssh, other), twice(other, ssh)]) {
      const [host, ...more] = await read(content);
      expect(host).toMatchObject({ kind: "partial", reason: expect.stringContaining(why), scopes: expect.arrayContaining(["tcp/22"]) });
      expect(more).toEqual([]);
      expect(host?.observedAt).toEqual(new Date(1_795_526_371_000));
    }
  });
  test("and was silent once covers only what was looked at where it answered", async () => {
    const silent = up("192.0.2.1", '<extraports state="filtered" count="9"/>');
    expect(await read(twice(ssh, silent, [scope("syn", "22"), scope("syn", "443")]))).toMatchObject([{ kind: "complete", covers: ["tcp/22"] }]);
  });
  test("and is never there is unreachable once", async () => {
    const down = up("192.0.2.1", "", { state: '<status state="down" reason="no-response"/>' });
    expect(await read(twice(down, down))).toMatchObject([{ kind: "unreachable", scopes: [] }]);
  });
  test("of UDP is sure of what either entry heard", async () => {
    const silent = up("192.0.2.1", port(53, "udp") + port(161, "udp", "open|filtered"));
    const closed = up("192.0.2.1", port(53, "udp") + port(161, "udp", "closed"));
    const udp = scope("udp", "53,161", "udp");
    expect(await read(udp + silent + silent, "NMAP_UDP")).toMatchObject([{ kind: "complete", covers: [], scopes: ["udp/53"] }]);
    expect(await read(udp + silent + closed, "NMAP_UDP")).toMatchObject([{ kind: "complete", covers: ["udp/161"], scopes: ["udp/53"] }]);
  });
  test("under a name and by its address is two targets, and under one name at two addresses too; a target that was named is one", async () => {
    const list =
      scope("syn", "1-1000") + up("192.0.2.1", named("a.example") + port(22)) + up("192.0.2.1", port(80)) + up("192.0.2.2", named("A.Example") + port(443));
    const names = (hosts: { name: string; scopes: string[] }[]) => hosts.map(({ name, scopes }) => [name, scopes]);
    expect(names(await read(list))).toEqual([
      ["a.example", ["tcp/22"]],
      ["192.0.2.1", ["tcp/80"]],
      ["192.0.2.2", ["tcp/443"]],
    ]);
    expect(names(await read(list, "NMAP", "192.0.2.1"))).toEqual([["192.0.2.1", ["tcp/22", "tcp/80"]]]);
    expect(names(await read(list, "NMAP", "a.example"))).toEqual([["a.example", ["tcp/22"]]]);
    expect((await readFile(whole(list), "NMAP", "a.example")).counts).toEqual({
      results: 3,
      joined: 0,
      left_out: [{ reason: "of other targets than a.example", count: 2 }],
    });
  });
  test("behind two scans of one protocol is known only where both looked", async () => {
    expect(await read(scope("syn", "22,80") + scope("syn", "80,443") + ssh)).toMatchObject([{ kind: "complete", covers: ["tcp/80"], scopes: ["tcp/22"] }]);
  });
});

describe("what cannot be read", () => {
  test("of a host costs that host its completeness, and no other", async () => {
    const { hosts, counts } = await readFile(
      whole(scope("syn", "1-1000") + up("192.0.2.1", port(22) + port(70_000) + port(1, "x")) + up("192.0.2.2", port(22))),
    );
    expect(hosts).toMatchObject([
      { kind: "partial", reason: "The file has 2 ports of this host that are none: tcp/70000, x/1.", scopes: ["tcp/22"] },
      { kind: "complete", scopes: ["tcp/22"] },
    ]);
    expect(counts).toEqual({ results: 4, joined: 0, left_out: [{ reason: "ports whose number or protocol is none", count: 2 }] });
  });
  test("is a file whose hosts are all none, one of another scan, or one that breaks off: then what is whole is kept", async () => {
    await expect(readFile(whole(scope("syn", "1-9") + up("fe80::1%eth0", port(1))))).rejects.toThrow("no host that can be a target, but results of a host");
    await expect(readFile(whole(scope("sctpinit", "1-9", "sctp") + up("192.0.2.1", port(1, "sctp"))))).rejects.toThrow("but of SCTP");
    await expect(readFile(whole(up("192.0.2.1", "")))).rejects.toThrow("The file is of no scan of TCP ports.");
    const kept: string[] = [];
    const cut = async () => {
      async function* bytes() {
        yield Buffer.from(`<nmaprun scanner="nmap">${scope("syn", "1-9")}${up("192.0.2.1", port(1))}${up("192.0.2.1", port(2))}<host>`);
      }
      const tally = { read: () => {}, join: () => {}, leaveOut: () => {}, counts: () => ({ results: 0, joined: 0, left_out: [] }) };
      for await (const { outcome } of readNmapFile(bytes(), { type: "NMAP", tally })) kept.push(...outcome.detections.map(({ scope: seen }) => seen));
    };
    await expect(cut()).rejects.toThrow("not well formed");
    expect(kept).toEqual(["tcp/1", "tcp/2"]);
    await expect(readFile(whole("", { finished: '<finished exit="error"/>' }))).rejects.toThrow("its scan failed");
    await expect(readFile(whole("", { finished: "" }))).rejects.toThrow("end marker is missing");
  });
  test("is what was scanned, where a program lists open ports alone", async () => {
    expect(await read(up("192.0.2.1", port(22)))).toMatchObject([{ kind: "partial", covers: ["tcp/22"], scopes: ["tcp/22"] }]);
    const other = await readFile(whole(scope("syn", "1-1000") + up("192.0.2.1", port(22), { state: "" }), { scanner: "other" }));
    expect(other.hosts).toMatchObject([{ kind: "partial", reason: expect.stringContaining("written by other"), covers: ["tcp/22"], scopes: ["tcp/22"] }]);
  });
  test("has an element by the name of what every object has", async () => {
    expect(await read(scope("syn", "1-1000") + up("192.0.2.1", `<__proto__/><constructor/>${port(22)}`))).toMatchObject([{ scopes: ["tcp/22"] }]);
  });
});

test("a host without a time of its own has that of the scan's end, or of its start", async () => {
  const host = `${scope("syn", "22")}<host><status state="up"/><address addr="192.0.2.1" addrtype="ipv4"/>${port(22)}</host>`;
  const at = async (finished: string) => (await readFile(whole(host, { finished }))).hosts[0]?.observedAt?.getTime();
  expect(await at('<finished time="1795526999"/>')).toBe(1_795_526_999_000);
  expect(await at("<finished/>")).toBe(1_795_526_000_000);
});

describe("a scan", () => {
  const open = port;
  const one = { name: "192.0.2.1", kind: "complete", covers: all, scopes: ["tcp/80"] };

  test("has port 0 as the port of nothing", async () => {
    expect(await read(scope("syn", "0-1000") + up("192.0.2.1", open(0) + open(80)))).toMatchObject([one]);
    const silent = '<extraports state="open|filtered" count="2"><extrareasons reason="no-response" count="2" proto="udp" ports="0,161"/></extraports>';
    const [udp] = await read(scope("udp", "0,161,53", "udp") + up("192.0.2.1", open(53, "udp") + silent), "NMAP_UDP");
    expect(udp).toMatchObject({ kind: "complete", covers: [], scopes: ["udp/53"] });
  });

  test("tells of TCP and UDP in one group, each for itself", async () => {
    const because = (name: string, protocol: string, ports: string) => `<extrareasons reason="${name}" count="2" proto="${protocol}" ports="${ports}"/>`;
    const two = scope("syn", "22,80,443") + scope("udp", "53,161", "udp");
    const closed = `<extraports state="closed" count="3">${because("port-unreach", "udp", "53")}${because("reset", "tcp", "443")}</extraports>`;
    expect(await read(two + up("192.0.2.1", closed + open(80)))).toMatchObject([one]);
    const filtered = `<extraports state="filtered" count="3">${because("no-response", "tcp", "80,443")}${because("admin-prohibited", "udp", "161")}</extraports>`;
    expect(await read(two + up("192.0.2.1", filtered + open(53, "udp")), "NMAP_UDP")).toMatchObject([{ kind: "complete", covers: [], scopes: ["udp/53"] }]);
  });

  test.each([
    ["ack", "unfiltered"],
    ["fin", "open|filtered"],
    ["window", "closed"],
  ])("of a scan that never says open (%s) closes nothing", async (method, state) => {
    const group = `<extraports state="${state}" count="2"><extrareasons reason="reset" count="2" proto="tcp" ports="80,443"/></extraports>`;
    expect(await read(scope(method, "80,443") + up("192.0.2.1", group))).toMatchObject([{ kind: "partial", scopes: [] }]);
  });

  test("of one host may be of another name, and of no other address", async () => {
    const several = scope("syn", "1-1000") + up("192.0.2.1", open(80)) + up("192.0.2.2", "");
    const single = scope("syn", "1-1000") + up("192.0.2.1", open(80));
    expect(await read(single, "NMAP", "www.example.com")).toMatchObject([{ ...one, name: "www.example.com" }]);
    await expect(read(several, "NMAP", "www.example.com")).rejects.toThrow("tells nothing of www.example.com");
    await expect(read(single, "NMAP", "192.0.2.9")).rejects.toThrow("tells nothing of 192.0.2.9");
  });
});
