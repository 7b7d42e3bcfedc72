import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { expect, onTestFinished, test } from "vitest";
import { startEmbeddedPostgres } from "./embedded-postgres.ts";

test("whether PostgreSQL runs can be asked while its file comes and goes", async () => {
  const folder = mkdtempSync(join(tmpdir(), "periscan-postgres-"));
  chmodSync(folder, 0o755);
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const postgres = await startEmbeddedPostgres({ folder, unsafeFast: true });
  expect(postgres.isRunning()).toBe(true);
  await postgres.stop();
  // As the end of a postmaster removes it, between one look and the next.
  const toggling = new Worker(
    `const { rmSync, writeFileSync } = require("node:fs");
     for (;;) { writeFileSync(${JSON.stringify(join(folder, "data", "postmaster.pid"))}, "${process.pid}\\n"); rmSync(${JSON.stringify(join(folder, "data", "postmaster.pid"))}); }`,
    { eval: true },
  );
  onTestFinished(async () => void (await toggling.terminate()));
  const answers = new Set(Array.from({ length: 50_000 }, () => postgres.isRunning()));
  expect(answers).toEqual(new Set([false]));
});
