import { describe, expect, test, vi } from "vitest";
import type { ApiError } from "../errors/api-error.ts";
import { lastOccurrence, nextOccurrence, nextOccurrences, readRecurrence } from "./recurrence.ts";
import { fromWallTime, isTimeZone, toWallTime } from "./zone-clock.ts";

const after = (cron: string, timeZone: string, start: string, count: number): string[] => {
  const first = nextOccurrence({ cron, timeZone }, new Date(start));
  return first ? nextOccurrences({ cron, timeZone }, first, count).map((moment) => moment.toISOString().slice(0, 16)) : [];
};

describe("an hour that does not exist runs once, at the next moment that does", () => {
  test.each([
    ["Europe/Berlin", "30 2 * * *", "2026-03-28T00:00Z", ["2026-03-28T01:30", "2026-03-29T01:00", "2026-03-30T00:30"]],
    ["America/New_York", "30 2 * * *", "2026-03-07T00:00Z", ["2026-03-07T07:30", "2026-03-08T07:00", "2026-03-09T06:30"]],
    ["several times of that hour are one", "15,45 2 * * *", "2026-03-28T12:00Z", ["2026-03-29T01:00", "2026-03-30T00:15"]],
    ["and one with the moment itself", "0,30 2-3 * * *", "2026-03-28T12:00Z", ["2026-03-29T01:00", "2026-03-29T01:30", "2026-03-30T00:00"]],
    ["an hourly one keeps its hours", "0 * * * *", "2026-03-28T23:30Z", ["2026-03-29T00:00", "2026-03-29T01:00", "2026-03-29T02:00"]],
    ["Africa/Cairo", "0 0 * * *", "2026-04-23T12:00Z", ["2026-04-23T22:00", "2026-04-24T21:00"]],
    ["Australia/Lord_Howe", "15 2 * * *", "2026-10-02T20:00Z", ["2026-10-03T15:30", "2026-10-04T15:15"]],
    ["Pacific/Apia", "0 3 30 12 *", "2011-12-01T00:00Z", ["2011-12-30T10:00", "2012-12-29T13:00"]],
  ])("%s: %s", (name, cron, start, expected) => {
    expect(after(cron, name.includes("/") ? name : "Europe/Berlin", start, expected.length)).toEqual(expected);
  });
});

describe("an hour that comes twice runs once, at its first coming", () => {
  test.each([
    ["Europe/Berlin", "30 2 * * *", "2026-10-24T00:00Z", ["2026-10-24T00:30", "2026-10-25T00:30", "2026-10-26T01:30"]],
    ["America/New_York", "30 1 * * *", "2026-10-31T00:00Z", ["2026-10-31T05:30", "2026-11-01T05:30", "2026-11-02T06:30"]],
    ["several times of that hour", "0,30 2 * * *", "2026-10-24T12:00Z", ["2026-10-25T00:00", "2026-10-25T00:30", "2026-10-26T01:00"]],
    ["an hourly one", "0 * * * *", "2026-10-24T23:30Z", ["2026-10-25T00:00", "2026-10-25T02:00", "2026-10-25T03:00"]],
    ["Australia/Lord_Howe", "45 1 * * *", "2026-04-03T20:00Z", ["2026-04-04T14:45", "2026-04-05T15:15"]],
  ])("%s: %s", (name, cron, start, expected) => {
    expect(after(cron, name.includes("/") ? name : "Europe/Berlin", start, expected.length)).toEqual(expected);
  });

  test("a look within the second coming does not run the first again", () => {
    expect(after("30 2 * * *", "Europe/Berlin", "2026-10-25T01:10Z", 1)).toEqual(["2026-10-26T01:30"]);
  });
});

describe("what February lacks does not carry the first of March away", () => {
  test.each([
    ["0 3 1,31 * *", "2027-02-10T00:00Z", ["2027-03-01T03:00", "2027-03-31T03:00", "2027-04-01T03:00"]],
    ["0 3 1,31 * *", "2028-02-10T00:00Z", ["2028-03-01T03:00", "2028-03-31T03:00"]],
    ["0 3 */10 * *", "2027-02-20T00:00Z", ["2027-02-21T03:00", "2027-03-01T03:00", "2027-03-11T03:00"]],
    ["0 3 1 * MON", "2026-02-24T00:00Z", ["2026-03-01T03:00", "2026-03-02T03:00", "2026-03-09T03:00"]],
    ["0 3 30,31 1,2,3 *", "2027-01-31T12:00Z", ["2027-03-30T03:00", "2027-03-31T03:00", "2028-01-30T03:00"]],
    ["0 3 29 * *", "2027-01-29T12:00Z", ["2027-03-29T03:00"]],
  ])("%s from %s", (cron, start, expected) => {
    expect(after(cron, "UTC", start, expected.length)).toEqual(expected);
  });
});

