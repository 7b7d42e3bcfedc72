import type { Engine } from "@periscan/engines/kit/engine.ts";
import { z } from "zod";
import { describeCoverage, readCoverage } from "./coverage.ts";
import { native } from "./native.ts";
import { view } from "./view.ts";

/**
 * The smallest engine that is whole: it asks one port for its greeting. CONTRIBUTING points here; a test runs it through server and worker.
 * The scan types are those of the documented API, so that it stands in for one of them.
 */
export const greetingEngine: Engine = {
  type: "NMAP_UDP",
  title: "Greeting",
  program: "greeting",
  installCost: { megabytes: 0, minutes: 0 },
  memoryMegabytes: 64,
  usesLogin: false,
  options: z.strictObject({ port: z.int().min(1).max(65_535).default(21) }),
  refuses: (target) => (target.kind === "url" ? "Give a host: a greeting has no path." : undefined),
  targetsPerTask: () => 10,
  deadlineSeconds: (targetCount) => 30 + 10 * targetCount,
  readCoverage,
  describeCoverage,
  view,
  native,
  load: async () => (await import("./run.ts")).runner,
};
