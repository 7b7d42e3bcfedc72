import { describe, expect, test } from "vitest";
import { readCoverage, scopeOf } from "./coverage.ts";
import { compare, type FeedIndex, sinceOf } from "./feed.ts";

const makeIndex = (version: string, tests: string[], kept?: FeedIndex): FeedIndex => {
  const set = version.slice(-6).padStart(16, "0");
  const name = { name: "Greenbone Community Feed", version, vendor: "Greenbone AG" };
  return { ...name, digest: "", set, families: [], tests, ...compare(kept, { set, tests, version }) };
};
const numbered = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => `1.${from + index}`);

/** Whether a scan with this feed closes a risk that the test found with the other. */
function closes(index: FeedIndex, oid: string, found: FeedIndex): boolean {
  const coverageOf = (each: FeedIndex) => {
    const { name, version, tests, set, includes, dropped } = each;
    const feed = { name, version, tests: tests.length, origin: "official" as const, set, includes, dropped, since: sinceOf(each) };
    return { source: "scan" as const, tcp: "1-65535", udp: "", sure: { tcp: "1-65535", udp: "" }, answered: true, feed, below: [] };
  };
  return readCoverage(coverageOf(index))(scopeOf(oid, "443/tcp", coverageOf(found)));
}

describe("a feed that is newer and larger", () => {
  const old = makeIndex("202601010000", numbered(0, 1000));
  test("closes what its tests looked at, and not what it lost", () => {
    const next = makeIndex("202601020000", numbered(10, 1200), old);
    expect(closes(next, "1.500", old)).toBe(true);
    expect(closes(next, "1.5", old)).toBe(false);
  });
  test("and lost more than is kept closes nothing of the old one, and nor do those that follow it", () => {
    const next = makeIndex("202601020000", numbered(600, 2000), old);
    const third = makeIndex("202601030000", numbered(600, 2100), next);
    for (const index of [next, third]) for (const oid of ["1.5", "1.700"]) expect(closes(index, oid, old)).toBe(false);
    expect(closes(third, "1.700", next)).toBe(true);
    // Found by another worker, with a feed of after the loss that this one has not seen.
    expect(closes(third, "1.700", makeIndex("202601020600", numbered(600, 2050)))).toBe(true);
  });
  test("whose index is of a version that did not tell of such a loss is taken to have had one", () => {
    const { since: _, ...before } = makeIndex("202601020000", numbered(0, 1200));
    expect(closes(before, "1.5", old)).toBe(false);
    expect(closes(makeIndex("202601030000", numbered(0, 1300), before), "1.5", old)).toBe(false);
    expect(closes(makeIndex("202601030000", numbered(0, 1300), before), "1.5", before)).toBe(true);
  });
});
