import type { ScanType } from "@periscan/contract/scan.ts";
import type { Engine } from "../kit/engine.ts";
import { describeCoverage, readCoverage } from "./coverage.ts";
import { native } from "./native.ts";
import { ActiveOptions, PassiveOptions, type ZapOptions } from "./options.ts";
import { view } from "./view.ts";

const loadRunner = async (type: ScanType) => (await import("./runner.ts")).createRunner(type);

const shared = {
  program: "zap",
  installCost: { megabytes: 150, minutes: 2 },
  memoryMegabytes: 900,
  usesLogin: true,
  refuses: () => undefined,
  // One after the other in one ZAP, which takes 3 s to start; few, so that a killed worker costs little and several workers share a scan.
  targetsPerTask: (count: number) => Math.min(8, Math.max(1, Math.ceil(count / 4))),
  // Each target ends by its own limit; this is for a ZAP that does not.
  deadlineSeconds: (targetCount: number, options: Record<string, unknown>) => 300 + (60 * (options as ZapOptions).max_minutes + 180) * targetCount,
  readCoverage,
  describeCoverage,
  view,
  native,
};

/** Follows a site's links and looks at what it answers; attacks nothing. */
export const zap: Engine = { ...shared, type: "OWASP_ZAP", title: "Web scan (passive)", options: PassiveOptions, load: () => loadRunner("OWASP_ZAP") };

/** The same, and then attacks each parameter that it has found. */
export const zapActive: Engine = {
  ...shared,
  type: "OWASP_ZAP_ACTIVE",
  title: "Web scan (active)",
  options: ActiveOptions,
  load: () => loadRunner("OWASP_ZAP_ACTIVE"),
};
