import { threatLevels } from "@periscan/contract/risk.ts";
import type { Scan, ScanTarget, TargetCounts } from "@periscan/contract/scan.ts";
import type { DocumentRisk, ScanDocument } from "@periscan/contract/scan-document.ts";
import type { Engine } from "@periscan/engines/kit/engine.ts";
import { findEngine } from "@periscan/engines/registry.ts";
import { listGaps, summarise } from "../documents/load-scan-document.ts";
import { type EngineSample, engineSamples } from "./engine-samples.ts";
import { sampleId, sampleTime } from "./sample-facts.ts";
import { sampleRisks } from "./sample-risks.ts";
import { findSampleTarget } from "./sample-targets.ts";

/** A finished scan with what its files are made of. */
export interface FinishedSample {
  scan: Scan;
  document: ScanDocument;
  sample: EngineSample;
}

/** The one whose target does not answer is made by a schedule. */
const scheduledIndex = 1;

const minutesOf = (index: number) => index * 60;

function presentTargets(sample: EngineSample, index: number): ScanTarget[] {
  const engine = findEngine(sample.type);
  return sample.targets.map(({ target, outcome }) => ({
    target_id: findSampleTarget(target).id,
    target,
    outcome: outcome.kind,
    ...(outcome.reason === undefined ? {} : { reason: outcome.reason }),
    ...(/^[\d.]+$/.test(target) ? { resolved_target: target } : {}),
    ...(outcome.coverage === undefined ? {} : { coverage: engine.describeCoverage(outcome.coverage) }),
    notes: outcome.notes,
    observed_at: sampleTime(minutesOf(index) + 10),
  }));
}

const listTargets = (targets: ScanTarget[]) => ({
  requested_targets: targets.map(({ target_id, target }) => ({ target_id, target })),
  resolved_targets: targets.flatMap(({ target_id, resolved_target }) => (resolved_target === undefined ? [] : [{ target_id, resolved_target }])),
  skipped_targets: targets.flatMap(({ target_id, outcome, reason }) =>
    outcome === "complete" || outcome === "pending" ? [] : [{ target_id, skipped_reason: reason ?? outcome }],
  ),
  targets,
  target_counts: countTargets(targets),
});

function countTargets(targets: ScanTarget[]): TargetCounts {
  const of = (wanted: ScanTarget["outcome"]) => targets.filter(({ outcome }) => outcome === wanted).length;
  return {
    requested: targets.length,
    resolved: targets.filter(({ resolved_target }) => resolved_target !== undefined).length,
    complete: of("complete"),
    partial: of("partial"),
    unreachable: of("unreachable"),
    skipped: of("skipped"),
    pending: of("pending"),
  };
}

/** The lists of risks and how long they are. */
const listRisks = (risks: Scan["risks"]) => ({
  risks,
  risk_counts: { new_open: risks.new_open.length, still_open: risks.still_open.length, closed: risks.closed.length },
});

function makeFinished(sample: EngineSample, index: number): FinishedSample {
  const engine = findEngine(sample.type);
  const targets = presentTargets(sample, index);
  const complete = targets.some(({ outcome }) => outcome === "complete");
  const types = [engine.native.contentType, "text/html", "application/pdf", "application/json"] as const;
  const changes = (change: DocumentRisk["change"]) =>
    sampleRisks.filter((each) => each.scan === index && each.change === change).map(({ risk }) => ({ risk_id: risk.id }));
  const failure = { code: "scan.unreachable", message: `${targets[0]?.target}: ${targets[0]?.reason}` };
  const scan: Scan = {
    id: sampleId("scan", index + 1),
    type: sample.type,
    state: complete ? "SUCCEEDED" : "FAILED",
    progress: complete ? 100 : 0,
    results: types.map((content_type, ordinal) => ({ result_id: sampleId("result", index * 10 + ordinal + 1), content_type })),
    ...listTargets(targets),
    ...listRisks({ new_open: changes("new_open"), still_open: changes("still_open"), closed: changes("closed") }),
    options: engine.options.parse({}),
    ...(complete ? {} : { error: failure }),
    ...(index === scheduledIndex ? { scheduled_by: sampleId("schedule", 1) } : {}),
    created_at: sampleTime(minutesOf(index)),
    started_at: sampleTime(minutesOf(index) + 1),
    finished_at: sampleTime(minutesOf(index) + 10),
  };
  return {
    scan,
    get document() {
      return makeDocument(scan, { engine, sample, index });
    },
    sample,
  };
}

function makeDocument(scan: Scan, { engine, sample, index }: { engine: Engine; sample: EngineSample; index: number }): ScanDocument {
  const risks = sampleRisks
    .filter((each) => each.scan === index)
    .map(({ risk, evidence, change }): DocumentRisk => {
      const { id, risk_definition, target_label: _label, tags: _tags, accepted_by: _by, ...rest } = risk;
      const { scan_type: _type, ...definition } = risk_definition;
      return { ...rest, ...definition, risk_id: id, change, evidence };
    });
  risks.sort((a, b) => threatLevels.indexOf(a.threat_level) - threatLevels.indexOf(b.threat_level));
  const { id, type, state, error, options, created_at, started_at, finished_at } = scan;
  return {
    format: "periscan.scan/1",
    generated_at: sampleTime(minutesOf(index) + 10),
    scan: {
      ...{ id, type, title: engine.title, state, ...(error ? { error } : {}), options, engine_versions: [sample.engine_version], content: [] },
      ...{ created_at, ...(started_at ? { started_at } : {}), ...(finished_at ? { finished_at } : {}) },
    },
    workspace: "Sample data",
    summary: summarise(risks, scan.targets),
    risks,
    targets: scan.targets,
    not_covered: scan.targets.flatMap(listGaps),
  };
}

export const finishedSamples: FinishedSample[] = engineSamples.map(makeFinished);

/** One of each other state, so that a client meets them all. */
function makeUnfinished(state: "RUNNING" | "QUEUED" | "OVER_LIMIT", ordinal: number): Scan {
  const index = engineSamples.length + ordinal;
  const isOver = state === "OVER_LIMIT";
  const reason = "The workspace's scan allowance is used up.";
  const targets = ["198.18.30.3", "198.18.30.2"].map((target): ScanTarget => {
    const { id: target_id } = findSampleTarget(target);
    return { target_id, target, outcome: isOver ? "skipped" : "pending", ...(isOver ? { reason } : {}), notes: [] };
  });
  return {
    id: sampleId("scan", index + 1),
    type: "NMAP",
    state,
    progress: state === "RUNNING" ? 42 : 0,
    results: [],
    ...listTargets(targets),
    ...listRisks({ new_open: [], still_open: [], closed: [] }),
    options: findEngine("NMAP").options.parse({}),
    ...(isOver ? { error: { code: "scan.over_limit", message: reason } } : {}),
    created_at: sampleTime(minutesOf(index)),
    ...(state === "RUNNING" ? { started_at: sampleTime(minutesOf(index) + 1) } : {}),
    ...(isOver ? { finished_at: sampleTime(minutesOf(index)) } : {}),
  };
}

const unfinished = [makeUnfinished("RUNNING", 0), makeUnfinished("QUEUED", 1), makeUnfinished("OVER_LIMIT", 2)];

/** Newest first, as the list has them. */
export const sampleScans: Scan[] = [...finishedSamples.map(({ scan }) => scan), ...unfinished].reverse();
