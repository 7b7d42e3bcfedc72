import { describe, expect, test } from "vitest";
import { makeScope, readCoverage } from "./coverage.ts";
import type { Services } from "./find-services.ts";
import { readTemplate, type Template } from "./find-templates.ts";
import type { Request, RequestEnd } from "./read-log.ts";
import { type RunFacts, readOutcome, type SiteAnswers, type TargetFacts } from "./read-outcome.ts";

const site = "http://shop.example:8080";
const services: Services = { sites: [], ports: [], closed: [], silent: [], unclear: [] };
const template = (id: string, change: Partial<Template> = {}): [string, Template] => [
  `/t/${id}`,
  { id, protocol: "tcp", severity: "high", tags: [], ports: [], fixedPort: false, random: false, readsLast: false, ...change },
];
const run = (requests: Request[]): RunFacts => ({ results: [], requests, chosen: 2, loaded: 2, cut: undefined, broken: [] });
const facts = (change: Partial<TargetFacts>): TargetFacts => ({
  set: { name: "Test", version: "1" },
  templates: new Map([template("web", { protocol: "http" }), template("redis"), template("memcached"), template("ftp", { readsLast: true })]),
  services,
  ...{ runs: [], planned: [], answers: [], mute: [], failing: [], gone: [], opened: [], refused: [] },
  ...change,
});
const isCovered = (outcome: { coverage?: unknown }, id: string, place: string) => readCoverage(outcome.coverage)(makeScope(id, place));

describe("a site that refuses from some time on", () => {
  const look = (answers: Omit<SiteAnswers, "site">) => {
    const requests: Request[] = [{ template: "/t/web", type: "http", input: `${site}/.env`, address: "", end: "answered" }];
    return readOutcome(facts({ services: { ...services, sites: [site] }, runs: [run(requests)], answers: [{ site, ...answers }] }));
  };
  test.each([
    [200, 429],
    [200, 403],
    [302, 401],
    [404, 503],
    [undefined, 403],
    [401, 403],
    [503, 503],
    [429, 429],
  ])("is partial and closes nothing: %s, then %s", (before, after) => {
    const outcome = look({ before, after });
    expect([outcome.kind, isCovered(outcome, "web", site)]).toEqual(["partial", false]);
    for (const status of [before ?? "gave no answer", after]) expect(outcome.reason).toContain(`${status}`);
  });
  test("is partial where it gives no answer any more", () => expect(look({ before: 200, after: undefined }).kind).toBe("partial"));
  test.each([
    [200, 200],
    [403, 403],
    [401, 200],
    [500, 500],
    [200, 404],
    [undefined, undefined],
  ])("is not one that answers as before, or better: %s, then %s", (before, after) => {
    const outcome = look({ before, after });
    expect([outcome.kind, isCovered(outcome, "web", site)]).toEqual(["complete", true]);
  });
});

describe("a network template closes a risk of a port", () => {
  const look = (ends: [id: string, end: RequestEnd][], change: Partial<TargetFacts> = {}) => {
    const requests = ends.map(([id, end]): Request => ({ template: `/t/${id}`, type: "tcp", input: "127.0.0.1:6379", address: "127.0.0.1:6379", end }));
    return readOutcome(facts({ services: { ...services, ports: [6379] }, runs: [run(requests)], ...change }));
  };
  test.each<RequestEnd>(["unanswered", "hung up"])("only where it was answered itself, and not where it was %s", (end) => {
    const outcome = look([
      ["redis", "answered"],
      ["redis", end],
      ["memcached", "answered"],
    ]);
    expect(outcome.kind).toBe("complete");
    expect([isCovered(outcome, "redis", "tcp:6379"), isCovered(outcome, "memcached", "tcp:6379")]).toEqual([false, true]);
    expect(outcome.notes.join()).toContain("1 ");
  });
  test("also where the connection ends after an exchange that it had whole", () => {
    const outcome = look([
      ["ftp", "answered"],
      ["ftp", "hung up"],
    ]);
    expect([outcome.kind, isCovered(outcome, "ftp", "tcp:6379"), outcome.notes.join()]).toEqual(["complete", true, expect.not.stringContaining("hung up")]);
  });
  test("and never where none of them was answered, which is partial", () => {
    const ends: [string, RequestEnd][] = [
      ["redis", "answered"],
      ["redis", "unanswered"],
    ];
    expect(look(ends)).toMatchObject({ kind: "partial", reason: expect.stringContaining("TCP port 6379") });
    expect(look(ends, { mute: [6379] }).kind).toBe("unreachable");
  });
});

test("a port that was not looked at makes the outcome partial, and is named", () => {
  const requests: Request[] = [{ template: "/t/web", type: "http", input: `${site}/`, address: "", end: "answered" }];
  const seen = { services: { ...services, sites: [site] }, runs: [run(requests)] };
  expect(readOutcome(facts(seen)).kind).toBe("complete");
  const unclear = readOutcome(facts({ ...seen, services: { ...seen.services, unclear: [8443] } }));
  expect([unclear.kind, unclear.reason]).toEqual(["partial", expect.stringMatching(/8443.*TLS/)]);
  const opened = readOutcome(facts({ ...seen, opened: [6380] }));
  expect([opened.kind, opened.reason]).toEqual(["partial", expect.stringContaining("6380")]);
});

test.each([
  ["reads each answer", "- data: a\n        read: 9\n      - read: 8\n        data: b", true],
  ["does not read the last answer", "- data: a\n        read: 9\n      - data: b", false],
  ["reads none", "- data: a", false],
])("a network template that %s", (_what, inputs, readsLast) => {
  const text = `id: x\ntcp:\n  - inputs:\n      ${inputs}\n    host:\n      - "{{Hostname}}"\n    read-size: 4\n    matchers:\n      - type: word\n        words: ["x"]\n`;
  expect(readTemplate(text)?.readsLast).toBe(readsLast);
});
