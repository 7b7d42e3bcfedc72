import type { Block } from "@periscan/contract/block.ts";
import type { Detection } from "@periscan/contract/outcome.ts";
import type { Risk } from "@periscan/contract/risk.ts";
import type { DocumentRisk } from "@periscan/contract/scan-document.ts";
import { findEngine } from "@periscan/engines/registry.ts";
import { engineSamples } from "./engine-samples.ts";
import { sampleId, sampleTime } from "./sample-facts.ts";
import { findSampleTarget } from "./sample-targets.ts";

export interface SampleRisk {
  risk: Risk;
  evidence: Block[];
  /** The index of the engine sample whose scan saw it, and what that scan did to it. */
  scan: number;
  change: DocumentRisk["change"];
}

/** Seen a week before, and not by the scan: the host's ports were all looked at again. */
const closedPort: Seen = {
  scan: 0,
  target: "198.18.30.1",
  change: "closed",
  detection: {
    title: "Open TCP Port: 8080",
    threat_level: "LOW",
    description: "TCP port 8080 is open; the service did not say what it is.",
    solution: "Close it where it is not needed.",
    references: [],
    additional_info: { port: 8080, protocol: "tcp" },
  },
};

interface Seen {
  scan: number;
  target: string;
  change: DocumentRisk["change"];
  detection: Pick<Detection, "title" | "threat_level" | "description" | "solution" | "references" | "additional_info"> & { detail?: unknown };
}

/** A third of what the scans saw was there before. */
const seen: Seen[] = [
  ...engineSamples
    .flatMap(({ targets }, scan) => targets.flatMap(({ target, outcome }) => outcome.detections.map((detection) => ({ scan, target, detection }))))
    .map((each, index) => ({ ...each, change: index % 3 === 2 ? ("still_open" as const) : ("new_open" as const) })),
  closedPort,
];

/** A person's decision about one of them. */
const acceptedTitle = "Open TCP Port: 22";
const acceptance = {
  kind: "accepted" as const,
  reason: "business_need" as const,
  author: "Operations",
  note: "Our administrators need it; only the office may reach it.",
  created_at: sampleTime(-1440),
  last_updated_at: sampleTime(-1440),
};

export const sampleRisks: SampleRisk[] = seen.map(({ scan, target: text, change, detection }, index) => {
  const target = findSampleTarget(text);
  const { type = "NMAP" } = engineSamples[scan] ?? {};
  const isAccepted = detection.title === acceptedTitle && target.id === "123";
  const dates = {
    first_detected_at: sampleTime(change === "new_open" ? scan * 60 + 10 : -7 * 1440),
    last_detected_at: sampleTime(change === "closed" ? -7 * 1440 : scan * 60 + 10),
  };
  const { title, threat_level, description, solution, references, additional_info } = detection;
  return {
    scan,
    change,
    get evidence() {
      return detection.detail === undefined ? [] : findEngine(type).view(detection.detail);
    },
    risk: {
      id: sampleId("risk", index + 1),
      target_id: target.id,
      target: target.target,
      target_label: target.label,
      tags: target.tags,
      status: change === "closed" ? "CLOSED" : "OPEN",
      is_accepted: isAccepted,
      accepted_by: isAccepted ? [acceptance] : [],
      risk_definition: { scan_type: type, title, threat_level, description, solution, references, additional_info, ...dates },
      ...dates,
    },
  };
});
