import { threatLevels } from "@periscan/contract/risk.ts";
import type { ScanTarget } from "@periscan/contract/scan.ts";
import type { DocumentRisk, ScanDocument } from "@periscan/contract/scan-document.ts";
import { groupRisks, mostDetailed } from "./group-risks.ts";
import type { Report, ReportTarget } from "./report.ts";
import {
  count,
  describeAcceptance,
  formatDate,
  formatDuration,
  formatShortDate,
  formatTime,
  joinWords,
  levelMeanings,
  levelNames,
  outcomeNames,
  plural,
  toCalendarDate,
  was,
} from "./words.ts";

const describeRest = (left: number): string[] =>
  left > 0
    ? [`The worst ${count(mostDetailed)} are described here; ${plural(left, "further risk")} ${was(left)} seen too, and the JSON result has them all.`]
    : [];

const changeNames: Record<DocumentRisk["change"], string> = { new_open: "New", still_open: "Still open", closed: "Closed" };

/** One scan as its HTML and PDF show it. */
export function describeScan(document: ScanDocument): Report {
  const { scan, summary, risks, targets } = document;
  const open = risks.filter(({ status }) => status === "OPEN");
  const openOf = Map.groupBy(open, ({ target_id }) => target_id);
  const warning = describeGaps(document);
  // Sorted, worst first.
  const described = open.slice(0, mostDetailed);
  const endedAt = scan.finished_at ?? scan.created_at;
  return {
    title: scan.title,
    subject: targets.length === 1 ? (targets[0]?.target ?? "") : `${count(targets.length)} targets`,
    ...(document.workspace === "default" ? {} : { workspace: document.workspace }),
    date: formatDate(endedAt),
    calendarDate: toCalendarDate(endedAt),
    state: describeState(document),
    summary: [...describeSummary(document, open.length), ...describeRest(open.length - described.length)],
    ...(warning === undefined ? {} : { warning }),
    levels: threatLevels.map((level) => ({ level, name: levelNames[level], count: summary.risks[level], meaning: levelMeanings[level] })),
    changes: (["new_open", "still_open", "closed"] as const).map((change) => ({ name: changeNames[change], count: summary.changes[change] })),
    groups: groupRisks(described.map((risk) => ({ ...risk, note: describeSight(risk) }))),
    accepted: [],
    closed: {
      heading: "Closed since earlier scans",
      intro: "This scan looked where they were and did not find them again.",
      whenHeading: "First seen",
      rows: risks
        .filter(({ status }) => status === "CLOSED")
        .map((risk) => ({
          level: risk.threat_level,
          name: levelNames[risk.threat_level],
          title: risk.title,
          target: risk.target,
          when: formatShortDate(risk.first_detected_at),
        })),
    },
    targets: {
      heading: "Targets",
      columns: ["Target", "Outcome", "What was looked at", "Open risks"],
      rows: targets.map((target) => describeTarget(target, openOf.get(target.target_id) ?? [])),
    },
    gaps: document.not_covered,
    aboutHeading: "About this scan",
    coverFacts: listCoverFacts(document),
    facts: listFacts(document),
  };
}

const describeSight = (risk: DocumentRisk): string =>
  `${changeNames[risk.change]}, first seen ${formatDate(risk.first_detected_at)}${risk.acceptance ? `. ${describeAcceptance(risk.acceptance)}` : ""}`;

function describeState({ scan, summary, targets }: ScanDocument): NonNullable<Report["state"]> {
  if (scan.error?.code === "scan.cancelled") return { label: "Cancelled", tone: "bad" };
  if (scan.state !== "SUCCEEDED") return { label: "Failed", tone: "bad" };
  return summary.targets.complete === targets.length ? { label: "Complete", tone: "good" } : { label: "Partly complete", tone: "fair" };
}

function describeSummary({ scan, summary, targets }: ScanDocument, open: number): string[] {
  const { complete, partial } = summary.targets;
  const all = targets.length === 1 ? "The target was" : `All ${count(targets.length)} targets were`;
  const looked =
    complete === targets.length
      ? `${all} scanned to the end.`
      : `${count(complete)} of ${plural(targets.length, "target")} ${was(complete)} scanned to the end.`;
  const failure = scan.error ? [scan.error.message] : [];
  const imported = scan.import ? [scan.import.summary] : [];
  if (complete + partial === 0) return [looked, ...failure, ...imported, "This report therefore says nothing about the security of the targets."];
  const levels = threatLevels.filter((level) => summary.risks[level] > 0).map((level) => `${count(summary.risks[level])} ${levelNames[level].toLowerCase()}`);
  const found = open === 0 ? "No risk was seen where the scan looked." : `${plural(open, "risk")} ${open === 1 ? "is" : "are"} open: ${joinWords(levels)}.`;
  const { new_open, closed } = summary.changes;
  const changed =
    new_open + closed === 0
      ? "Nothing has changed since earlier scans."
      : `Compared with earlier scans, ${plural(new_open, "risk")} ${new_open === 1 ? "is" : "are"} new and ${count(closed)} ${closed === 1 ? "is" : "are"} closed.`;
  return [looked, ...failure, ...imported, found, ...(open + closed === 0 ? [] : [changed])];
}

function describeGaps({ targets, summary }: ScanDocument): string | undefined {
  const missing = targets.length - summary.targets.complete;
  if (missing === 0) return undefined;
  const them = missing === 1 ? "it is" : "they are";
  return `${plural(missing, "target")} ${was(missing)} not scanned to the end. Nothing here says that ${them} free of risks; “What was not covered” has the reason for each.`;
}

function describeTarget(target: ScanTarget, open: DocumentRisk[]): ReportTarget {
  const { label, tone } = outcomeNames[target.outcome];
  return {
    target: target.target,
    more: target.resolved_target && target.resolved_target !== target.target ? target.resolved_target : "",
    outcome: label,
    tone,
    what: (target.outcome === "complete" ? target.coverage : target.reason) ?? "",
    counts: threatLevels.map((level) => ({ level, count: open.filter(({ threat_level }) => threat_level === level).length })).filter((each) => each.count > 0),
    when: "",
  };
}

function listCoverFacts({ scan }: ScanDocument): [string, string][] {
  const seconds = scan.started_at && scan.finished_at ? (Date.parse(scan.finished_at) - Date.parse(scan.started_at)) / 1000 : undefined;
  return [
    ["Scan", scan.id],
    ["Type", `${scan.type} (${scan.title})`],
    ["Engine", scan.engine_versions.join(", ") || "did not run"],
    ...(scan.content.length === 0 ? [] : [["Scanned with", scan.content.map(describeContent).join("\n")] as [string, string]]),
    ["Started", scan.started_at ? formatTime(scan.started_at) : "not started"],
    ["Ended", scan.finished_at ? formatTime(scan.finished_at) : "not ended"],
    ...(seconds === undefined ? [] : [["Took", formatDuration(seconds)] as [string, string]]),
  ];
}

function listFacts({ scan, generated_at }: ScanDocument): [string, string][] {
  const options = Object.entries(scan.options).map(
    ([name, value]) => `${name.replaceAll("_", " ")}: ${typeof value === "string" ? value : JSON.stringify(value)}`,
  );
  return [
    ["Options", options.join("\n") || "none"],
    ["Report made", formatTime(generated_at)],
  ];
}

const origins = { official: "official", ours: "Periscan's own", user: "the user's" };

const describeContent = ({ name, version, count: size, origin }: ScanDocument["scan"]["content"][number]): string =>
  `${name} ${version} (${count(size)}, ${origins[origin]})`;
