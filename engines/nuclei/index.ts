import type { Engine } from "../kit/engine.ts";
import { describeCoverage, readCoverage } from "./coverage.ts";
import { native } from "./native.ts";
import { type NucleiOptions, Options } from "./options.ts";
import { view } from "./view.ts";

/** Known holes and exposures, by templates. */
export const nuclei: Engine = {
  type: "NUCLEI",
  title: "Known vulnerabilities and exposures (templates)",
  program: "nuclei",
  installCost: { megabytes: 130, minutes: 4 },
  // Nine thousand templates take 570 MB, ours 110; beyond four fifths Go clears up instead of growing.
  memoryMegabytes: 1024,
  usesLogin: true,
  options: Options,
  refuses: () => undefined,
  // Several side by side, as for Nmap; each target of a task has a Nuclei of its own and is kept when it is done.
  targetsPerTask: (count) => Math.min(8, Math.max(1, Math.ceil(count / 8))),
  // Nuclei is stopped at each target's own limit; this is for one that does not stop.
  deadlineSeconds: (targetCount, options) => 300 + (60 * (options as NucleiOptions).target_timeout_minutes + 60) * targetCount,
  readCoverage,
  describeCoverage,
  view,
  native,
  load: async () => (await import("./runner.ts")).runner,
};
