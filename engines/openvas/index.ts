import type { Engine } from "../kit/engine.ts";
import { describeCoverage, readCoverage } from "./coverage.ts";
import { native } from "./native.ts";
import { type OpenvasOptions, Options } from "./options.ts";
import { view } from "./view.ts";

/** The network tests of Greenbone's feed, by the real OpenVAS scanner. */
export const openvas: Engine = {
  type: "OPENVAS",
  title: "Network vulnerability scan",
  program: "openvas",
  installCost: { megabytes: 500, minutes: 3 },
  // What one scan adds. The scanner with its tests is shared by all tasks and has a ceiling of its own, PERISCAN_OPENVAS_MEMORY_MB.
  memoryMegabytes: 512,
  usesLogin: false,
  options: Options,
  refuses: () => undefined,
  // Each scan loads all tests once more, so hosts go together; not too many, for one that takes too long ends the scan of all.
  targetsPerTask: (count) => Math.min(8, Math.max(1, Math.ceil(count / 4))),
  // Each host has its own time-out; each that reaches it starts the others anew. This is for a scanner that does not answer, and for loading the tests.
  deadlineSeconds: (targetCount, options) => 5400 + 60 * (options as OpenvasOptions).host_timeout_minutes * (1 + targetCount),
  readCoverage,
  describeCoverage,
  view,
  native,
  load: async () => (await import("./runner.ts")).runner,
};
