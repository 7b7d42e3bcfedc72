import { bracket, type ParsedTarget } from "@periscan/contract/target-syntax.ts";
import type { Engine } from "../kit/engine.ts";
import { describeCoverage, readCoverage } from "./coverage.ts";
import { native } from "./native.ts";
import { listPorts, maxPorts, processesPerTask, SslyzeOptions } from "./options.ts";
import { view } from "./view.ts";

/** How a server speaks TLS: versions, cipher suites, certificates, known flaws. */
export const sslyze: Engine = {
  type: "SSLYZE",
  title: "TLS scan",
  program: "sslyze",
  installCost: { megabytes: 60, minutes: 1 },
  memoryMegabytes: processesPerTask * 128,
  usesLogin: false,
  options: SslyzeOptions,
  refuses,
  targetsPerTask: (count) => Math.min(16, Math.max(1, Math.ceil(count / 8))),
  // Each port ends by its own time-out; this is for ports that all take it.
  deadlineSeconds: (targetCount, given) => {
    const { ports, timeout_seconds } = given as SslyzeOptions;
    const portCount = ports === undefined ? maxPorts : listPorts(ports).length;
    return 120 + timeout_seconds * Math.ceil((targetCount * portCount) / processesPerTask);
  },
  readCoverage,
  describeCoverage,
  view,
  native,
  load: async () => (await import("./runner.ts")).runner,
};

function refuses(target: ParsedTarget): string | undefined {
  if (target.kind !== "url" || target.scheme === "https") return undefined;
  const host = bracket(target.host);
  return `A URL that begins with http:// has no TLS. Give https://${host}${target.path}, or ${host} for the TLS ports of the host.`;
}