test("every moment of the year's clock leads back to itself, or to the same wall time an hour before", () => {
  for (const timeZone of ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "Pacific/Apia", "UTC"])
    for (let time = Date.UTC(2026, 0, 1); time < Date.UTC(2027, 0, 1); time += 47 * 60_000) {
      const back = fromWallTime(toWallTime(new Date(time), timeZone), timeZone).getTime();
      if (back !== time) expect([30, 60], `${timeZone} ${new Date(time).toISOString()}`).toContain((time - back) / 60_000);
    }
});

test("the last occurrence up to a moment is the one that going from each to the next comes to", () => {
  const recurrences = [
    { cron: "*/15 * * * *", timeZone: "Europe/Berlin" },
    { cron: "15,45 2 * * *", timeZone: "America/New_York" },
    { cron: "0 3 L * *", timeZone: "Pacific/Apia" },
    { cron: "0 0 * * MON#1", timeZone: "UTC" },
  ];
  for (const recurrence of recurrences)
    for (const start of ["2026-03-07T00:10Z", "2026-03-28T20:00Z", "2026-10-24T20:00Z", "2026-10-31T20:00Z"]) {
      const first = nextOccurrence(recurrence, new Date(start)) as Date;
      for (let minutes = 0; minutes < 2000; minutes += 91) {
        const until = new Date(first.getTime() + minutes * 60_000);
        let expected = first;
        for (let next: Date | undefined = first; next && next <= until; next = nextOccurrence(recurrence, next)) expected = next;
        expect(lastOccurrence(recurrence, first, until), `${recurrence.cron} ${until.toISOString()}`).toEqual(expected);
      }
    }
});

test.each([
  ["on the day itself", "0 3 29 2 *", "2028-02-29T03:00Z", "2028-02-29T03:00Z", "2028-02-29T03:00Z"],
  ["the last day of February, on the day itself", "0 3 L 2 *", "2028-02-29T03:00Z", "2028-02-29T03:01Z", "2028-02-29T03:00Z"],
  ["every day of February", "0 3 * 2 *", "2028-02-29T03:00Z", "2028-02-29T03:00Z", "2028-02-29T03:00Z"],
  ["every day of February, a year later", "0 3 * 2 *", "2028-02-01T03:00Z", "2029-01-31T12:00Z", "2028-02-29T03:00Z"],
  ["a day that February lacks, late", "0 3 31 1,2 *", "2028-01-31T03:00Z", "2028-03-04T12:00Z", "2028-01-31T03:00Z"],
  ["eight years later, over 2100", "0 3 29 2 *", "2096-02-29T03:00Z", "2104-02-29T02:59Z", "2096-02-29T03:00Z"],
  ["after none of its days for 28 years", "0 3 * 2 MON#5", "2016-02-29T03:00Z", "2044-02-29T02:00Z", "2016-02-29T03:00Z"],
])("29 February: %s, %s", (_, cron, first, until, expected) => {
  expect(lastOccurrence({ cron, timeZone: "UTC" }, new Date(first), new Date(until))).toEqual(new Date(expected));
});

test("ten missed years of a quarter-hourly schedule are passed over without going through them", () => {
  const recurrence = { cron: "*/15 * * * *", timeZone: "Europe/Berlin" };
  const start = performance.now();
  expect(lastOccurrence(recurrence, new Date("2026-01-01T00:00Z"), new Date("2036-01-01T00:07Z"))).toEqual(new Date("2036-01-01T00:00Z"));
  expect(lastOccurrence({ ...recurrence, cron: "*/15 * * 2 *" }, new Date("2026-02-01T00:00Z"), new Date("2036-01-31T12:00Z"))).toEqual(
    new Date("2035-02-28T22:45Z"),
  );
  expect(performance.now() - start).toBeLessThan(200);
});

