import type { Outcome } from "@periscan/contract/outcome.ts";
import { describe, expect, test } from "vitest";
import { describeCoverage, type FeedCoverage, readCoverage } from "./coverage.ts";
import { listTcp } from "./judge-ports.ts";
import type { SecondLook } from "./look-again.ts";
import { Options } from "./options.ts";
import type { ScanResult, TestFacts } from "./read-answers.ts";
import { readOutcome } from "./read-outcome.ts";

const set = "a".repeat(16);
const feed: FeedCoverage = { name: "Feed", version: "202601010000", tests: 100, origin: "user", set, includes: [set], dropped: [], since: "000000000000" };
const facts = { family: "", summary: "", insight: "", impact: "", affected: "", solution: "", solutionType: "", method: "", qodType: "", vector: "" };
const tests = new Map<string, TestFacts>([["1.1", { oid: "1.1", name: "A test", cves: [], urls: [], ...facts }]]);

const result = (port: string, type: ScanResult["type"] = "log"): ScanResult => ({
  type,
  host: "192.0.2.1",
  hostname: "",
  port,
  oid: "1.1",
  name: "A test",
  severity: type === "alarm" ? "5.0" : "",
  qod: type === "alarm" ? "80" : "",
  uri: "",
  text: "seen",
});

interface Look {
  /** Absent: all that was seen is open still. */
  look?: SecondLook | undefined;
  options?: object;
}

/** What a scan to the end tells that saw this. */
function read(results: ScanResult[], { options = {}, ...given }: Look = {}): Outcome {
  const look = "look" in given ? given.look : { asked: listTcp(results), open: listTcp(results) };
  const run = { options: Options.parse(options), feed, tests, errors: [], notes: [], ...(look ? { look } : {}) };
  return readOutcome({ address: "192.0.2.1", started: true, ended: true, cut: false, results }, run);
}
const closes = ({ coverage }: Outcome, ...ports: string[]) => ports.filter((port) => readCoverage(coverage)(port));

describe("a host of which no TCP port answered", () => {
  test("is not looked at on any by an alarm over ICMP", () => {
    const outcome = read([result("general/icmp", "alarm")]);
    expect(closes(outcome, "443/tcp")).toEqual([]);
    expect(outcome).toMatchObject({ kind: "complete", notes: [expect.stringContaining("no scanned port answered")] });
    expect(describeCoverage(outcome.coverage)).toContain("All 65,535 TCP ports (no sure answer)");
    // What has no port goes by the ports, too.
    const general = outcome.detections[0]?.scope ?? "";
    expect(closes(outcome, general)).toEqual([]);
    expect(closes(read([result("22/tcp")]), general)).toEqual([general]);
  });
  test("nor by a port 0, nor by one of UDP", () => {
    expect(closes(read([result("0/tcp")]), "443/tcp")).toEqual([]);
    const outcome = read([result("161/udp")], { options: { udp_ports: "161" } });
    expect(closes(outcome, "443/tcp", "161/udp")).toEqual(["161/udp"]);
    expect(outcome.notes).toEqual([expect.stringContaining("no scanned TCP port answered")]);
  });
});

describe("UDP", () => {
  const options = { udp_ports: "53,161" };
  test("that is silent closes nothing, and the outcome says so", () => {
    const outcome = read([result("22/tcp"), result("53/udp")], { options });
    expect(closes(outcome, "22/tcp", "443/tcp", "53/udp", "161/udp")).toEqual(["22/tcp", "443/tcp", "53/udp"]);
    expect(outcome.notes).toEqual([expect.stringContaining("UDP ports that did not answer")]);
  });
  test("that answered and is silent now keeps open what has no port and was found beside it", () => {
    const [found] = read([result("22/tcp"), result("53/udp"), result("general/tcp", "alarm")], { options }).detections;
    expect(closes(read([result("22/tcp"), result("53/udp")], { options }), found?.scope ?? "")).toHaveLength(1);
    expect(closes(read([result("22/tcp")], { options }), found?.scope ?? "")).toEqual([]);
  });
});

describe("a second look", () => {
  const seen = [result("22/tcp"), result("80/tcp")];
  test("takes a port for looked at where it is open at the end, or was not seen twice", () => {
    const outcome = read(seen, { look: { asked: [22, 80, 443], open: [22, 80] } });
    expect(outcome).toMatchObject({ kind: "complete", notes: [] });
    expect(closes(outcome, "22/tcp", "80/tcp", "443/tcp")).toEqual(["22/tcp", "80/tcp", "443/tcp"]);
  });
  test("that sees a port which the scan missed makes the outcome partial, and that port closes nothing", () => {
    const outcome = read(seen, { look: { asked: [22, 80, 443], open: [22, 80, 443] } });
    expect(outcome).toMatchObject({ kind: "partial", reason: expect.stringContaining("did not see TCP port 443, known from before, though it is open") });
    expect(closes(outcome, "22/tcp", "80/tcp", "443/tcp")).toEqual(["22/tcp", "80/tcp"]);
  });
  test("that sees ports where the scan saw none is no host without an answer", () => {
    const outcome = read([], { look: { asked: [443], open: [443] }, options: { alive_test: "consider_alive" } });
    expect(outcome).toMatchObject({ kind: "partial", reason: expect.stringContaining("443") });
    expect(closes(outcome, "22/tcp", "443/tcp")).toEqual([]);
  });
  test("names the ports that died meanwhile, and they close nothing", () => {
    const outcome = read([...seen, result("general/tcp", "alarm")], { look: { asked: [22, 80], open: [22] } });
    expect(outcome).toMatchObject({ kind: "complete", notes: [expect.stringContaining("Open at first and not at the end: TCP port 80.")] });
    // The general result may have gone by that port: a look that lacks it does not close it.
    expect(closes(outcome, "22/tcp", "80/tcp", "443/tcp", outcome.detections[0]?.scope ?? "")).toEqual(["22/tcp", "443/tcp"]);
  });
  test("that sees no port any longer tells of a host that went away", () => {
    const outcome = read(seen, { look: { asked: [22, 80], open: [] } });
    expect(outcome).toMatchObject({ kind: "partial", reason: expect.stringContaining("stopped answering during the scan") });
    expect(closes(outcome, "22/tcp", "443/tcp")).toEqual([]);
  });
  test("that was not made of a port, or not at all, closes nothing there", () => {
    const some = read(seen, { look: { asked: [22], open: [22] } });
    expect(closes(some, "22/tcp", "80/tcp")).toEqual(["22/tcp"]);
    expect(some.notes).toEqual([expect.stringContaining("1 of the open TCP ports was not looked at again")]);
    const none = read(seen, { look: undefined });
    expect(closes(none, "22/tcp", "443/tcp")).toEqual([]);
    expect(none.notes).toEqual([expect.stringContaining("no test that tells of open ports")]);
  });
});
