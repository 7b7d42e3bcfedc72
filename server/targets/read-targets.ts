import { maxTargetsPerScan } from "@periscan/contract/scan.ts";
import type { TargetUpdate } from "@periscan/contract/target.ts";
import { refuseAddress, refuseName, type TargetPolicy } from "@periscan/contract/target-policy.ts";
import { type ParsedTarget, parseAddress, parseTarget } from "@periscan/contract/target-syntax.ts";
import type { Engine } from "@periscan/engines/kit/engine.ts";
import { ApiError } from "../errors/api-error.ts";

/** The canonical texts of what a client named, blocks expanded, each once. Throws an ApiError that names the entry at fault. */
export function readTargets(inputs: string[]): string[] {
  const texts = new Set<string>();
  for (const [index, input] of inputs.entries()) {
    const parsed = parseTarget(input);
    if (!parsed.ok) throw new ApiError(400, "target.invalid", `targets[${index}]: ${parsed.reason}`, { field: `targets[${index}]` });
    for (const { text } of parsed.targets) texts.add(text);
    if (texts.size > maxTargetsPerScan)
      throw new ApiError(400, "request.invalid", `targets: a scan has at most ${maxTargetsPerScan} targets, blocks expanded.`, { field: "targets" });
  }
  return [...texts];
}

/** The canonical text of the one target that a client named. Throws an ApiError where it is none, or a block of many. */
export function readTarget(input: string): string {
  const parsed = parseTarget(input);
  if (!parsed.ok) throw new ApiError(400, "target.invalid", `target: ${parsed.reason}`, { field: "target" });
  const [one] = parsed.targets;
  if (!one || parsed.targets.length > 1)
    throw new ApiError(400, "target.invalid", "target: a block is many targets; name it in a scan's targets instead.", { field: "target" });
  return one.text;
}

/** As stored, where it can be read: a filter finds a target in whichever spelling, and each of a block's addresses. */
export function canonicalTexts(input: string): string[] {
  const parsed = parseTarget(input);
  return parsed.ok ? parsed.targets.map(({ text }) => text) : [input];
}

/** Throws where an update changes nothing. */
export function requireChange({ label, tags }: TargetUpdate): void {
  if (label === undefined && tags === undefined) throw new ApiError(400, "request.invalid", "Give a label, tags, or both.", { field: "label" });
}

/** Why a stored target is skipped before anything is resolved, as a sentence; undefined where it may be tried. */
export function checkTarget(text: string, engine: Engine, policy: TargetPolicy): string | undefined {
  const parsed = parseTarget(text);
  const target = parsed.ok ? parsed.targets[0] : undefined;
  if (!target) return "The target cannot be read.";
  return checkPolicy(target, policy) ?? engine.refuses(target);
}

function checkPolicy({ host }: ParsedTarget, policy: TargetPolicy): string | undefined {
  const refusal = parseAddress(host) === undefined ? refuseName(host) : refuseAddress(host, policy);
  return refusal === undefined ? undefined : `Refused by the target policy: ${refusal}.`;
}
