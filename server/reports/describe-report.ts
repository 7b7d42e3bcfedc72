import { threatLevels } from "@periscan/contract/risk.ts";
import { groupRisks, mostDetailed } from "../render/group-risks.ts";
import type { AcceptedSection, LevelShare, Report, ReportGroup } from "../render/report.ts";
import { count, formatDate, formatShortDate, formatTime, levelMeanings, levelNames, plural, shorten, toCalendarDate, was } from "../render/words.ts";
import { describeGap, describeLook, isCovered, listGaps } from "./describe-coverage.ts";
import { describeTrend } from "./describe-trend.ts";
import { type LevelCounts, mostListed, type ReportDocument, type ReportRisk, recentDays } from "./load-report-document.ts";
import { summariseReport } from "./summarise-report.ts";

/** A report over targets and risks as its HTML and PDF show it. */
export function describeReport(document: ReportDocument): Report {
  const { generatedAt, openCounts, targets } = document;
  const groups = groupRisks(document.open.map((risk) => ({ ...risk, note: describeDates(risk) })));
  const warning = describeWarning(document);
  const summary = summariseReport(document);
  const gaps = listGaps(targets);
  return {
    title: "Vulnerability report",
    subject: describeSubject(document),
    ...(document.workspace === "default" ? {} : { workspace: document.workspace }),
    date: formatDate(generatedAt),
    calendarDate: toCalendarDate(generatedAt),
    summary: summary.lead,
    ...(warning === undefined ? {} : { warning }),
    levels: threatLevels.map((level) => ({ level, name: levelNames[level], count: openCounts[level], meaning: levelMeanings[level] })),
    changes: [],
    coverFacts: listScope(document),
    overview: {
      paragraphs: summary.paragraphs,
      ...describeTrend(document.trend),
      first: (groups.length > mostFirst ? pickFirst(groups) : []).map(({ id, level, name, title, names }) => ({ id, level, name, title, names })),
      ...describeByTarget(document.openByTarget),
    },
    groups,
    ...describeOmitted(document),
    accepted: describeAccepted(document),
    closed: describeClosed(document),
    targets: {
      heading: "Appendix: scope",
      intro: "The last look at each target by each type of scan. What a scan did not look at, this report says nothing of.",
      columns: ["Target", "Last look", "What was looked at", "When"],
      rows: targets.slice(0, mostListed).flatMap(describeLook),
      ...(targets.length > mostListed ? { note: `${count(targets.length - mostListed)} more targets are not listed.` } : {}),
    },
    gaps: gaps.slice(0, mostListed).map(describeGap),
    ...(gaps.length > mostListed ? { gapsNote: `${count(gaps.length - mostListed)} more are not listed.` } : {}),
    aboutHeading: "About this report",
    facts: [
      ["Report made", formatTime(generatedAt)],
      ["Dates", "All dates are those of UTC."],
      ["Open", "A risk is open from the scan that saw it until one that looked in the same place, to the end, and did not see it."],
      ["Accepted", "A person's decision. It is not counted among what calls for action, and it hides no detection: a scan goes on looking."],
    ],
  };
}

const mostFirst = 5;

/** Worst level first, and of one level what is on most targets. */
const pickFirst = (groups: ReportGroup[]): ReportGroup[] =>
  groups
    .map((group) => ({ group, size: group.seen.reduce((sum, { targets }) => sum + targets.length, 0) }))
    .sort((a, b) => threatLevels.indexOf(a.group.level) - threatLevels.indexOf(b.group.level) || b.size - a.size)
    .slice(0, mostFirst)
    .map(({ group }) => group);

function describeSubject({ targets, scope }: ReportDocument): string {
  if (targets.length === 1) return shorten(targets[0]?.target ?? "", 200);
  const { tag } = scope.targetsFilter;
  return tag ? `${plural(targets.length, "target")} tagged ${shorten(tag.join(", "), 200)}` : plural(targets.length, "target");
}

const describeDates = ({ firstDetectedAt, lastDetectedAt }: ReportRisk): string =>
  `First seen ${formatDate(firstDetectedAt)}, last ${formatDate(lastDetectedAt)}`;

function describeWarning({ targets }: ReportDocument): string | undefined {
  const missing = targets.filter((target) => !isCovered(target)).length;
  if (missing === 0) return undefined;
  const them = missing === 1 ? "it is" : "they are";
  return `${plural(missing, "target")} ${was(missing)} never scanned, or not scanned to the end. Nothing here says that ${them} free of risks; “What was not covered” has the reason for each.`;
}

function describeOmitted({ open, openCounts }: ReportDocument): { groupsNote?: string } {
  const omitted = threatLevels.reduce((sum, level) => sum + openCounts[level], 0) - open.length;
  if (omitted === 0) return {};
  return {
    groupsNote: `The worst ${count(mostDetailed)} risks are described here; ${count(omitted)} more are counted above. An export of the risks has them all, and a report with filters has others.`,
  };
}

const mostTargets = 40;

