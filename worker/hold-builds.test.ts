import { mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sweepBuilds } from "@periscan/engines/kit/sweep-builds.ts";
import { expect, test } from "vitest";
import { createBuildHolds } from "./hold-builds.ts";

test("a newer version's install does not take away the build that an idle worker would start next; once the worker has stopped it does", async () => {
  const enginesFolder = mkdtempSync(join(tmpdir(), "periscan-hold-"));
  const context = { enginesFolder, signal: new AbortController().signal, say: () => {} };
  try {
    const holds = createBuildHolds();
    holds.hold(join(enginesFolder, "tool-1.0"));
    mkdirSync(join(enginesFolder, "tool-1.0"));
    holds.hold(join(enginesFolder, "tool-1.0"));
    // Installed anew by hand.
    rmSync(join(enginesFolder, "tool-1.0"), { recursive: true });
    mkdirSync(join(enginesFolder, "spacer"));
    mkdirSync(join(enginesFolder, "tool-1.0"));
    holds.hold(join(enginesFolder, "tool-1.0"));
    mkdirSync(join(enginesFolder, "tool-2.0"));
    await sweepBuilds("tool", { build: "tool-2.0" }, context);
    expect(readdirSync(enginesFolder)).toEqual(["spacer", "tool-1.0", "tool-2.0"]);
    holds.release();
    await sweepBuilds("tool", { build: "tool-2.0" }, context);
    expect(readdirSync(enginesFolder)).toEqual(["spacer", "tool-2.0"]);
  } finally {
    rmSync(enginesFolder, { recursive: true, force: true });
  }
});
