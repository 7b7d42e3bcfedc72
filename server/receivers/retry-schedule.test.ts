import { expect, test } from "vitest";
import { findNextTry, findReceiverPause } from "./retry-schedule.ts";

const start = new Date("2026-01-01T00:00:00Z");

function tryTimes(random: number): number[] {
  const times = [0];
  for (let now: Date | undefined = start; now; ) {
    now = findNextTry({ tries: times.length, firstTriedAt: start, now, random });
    if (now) times.push((now.getTime() - start.getTime()) / 1000);
  }
  return times;
}

test("ten tries: pauses grow, and the last try is twelve hours after the first", () => {
  expect(tryTimes(0.5)).toEqual([0, 5, 65, 365, 1265, 3065, 6665, 13_865, 28_265, 43_200]);
});

test("pauses are spread by a fifth, and whatever chance does the last try is at twelve hours", () => {
  for (const random of [0, 0.25, 0.999]) {
    const times = tryTimes(random);
    expect(times.at(-1)).toBe(43_200);
    expect(times.length).toBeGreaterThanOrEqual(9);
    expect(times[1]).toBeGreaterThanOrEqual(4);
    expect(times[1]).toBeLessThanOrEqual(6);
    expect([...times].sort((a, b) => a - b)).toEqual(times);
  }
});

test("a receiver is left alone after five failures in a row, at most for some minutes", () => {
  const pause = (failures: number) => (findReceiverPause({ failures, now: start, random: 0.5 })?.getTime() ?? Number.NaN) - start.getTime();
  expect(findReceiverPause({ failures: 4, now: start, random: 0.5 })).toBeNull();
  expect([5, 6, 7, 50, 5000].map(pause)).toEqual([5000, 10_000, 20_000, 300_000, 300_000]);
});
