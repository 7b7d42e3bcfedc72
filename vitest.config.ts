import { defineConfig } from "vitest/config";

/** The engines that take seconds to start. */
const engineTests = "engines/{sslyze,openvas,zap,nuclei}/**/*.test.ts";

/** A failure says whole what was there instead: of a scan, its outcomes too. It is often all that is left of a run. */
const chaiConfig = { truncateThreshold: 8000 };

/** How long a test waits for what must come to be. It is no promise of speed: a busy machine takes longer. */
const expectConfig = { poll: { timeout: 30_000 } };

export default defineConfig({
  test: {
    projects: [
      {
        // Beside the code; some of them have a PostgreSQL of their own.
        test: {
          name: "unit",
          chaiConfig,
          expect: expectConfig,
          include: ["{contract,engines,worker,server,sdk,cli}/**/*.test.ts"],
          exclude: [engineTests],
          testTimeout: 60_000,
          hookTimeout: 60_000,
          sequence: { groupOrder: 0 },
        },
      },
      {
        // The real engines. They wait more than they compute.
        test: {
          name: "engines",
          chaiConfig,
          expect: expectConfig,
          include: [engineTests],
          testTimeout: 180_000,
          hookTimeout: 600_000,
          maxWorkers: 2,
          sequence: { groupOrder: 1 },
        },
      },
      {
        // The whole platform on real hosts, one file after the other: each of them uses the machine whole.
        test: {
          name: "e2e",
          chaiConfig,
          expect: expectConfig,
          include: ["test/e2e/*.test.ts"],
          testTimeout: 600_000,
          hookTimeout: 120_000,
          fileParallelism: false,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});
