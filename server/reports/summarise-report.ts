import { threatLevels } from "@periscan/contract/risk.ts";
import { count, formatDate, is, joinWords, levelNames, plural, shorten, was } from "../render/words.ts";
import { isCovered } from "./describe-coverage.ts";
import { total } from "./describe-trend.ts";
import type { CoveredTarget } from "./load-coverage.ts";
import { type ReportDocument, recentDays } from "./load-report-document.ts";

/** The report in words: the first two or three sentences, for the cover, and the paragraphs of the executive summary. */
export function summariseReport(document: ReportDocument): { lead: string[]; paragraphs: string[] } {
  const lead = [describeScanned(document), ...describeOpen(document)];
  return { lead, paragraphs: [lead.join(" "), ...describeWhere(document), ...describeChange(document), ...describeDecisions(document)] };
}

function describeScanned({ targets }: ReportDocument): string {
  const scanned = targets.filter(isCovered).length;
  if (scanned === targets.length && scanned < 3) return `${scanned === 1 ? "The target was" : "Both targets were"} scanned to the end.`;
  if (scanned === targets.length) return `All ${count(scanned)} targets were scanned to the end.`;
  if (targets.every(({ looks }) => looks.length === 0))
    return targets.length === 1 ? "The target has never been scanned." : `None of the ${count(targets.length)} targets has ever been scanned.`;
  if (targets.length === 1) return "The target was not scanned to the end.";
  return `${count(scanned)} of ${plural(targets.length, "target")} ${was(scanned)} scanned to the end.`;
}

function describeOpen({ openCounts, openByTarget, scope, targets }: ReportDocument): string[] {
  const { status, is_accepted } = scope.risksFilter;
  if ((status && !status.includes("OPEN")) || (is_accepted && !is_accepted.includes("false")))
    return ["By its filters this report leaves out the open risks that call for action."];
  const levels = threatLevels.filter((level) => openCounts[level] > 0);
  const open = levels.reduce((sum, level) => sum + openCounts[level], 0);
  if (open === 0) {
    return [
      targets.some(hasLook)
        ? "No risk that calls for action is open where scans looked."
        : "This report therefore says nothing about the security of the targets.",
    ];
  }
  const parts = levels.map((level) => `${count(openCounts[level])} ${levelNames[level].toLowerCase()}`);
  const on =
    openByTarget.length === 1
      ? targets.length === 1
        ? ""
        : `, all on ${shorten(openByTarget[0]?.target ?? "")}`
      : `, on ${plural(openByTarget.length, "target")}`;
  return [`${plural(open, "risk")} ${is(open)} open${on}: ${joinWords(parts)}.`];
}

/** Whether any scan ever saw something of the target. */
const hasLook = ({ looks }: CoveredTarget): boolean => looks.some(({ completeAt, kind }) => completeAt !== undefined || kind === "partial");

function describeWhere({ openByTarget, openCounts }: ReportDocument): string[] {
  const [first] = openByTarget;
  if (!first || openByTarget.length < 2) return [];
  const worst = threatLevels.find((level) => openCounts[level] > 0) ?? "NONE";
  const affected = openByTarget.filter(({ counts }) => counts[worst] > 0).length;
  const name = levelNames[worst].toLowerCase();
  const most = first.counts[worst];
  if (affected === 1) return [`The worst of them, ${plural(most, `${name} risk`)}, ${is(most)} on ${shorten(first.target)} alone.`];
  const leads = most > (openByTarget[1]?.counts[worst] ?? 0) ? `; ${shorten(first.target)} has the most, ${count(most)}` : "";
  return [`${plural(affected, "target")} have ${name} risks${leads}.`];
}

function describeChange({ recent, trend, targets }: ReportDocument): string[] {
  if (!targets.some(hasLook)) return [];
  const { opened, closed } = recent;
  const moved =
    opened + closed === 0
      ? `In the last ${recentDays} days nothing was found for the first time and nothing was closed.`
      : `In the last ${recentDays} days ${plural(opened, "risk")} ${was(opened)} found for the first time or came back, and ${count(closed)} ${was(closed)} closed.`;
  const [first] = trend ?? [];
  const last = trend?.at(-1);
  if (!first || !last || first === last) return [moved];
  const [before, today] = [total(first), total(last)];
  if (before + today === 0) return [moved];
  const compared =
    before === today
      ? `The number of open risks is what it was on ${formatDate(first.at)}: ${count(today)}.`
      : `Since ${formatDate(first.at)} the number of open risks has ${today > before ? "risen" : "fallen"} from ${count(before)} to ${count(today)}.`;
  return [`${moved} ${compared}`];
}

function describeDecisions({ accepted, acceptedCount, generatedAt }: ReportDocument): string[] {
  if (acceptedCount === 0) return [];
  const soon = Date.parse(generatedAt) + recentDays * 86_400_000;
  const ending = accepted.filter(({ acceptance }) => acceptance?.expires_at !== undefined && Date.parse(acceptance.expires_at) < soon).length;
  const apart = `${plural(acceptedCount, "risk")} ${is(acceptedCount)} accepted or called a false positive by a person; ${acceptedCount === 1 ? "it is" : "they are"} listed apart and not counted above.`;
  return [ending === 0 ? apart : `${apart} ${plural(ending, "acceptance")} ${ending === 1 ? "ends" : "end"} within ${recentDays} days.`];
}