function describeByTarget(all: ReportDocument["openByTarget"]) {
  if (all.length < 2) return { byTarget: [] };
  const shown = all.slice(0, mostTargets);
  const most = Math.max(1, ...all.map(({ counts }) => total(counts)));
  const rest = all.slice(mostTargets).reduce((sum, { counts }) => sum + total(counts), 0);
  return {
    byTarget: shown.map(({ target, label, counts }) => ({ target: shorten(target, 120), label, total: total(counts), parts: shareLevels(counts, most) })),
    ...(rest === 0
      ? {}
      : {
          byTargetNote: `${plural(all.length - shown.length, "more target")} ${all.length - shown.length === 1 ? "has" : "have"} ${plural(rest, "open risk")}.`,
        }),
  };
}

const total = (counts: LevelCounts): number => threatLevels.reduce((sum, level) => sum + counts[level], 0);

const shareLevels = (counts: LevelCounts, most: number): LevelShare[] =>
  threatLevels.filter((level) => counts[level] > 0).map((level) => ({ level, count: counts[level], share: counts[level] / most }));

function describeAccepted({ accepted, acceptedCount }: ReportDocument): AcceptedSection[] {
  const omitted = acceptedCount - accepted.length;
  const more = omitted > 0 ? ` ${count(omitted)} more decisions are not listed.` : "";
  const sections = [
    { kind: "accepted", heading: "Accepted risks", intro: `They are there, and somebody decided that they may stay for now.${more}` },
    { kind: "false_positive", heading: "False positives", intro: `An engine reported them, and somebody found that it was wrong.${more}` },
  ];
  return sections
    .map(({ kind, heading, intro }) => ({ heading, intro, rows: groupDecisions(accepted.filter(({ acceptance }) => acceptance?.kind === kind)) }))
    .filter(({ rows }) => rows.length > 0);
}

/** One decision about the same risk of many targets is one row. */
function groupDecisions(risks: ReportRisk[]): AcceptedSection["rows"] {
  const rows = risks.map(describeDecision);
  return [...Map.groupBy(rows, ({ target: _target, ...rest }) => JSON.stringify(rest)).values()].flatMap((same) => {
    const [first] = same;
    const names = same.slice(0, mostNamed).map(({ target }) => shorten(target, 120));
    const more = same.length - names.length;
    return first ? [{ ...first, target: `${names.join(", ")}${more > 0 ? ` and ${count(more)} more` : ""}` }] : [];
  });
}

const mostNamed = 20;

function describeDecision({ acceptance, ...risk }: ReportRisk): AcceptedSection["rows"][number] {
  return {
    level: risk.threat_level,
    name: levelNames[risk.threat_level],
    title: risk.closedAt ? `${risk.title} (closed ${formatShortDate(risk.closedAt)})` : risk.title,
    target: risk.target,
    who: acceptance ? `${acceptance.author}, ${formatShortDate(acceptance.last_updated_at)}` : "",
    why: acceptance ? [acceptance.reason && reasonNames[acceptance.reason], acceptance.note].filter(Boolean).join(": ") : "",
    until: acceptance?.expires_at ? formatShortDate(acceptance.expires_at) : "no end",
  };
}

const reasonNames = {
  business_need: "Business need",
  compensating_control: "Another control",
  fix_planned: "A fix is planned",
  low_impact: "Low impact",
  not_present: "Not present",
  fix_backported: "The fix is in",
  not_affected: "Not affected",
};

function describeClosed({ closed, closedCount, scope }: ReportDocument): Report["closed"] {
  const omitted = closedCount - closed.length;
  return {
    heading: scope.risksFilter.status ? "Closed risks" : `Closed in the last ${recentDays} days`,
    intro: `A scan looked where they were and did not find them again.${omitted > 0 ? ` ${count(omitted)} more are not listed.` : ""}`,
    whenHeading: "Closed",
    rows: closed.map(({ threat_level, title, target, closedAt }) => ({
      level: threat_level,
      name: levelNames[threat_level],
      title,
      target: shorten(target, 120),
      when: closedAt ? formatShortDate(closedAt) : "",
    })),
  };
}

/** What the report was asked for, in words. */
function listScope({ scope, targets }: ReportDocument): [string, string][] {
  const { tag, target_ids } = scope.targetsFilter;
  const chosen = tag ? `those tagged ${tag.join(", ")}` : target_ids ? "those named in the request" : "all of the workspace";
  const { status, ...filters } = scope.risksFilter;
  const wanted = status ? status.map((each) => each.toLowerCase()).join(" and ") : `the open ones, and those closed in the last ${recentDays} days`;
  const others = Object.entries(filters).map(([name, values]) => `${filterNames[name as keyof typeof filterNames]}: ${values?.join(", ")}`);
  const scanned = targets.filter(isCovered).length;
  return [
    ["Targets", `${plural(targets.length, "target")}, ${chosen}`],
    ["Scanned to the end", `${count(scanned)} of ${count(targets.length)}`],
    ["Risks", [wanted, ...others].join("\n")],
  ];
}

const filterNames = {
  target_id: "of the targets with the ids",
  "target.target": "of the targets",
  tags: "of targets tagged",
  "risk_definition.scan_type": "found by",
  "risk_definition.threat_level": "threat level",
  "risk_definition.title": "title",
  is_accepted: "accepted",
  scan_id: "of the scans",
};
