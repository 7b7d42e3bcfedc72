import type { ThreatLevel } from "@periscan/contract/risk.ts";
import type { Check } from "./coverage.ts";
import type { RiskName } from "./threat-levels.ts";
import type { CertificateDetail, Detail } from "./view.ts";

/** One thing that was seen on a port, before it becomes a detection. */
export interface Sighting {
  risk: RiskName;
  /** In place of the level of the risk's table, where it depends on how bad it is. */
  level?: ThreatLevel;
  facts?: [string, string][];
  suites?: Detail["suites"];
  chains?: CertificateDetail[][];
  names?: string[];
  list?: string[];
}

/** What the reading of one port adds up to. */
export interface PortLook {
  /** What was decided, one way or the other. */
  decided: Set<Check>;
  sightings: Sighting[];
  /** Why the look is not complete, as sentences. */
  troubles: string[];
  /** What could not be decided and will not be by another look, as sentences. */
  notes: string[];
}

export const startLook = (): PortLook => ({ decided: new Set(), sightings: [], troubles: [], notes: [] });

/** Text of a server, short enough for evidence and without control characters. */
export function clip(text: string, length = 300): string {
  const clean = text.replace(/\p{C}+/gu, " ").trim();
  return clean.length > length ? `${clean.slice(0, length - 1)}…` : clean;
}
