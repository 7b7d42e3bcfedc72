import type { Detection, Outcome } from "@periscan/contract/outcome.ts";
import { formatPorts, joinPorts, type PortRange, parsePorts, subtractPorts } from "../kit/port-list.ts";
import type { Tally } from "../kit/tally.ts";
import { Coverage } from "./coverage.ts";

/** What one entry of a file tells of a host. */
export interface FileLook {
  outcome: Outcome;
  endedAt?: Date;
}

const dayMilliseconds = 86_400_000;

/**
 * What all entries of one host tell together: what any of them saw is there, and what any of them looked at was looked at. It is complete only where each is, for one that was cut
 * short or had no answer puts the others in doubt; and only where they are of one day, for together they have one date, and what an old one did not see may have come since.
 */
export function joinFileLooks(looks: FileLook[], tally: Tally): Outcome {
  const [first, ...more] = looks.map(({ outcome }) => outcome);
  if (!first) throw new Error("There is no look to join.");
  const outcomes = [first, ...more];
  const detections = joinDetections(outcomes, tally);
  const observations = [...new Map(outcomes.flatMap((outcome) => outcome.observations ?? []).map((each) => [each.key, each])).values()];
  if (more.length === 0) return { ...first, detections, ...(first.observations ? { observations } : {}) };
  const all = `The file has this host ${looks.length} times.`;
  const doubts = outcomes.filter(({ kind }) => kind !== "complete");
  if (outcomes.every(({ kind }) => kind === "unreachable")) return first;
  const reasons = [...new Set(doubts.map(({ kind, reason }) => (kind === "unreachable" ? `Once there was no answer: ${reason}` : `${reason}`)))];
  if (!isOfOneDay(looks)) reasons.push("They are of different days: import each scan by itself, so that what it saw has its own date.");
  const coverage = joinCoverages(outcomes);
  const heard = outcomes.filter((outcome) => Coverage.safeParse(outcome.coverage).data?.answered === coverage.answered);
  const joined = { notes: [...new Set([...heard.flatMap(({ notes }) => notes), `${all} What any of them saw counts.`])], coverage, detections, observations };
  if (reasons.length === 0) return { kind: "complete", ...joined };
  return { kind: "partial", reason: [all, ...reasons].join(" ").slice(0, 2000), ...joined };
}

function isOfOneDay(looks: FileLook[]): boolean {
  const times = looks.flatMap(({ endedAt }) => (endedAt ? [endedAt.getTime()] : []));
  return Math.max(...times) - Math.min(...times) <= dayMilliseconds;
}

/** An open port once: as the look saw it that learned most of it, or else the last. */
function joinDetections(outcomes: Outcome[], tally: Tally): Detection[] {
  const joined = new Map<string, Detection>();
  const countFacts = ({ additional_info }: Detection) => Object.keys(additional_info).length;
  for (const detection of outcomes.flatMap(({ detections }) => detections)) {
    const before = joined.get(detection.key);
    if (before) tally.join();
    if (!before || countFacts(detection) >= countFacts(before)) joined.set(detection.key, detection);
  }
  return [...joined.values()];
}

/** What a host without an answer was asked is not known. */
function joinCoverages(outcomes: Outcome[]): Coverage {
  const coverages = outcomes.flatMap(({ coverage }) => Coverage.safeParse(coverage).data ?? []);
  const read = (list: string): PortRange[] => parsePorts(list) ?? [];
  const ports = joinPorts(coverages.map((each) => read(each.ports)));
  const sure = coverages.filter(({ answered }) => answered).map((each) => subtractPorts(read(each.ports), read(each.unsure)));
  const [{ protocol } = { protocol: "tcp" as const }] = coverages;
  return { protocol, ports: formatPorts(ports), answered: sure.length > 0, unsure: formatPorts(subtractPorts(ports, joinPorts(sure))) };
}