test.each([
  [{ every: "hour", at: "00:20" }, "20 * * * *"],
  [{ every: "day" }, "0 3 * * *"],
  [{ every: "week", at: "23:05", on: ["MON", "FRI"] }, "5 23 * * MON,FRI"],
  [{ every: "week" }, "0 3 * * MON"],
  [{ every: "month", on: [1, 15, "LAST"] }, "0 3 1,15,L * *"],
  [{ cron: "  0  3 * *\tmon-fri " }, "0 3 * * MON-FRI"],
  [{ cron: "0 0 29 2 *" }, "0 0 29 2 *"],
  [{ cron: "0 0 * 2 WED#5" }, "0 0 * 2 WED#5"],
] as const)("%j is %s", (given, cron) => {
  expect(readRecurrence(given as never, undefined)).toEqual({ cron, timeZone: "UTC" });
});

test.each([
  [{}, "cron", "give a cron"],
  [{ cron: "0 0 30 2 *" }, "cron", "never occurs"],
  [{ cron: "59 23 31 4,6,9,11 *" }, "cron", "never occurs"],
  [{ cron: "0 0 31W 2,4,6,9,11 *" }, "cron", "never occurs"],
  [{ cron: "*/5 * * * *" }, "cron", "more often than every 15 minutes"],
  [{ cron: "* * * * *" }, "cron", "more often"],
  [{ cron: "0,59 23,0 * * *" }, "cron", "more often"],
  [{ cron: "61 * * * *" }, "cron", "61"],
  [{ cron: "0 25 * * *" }, "cron", "25"],
  [{ cron: "0 3 * *" }, "cron", "4 fields"],
  [{ cron: "0 0 3 * * *" }, "cron", "6 fields"],
  [{ cron: "@daily" }, "cron", "1 fields"],
  [{ cron: "0 3 ? * *" }, "cron", "character"],
  [{ cron: "0 3 * * $(id)" }, "cron", "character"],
  [{ cron: "0 3 * * NOT" }, "cron", ""],
  [{ cron: "0 3 * * *", every: "day" }, "every", "not both"],
  [{ cron: "0 3 * * *", at: "03:00" }, "at", "every"],
  [{ every: "day", on: ["MON"] }, "on", "week or month"],
  [{ every: "week", on: [1] }, "on[0]", "weekdays"],
  [{ every: "month", on: [1, "MON"] }, "on[1]", "days"],
  [{ every: "month", on: [30], time_zone: "Mars/Phobos" }, "time_zone", "Mars/Phobos"],
  [{ cron: "0 3 * * *", time_zone: "+01:00" }, "time_zone", "+01:00"],
] as const)("%j is refused: %s", (given, field, sentence) => {
  const refusal = (() => {
    try {
      return readRecurrence(given as never, undefined);
    } catch (error) {
      return error as ApiError;
    }
  })();
  expect(refusal).toMatchObject({ status: 400, field, message: expect.stringContaining(sentence) });
});

test("zones are known by their IANA names alone", () => {
  expect(["UTC", "Europe/Berlin", "Asia/Kolkata", "Etc/GMT+5"].map(isTimeZone)).toEqual([true, true, true, true]);
  expect(["", "+02:00", "-05", "Berlin", "Europe/Berlin "].map(isTimeZone)).toEqual([false, false, false, false, false]);
});

test("a zone's name in another case is the same zone, and takes no more memory", () => {
  const made = vi.spyOn(Intl, "DateTimeFormat");
  const name = "america/argentina/catamarca";
  for (let index = 0; index < 50; index++) {
    const spelt = [...name].map((letter, place) => ((index >> place) & 1 ? letter.toUpperCase() : letter)).join("");
    expect(isTimeZone(spelt), spelt).toBe(true);
    expect(toWallTime(new Date("2026-01-01T12:00Z"), spelt)).toEqual(new Date("2026-01-01T09:00Z"));
  }
  expect(made.mock.calls.length).toBeLessThan(2);
  made.mockRestore();
  // The sign for kelvin, which is a k in lower case.
  expect([isTimeZone("Europe/Kyiv"), isTimeZone("Europe/\u212ayiv")]).toEqual([true, false]);
});
