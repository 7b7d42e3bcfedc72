import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    projects: [
      {
        // Beside the code; some of them have a PostgreSQL of their own.
        test: {
          name: "unit",
          include: ["{contract,engines,worker,server,sdk,cli}/**/*.test.ts"],
          testTimeout: 60_000,
          hookTimeout: 60_000,
          sequence: { groupOrder: 0 },
        },
      },
      {
        // The whole platform on real hosts, one file after the other: each of them uses the machine whole.
        test: { name: "e2e", include: ["test/e2e/*.test.ts"], testTimeout: 300_000, hookTimeout: 120_000, fileParallelism: false, sequence: { groupOrder: 1 } },
      },
    ],
  },
});
