import { existsSync, mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { createFileStore } from "./file-store.ts";

test("what a killed process left of a file is swept once nobody has written to it for long; files and live writes stay", async () => {
  const folder = mkdtempSync(join(tmpdir(), "periscan-store-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const old = new Date("2026-01-01T00:00:00Z");
  const make = (name: string, changedAt: Date) => {
    const path = join(folder, name);
    mkdirSync(join(path, ".."), { recursive: true });
    writeFileSync(path, "x");
    utimesSync(path, changedAt, changedAt);
    return path;
  };
  const lost = [make("results/scan/file.one.part", old), make("reports/workspace/file.two.part", old), make("native/scan/target.1.three.part", old)];
  const kept = [make("results/scan/file", old), make("results/scan/file.four.part", new Date("2026-01-01T02:00:00Z"))];
  const store = createFileStore(folder);
  expect(await store.sweepParts(new Date("2026-01-01T01:00:00Z"))).toBe(3);
  expect(lost.map(existsSync)).toEqual([false, false, false]);
  expect(kept.map(existsSync)).toEqual([true, true]);
  expect(await createFileStore(join(folder, "none")).sweepParts(new Date())).toBe(0);
});
