import { describe, expect, test } from "vitest";
import { serviceForTest } from "../kit/testing.ts";
import { makeScope, readCoverage } from "./coverage.ts";
import type { Services } from "./find-services.ts";
import { readTemplate, type Template } from "./find-templates.ts";
import { describeOverload, readThreads } from "./measure-load.ts";
import type { Request, RequestEnd } from "./read-log.ts";
import { type RunFacts, readOutcome, type SiteAnswers, type TargetFacts } from "./read-outcome.ts";

const site = "http://shop.example:8080";
const services: Services = { sites: [], ports: [], closed: [], silent: [], unclear: [], mute: [], spared: [] };
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
  ...{ known: [], udp: [], overload: undefined },
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

describe("the reason of a site that was not looked at", () => {
  const requests: Request[] = ["/a", "/b"].map((path) => ({ template: "/t/web", type: "http", input: `${site}${path}`, address: "", end: "unanswered" }));
  const seen = { services: { ...services, sites: [site], ports: [22] } };
  const redis: Request = { template: "/t/redis", type: "tcp", input: "127.0.0.1:22", address: "127.0.0.1:22", end: "answered" };
  const look = (change: Partial<TargetFacts>) => readOutcome(facts({ ...seen, runs: [run([...requests, redis])], ...change }));
  test.each([
    [200, 429, /answered 200 before .* answered 429 afterwards: it limits how many requests it takes.*smaller options\.rate_limit/],
    [200, 503, /answered 503 afterwards: what stands before it calls it down or overloaded.*smaller options\.rate_limit/],
    [503, 503, /answered 503 before and after the templates ran: .*See that it is up/],
    [503, undefined, /answered 503 before the templates ran and gave no answer afterwards/],
  ])("names the statuses: %s, then %s", (before, after, reason) => expect(look({ answers: [{ site, before, after }] }).reason).toMatch(reason));
  test("names them also where nothing was answered at all", () => {
    const outcome = look({ runs: [run(requests)], answers: [{ site, before: 503, after: 503 }] });
    expect(outcome).toMatchObject({ kind: "unreachable", reason: expect.stringContaining("503 before and after") });
  });
  test("is the worker's own trouble where it had any, and else the rate", () => {
    expect(look({}).reason).toContain("Scan again with a smaller options.rate_limit.");
    const overload = describeOverload({ stoodStillSeconds: 6, ranSeconds: 2, waitedSeconds: 9 }, 10);
    expect(overload).toMatch(/stood still for 6\.0 s, and let Nuclei wait for a processor for 9\.0 s, which ran for 2\.0 s/);
    const { reason } = look({ overload });
    expect([reason?.includes(overload ?? "none"), reason?.includes("rate_limit")]).toEqual([true, false]);
  });
  test.each([[{ stoodStillSeconds: 4.9, ranSeconds: 0, waitedSeconds: 4.9 }], [{ stoodStillSeconds: 0, ranSeconds: 20, waitedSeconds: 19 }]])(
    "is not the worker's where it kept up: %j",
    (load) => expect(describeOverload(load, 10)).toBeUndefined(),
  );
});

test("how long threads ran and waited is read of a process that runs", () => {
  const [first] = readThreads(process.pid);
  expect(first?.[1][0]).toBeGreaterThan(0);
  expect(readThreads(2 ** 30)).toEqual([]);
});

describe("an open port that no template is for", () => {
  const rpcbind = serviceForTest(111, { name: "rpcbind" });
  const page: Request = { template: "/t/web", type: "http", input: `${site}/`, address: "", end: "answered" };
  const ask = (port: number, end: RequestEnd): Request => ({
    template: "/t/redis",
    type: "tcp",
    input: `127.0.0.1:${port}`,
    address: `127.0.0.1:${port}`,
    end,
  });
  const look = (requests: Request[], change: Partial<TargetFacts> = {}) =>
    readOutcome(
      facts({
        services: { ...services, sites: [site], ports: [111] },
        ...{ runs: [run([page, ...requests])], planned: [site, "tcp:111"], known: [rpcbind] },
        ...change,
      }),
    );
  test.each<[string, Request[], Partial<TargetFacts>]>([
    ["says nothing", [ask(111, "answered")], { mute: [111] }],
    ["hangs up", [ask(111, "hung up")], {}],
    ["is asked by no template", [], {}],
    ["refuses some connections", [ask(111, "unanswered")], { failing: [111] }],
  ])("is named and makes nothing partial where it %s", (_how, requests, change) => {
    const outcome = look(requests, change);
    expect([outcome.kind, outcome.notes.join()]).toEqual(["complete", expect.stringContaining("111/tcp rpcbind")]);
    expect([isCovered(outcome, "redis", "tcp:111"), isCovered(outcome, "web", site)]).toEqual([false, true]);
  });
  test("is not named where the scan was cut short before its turn", () => {
    const cut = { ...run([page]), cut: "The time was over." };
    expect(look([], { runs: [cut] })).toMatchObject({ kind: "partial", notes: [expect.stringContaining("made no request")] });
  });
  test("is not one where a template is made for it, by its port or its name", () => {
    const templates = new Map([template("web", { protocol: "http" }), template("rpc", { ports: [111] }), template("redis")]);
    expect(look([ask(111, "hung up")], { templates })).toMatchObject({ kind: "partial", reason: expect.stringContaining("111/tcp rpcbind") });
    const tagged = new Map([template("web", { protocol: "http" }), template("redis", { tags: ["rpcbind"] })]);
    expect(look([ask(111, "answered")], { templates: tagged, mute: [111] })).toMatchObject({ kind: "partial" });
  });
  test("is not one where a site was to be expected", () => {
    const outcome = look([ask(111, "hung up")], { services: { ...services, sites: [site], ports: [111], mute: [111] } });
    expect([outcome.kind, outcome.reason]).toEqual(["partial", expect.stringContaining("answered no request for a page")]);
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
