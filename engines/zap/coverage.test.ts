import { describe, expect, test } from "vitest";
import { type Coverage, describeCoverage, formatScope, joinMarks, readCoverage } from "./coverage.ts";
import { formatStart, formatScope as formatUrls, isInScope, type Origin, readPlace } from "./origin.ts";

const origin = "https://example.com";
const looked = (change: Partial<Coverage> = {}): Coverage => ({
  origin,
  path: "/",
  rules: ["10021", "40012"],
  content: ["ZAP rules 1"],
  answered: joinMarks(["/", "/a", "/b"]),
  erred: joinMarks(["/broken"]),
  refused: joinMarks(["/inner"]),
  places: 5,
  whole: true,
  ...change,
});
const scopeOf = (answered: string[], change: Partial<Parameters<typeof formatScope>[0]> = {}) =>
  formatScope({ rule: "10021-2", origin, answered, erred: [], ...change });

describe("a risk is covered", () => {
  test("where its rule ran and all its pages were fetched", () => {
    expect(readCoverage(looked())(scopeOf(["/a"]))).toBe(true);
    expect(readCoverage(looked())(scopeOf(["/a", "/b", "/"]))).toBe(true);
    expect(readCoverage(looked({ whole: false }))(scopeOf(["/a"]))).toBe(true);
  });
  test.each<[string, string, Partial<Coverage>]>([
    ["a page was not fetched", scopeOf(["/a", "/c"]), {}],
    ["a page answered with an error", scopeOf(["/broken"]), {}],
    ["a page refused", scopeOf(["/inner"]), {}],
    ["a page that failed now refuses", scopeOf([], { erred: ["/inner"] }), {}],
    ["a page that refused now fails", scopeOf([], { refused: ["/broken"] }), {}],
    ["its rule did not run", scopeOf(["/a"]), { rules: ["40012"] }],
    ["its rule only shares the beginning of its number", scopeOf(["/a"], { rule: "1002" }), {}],
    ["it is on another port", scopeOf(["/a"], { origin: `${origin}:8443` }), {}],
    ["it is on the other scheme", scopeOf(["/a"]), { origin: "http://example.com" }],
    ["it names no page", scopeOf([]), {}],
  ])("not where %s", (_why, scope, change) => expect(readCoverage(looked(change))(scope)).toBe(false));

  test("where it was seen on an error page, by any answer of that page", () => {
    expect(readCoverage(looked())(scopeOf([], { erred: ["/broken", "/a"] }))).toBe(true);
    expect(readCoverage(looked())(scopeOf([], { erred: ["/gone"] }))).toBe(false);
  });
  test("where it was seen on a refusal, by another refusal of that page, or a page", () => {
    expect(readCoverage(looked())(scopeOf(["/a"], { refused: ["/inner", "/b"] }))).toBe(true);
    expect(readCoverage(looked())(scopeOf(["/a"], { refused: ["/gone"] }))).toBe(false);
    // What was kept before refusals were told apart.
    expect(readCoverage({ ...looked(), refused: undefined })(scopeOf(["/a"], { erred: ["/broken"] }))).toBe(true);
  });
  test("where it is on more pages than fit, only by a whole look at as many", () => {
    const many = Array.from({ length: 500 }, (_, index) => `/page/${index}`);
    const scope = scopeOf(many);
    expect(scope.length).toBeLessThanOrEqual(500);
    const all = { answered: joinMarks(many), places: 500 };
    expect(readCoverage(looked(all))(scope)).toBe(true);
    expect(readCoverage(looked({ ...all, whole: false }))(scope)).toBe(false);
    expect(readCoverage(looked({ ...all, places: 499 }))(scope)).toBe(false);
    expect(readCoverage(looked({ ...all, answered: joinMarks(many.slice(0, 100)) }))(scope)).toBe(false);
  });
  test("by nothing that is no coverage, and in no scope that is none", () => {
    for (const value of [undefined, null, {}, "x", { ...looked(), rules: "10021" }]) expect(readCoverage(value)(scopeOf(["/a"]))).toBe(false);
    for (const scope of ["", "tcp/80", "10021|", "|||", "fetch|https://example.com|1||"]) expect(readCoverage(looked())(scope)).toBe(false);
  });
  test("of a long host name, too", () => {
    const long = `https://${"a.".repeat(120)}example:65535`;
    const scope = scopeOf(["/a"], { origin: long });
    expect(scope.length).toBeLessThan(500);
    expect(readCoverage(looked({ origin: long }))(scope)).toBe(true);
    expect(readCoverage(looked({ origin: long.replace("65535", "65534") }))(scope)).toBe(false);
  });
});

test("coverage is told in words", () => expect(describeCoverage(looked({ places: 1 }))).toBe("https://example.com/: 1 page, 2 rules (ZAP rules 1)"));

describe("what belongs to a target", () => {
  const site = (change: Partial<Origin> = {}): Origin => ({ scheme: "https", host: "example.com", port: 443, path: "/app/", ...change });
  test.each([
    ["https://example.com/app", true],
    ["https://example.com/app/", true],
    ["https://example.com/app?x=1", true],
    ["https://example.com/app/a/b#c", true],
    ["https://example.com:443/app/a", true],
    ["https://example.com/apple", false],
    ["https://example.com/", false],
    ["https://example.com:8443/app/", false],
    ["http://example.com/app/", false],
    ["https://example.com.evil.test/app/", false],
    ["https://example.com@evil.test/app/", false],
    ["https://exampleXcom/app/", false],
    ["https://evil.test/?https://example.com/app/", false],
  ])("%s: %s", (url, belongs) => expect(isInScope(url, site())).toBe(belongs));

  test("of a whole site is all of it, whatever its port or address", () => {
    const whole = site({ host: "::1", port: 8080, scheme: "http", path: "/?start=1" });
    expect(formatStart(whole)).toBe("http://[::1]:8080/?start=1");
    expect([isInScope("http://[::1]:8080", whole), isInScope("http://[::1]:8080/x", whole), isInScope("http://[::1]:80801/x", whole)]).toEqual([
      true,
      true,
      false,
    ]);
  });
  test("has no character of a path as a part of the expression", () => {
    const odd = site({ path: "/a+b(c)|d.*{1}/" });
    expect(isInScope("https://example.com/a+b(c)|d.*{1}/x", odd)).toBe(true);
    expect(isInScope("https://example.com/d", odd)).toBe(false);
    // Java knows no `\\/` or `\\a` of its own making: only signs are escaped.
    expect(formatUrls(odd)).not.toMatch(/\\[A-Za-z0-9/]/);
  });
});

test.each([
  ["https://h/a?b=2&a=1#x", "/a?a=1&b=2"],
  ["https://h", "/"],
  ["https://h?x", "/?x="],
  ["https://h/p?page=about&sid=8f14e45fceea167a&t=1795558895", "/p?page=about&sid=*&t=*"],
])("%s is the place %s in every scan", (url, place) => expect(readPlace(url)).toBe(place));
