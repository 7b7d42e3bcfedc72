import type { Block } from "@periscan/contract/block.ts";
import { type Acceptance, type ThreatLevel, threatLevels } from "@periscan/contract/risk.ts";
import type { ScanTarget } from "@periscan/contract/scan.ts";
import type { DocumentRisk, ScanDocument } from "@periscan/contract/scan-document.ts";

/** How a state or an outcome is coloured. */
export type Tone = "good" | "fair" | "bad";

/** A scan as HTML and PDF both show it: every text is written here once, and they only set it. Texts are literal. */
export interface Report {
  title: string;
  /** What was scanned: the target, or how many. */
  subject: string;
  /** Absent in the only workspace of a small installation. */
  workspace?: string;
  /** In words, and as numbers for the PDF's metadata. */
  date: string;
  calendarDate: { year: number; month: number; day: number };
  state: { label: string; tone: Tone };
  summary: string[];
  /** Present where a reader could take for clean what was not looked at. */
  warning?: string;
  levels: { level: ThreatLevel; name: string; count: number; meaning: string }[];
  changes: { name: string; count: number }[];
  groups: ReportGroup[];
  closed: { name: string; level: ThreatLevel; title: string; target: string; since: string }[];
  targets: ReportTarget[];
  gaps: { target: string; what: string }[];
  facts: [name: string, value: string][];
}

/** Risks that differ only in their target stand together. */
export interface ReportGroup {
  id: string;
  level: ThreatLevel;
  name: string;
  title: string;
  /** The first sentence of the description. */
  summary: string;
  description: string;
  solution: string;
  /** `isLink` only for web addresses: an engine's output is hostile, and `javascript:` is a URL too. */
  references: { text: string; isLink: boolean }[];
  /** The targets in a few words. */
  names: string;
  /** Where it was seen; targets with the same evidence stand together. */
  seen: { targets: { target: string; note: string }[]; evidence: Block[] }[];
}

export interface ReportTarget {
  target: string;
  address: string;
  outcome: string;
  tone: Tone;
  what: string;
  notes: string[];
  counts: { level: ThreatLevel; count: number }[];
}

const levelNames: Record<ThreatLevel, string> = { CRITICAL: "Critical", HIGH: "High", MEDIUM: "Medium", LOW: "Low", NONE: "Info" };

const levelMeanings: Record<ThreatLevel, string> = {
  CRITICAL: "Usually lets whoever reaches it take the host. Act today.",
  HIGH: "A frequent way in, or gives data away. Act this week.",
  MEDIUM: "Widens what can be attacked and rarely needs to be open. Plan it.",
  LOW: "Usual, but worth knowing that it is there.",
  NONE: "Information without a threat.",
};

const changeNames: Record<DocumentRisk["change"], string> = { new_open: "New", still_open: "Still open", closed: "Closed" };

const outcomeNames: Record<ScanTarget["outcome"], { label: string; tone: Tone }> = {
  complete: { label: "Scanned", tone: "good" },
  partial: { label: "Cut short", tone: "fair" },
  unreachable: { label: "No answer", tone: "bad" },
  skipped: { label: "Not scanned", tone: "bad" },
  pending: { label: "Not scanned", tone: "bad" },
};

export function describeReport(document: ScanDocument): Report {
  const { scan, summary, risks, targets } = document;
  const open = risks.filter(({ status }) => status === "OPEN");
  const openOf = Map.groupBy(open, ({ target_id }) => target_id);
  const warning = describeGaps(document);
  const endedAt = scan.finished_at ?? scan.created_at;
  const ended = new Date(endedAt);
  return {
    title: scan.title,
    subject: targets.length === 1 ? (targets[0]?.target ?? "") : `${count(targets.length)} targets`,
    ...(document.workspace === "default" ? {} : { workspace: document.workspace }),
    date: formatDate(endedAt),
    calendarDate: { year: ended.getUTCFullYear(), month: ended.getUTCMonth() + 1, day: ended.getUTCDate() },
    state: describeState(document),
    summary: describeSummary(document, open.length),
    ...(warning === undefined ? {} : { warning }),
    levels: threatLevels.map((level) => ({ level, name: levelNames[level], count: summary.risks[level], meaning: levelMeanings[level] })),
    changes: (["new_open", "still_open", "closed"] as const).map((change) => ({ name: changeNames[change], count: summary.changes[change] })),
    groups: groupRisks(open),
    closed: risks
      .filter(({ status }) => status === "CLOSED")
      .map((risk) => ({
        level: risk.threat_level,
        name: levelNames[risk.threat_level],
        title: risk.title,
        target: risk.target,
        since: formatDate(risk.first_detected_at),
      })),
    targets: targets.map((target) => describeTarget(target, openOf.get(target.target_id) ?? [])),
    gaps: document.not_covered,
    facts: listFacts(document),
  };
}

function describeState({ scan, summary, targets }: ScanDocument): Report["state"] {
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
  if (complete + partial === 0) return [looked, ...failure, "This report therefore says nothing about the security of the targets."];
  const levels = threatLevels.filter((level) => summary.risks[level] > 0).map((level) => `${count(summary.risks[level])} ${levelNames[level].toLowerCase()}`);
  const found = open === 0 ? "No risk was seen where the scan looked." : `${plural(open, "risk")} ${open === 1 ? "is" : "are"} open: ${joinWords(levels)}.`;
  const { new_open, closed } = summary.changes;
  const changed =
    new_open + closed === 0
      ? "Nothing has changed since earlier scans."
      : `Compared with earlier scans, ${plural(new_open, "risk")} ${new_open === 1 ? "is" : "are"} new and ${count(closed)} ${closed === 1 ? "is" : "are"} closed.`;
  return [looked, ...failure, found, ...(open + closed === 0 ? [] : [changed])];
}

function describeGaps({ targets, summary }: ScanDocument): string | undefined {
  const missing = targets.length - summary.targets.complete;
  if (missing === 0) return undefined;
  const them = missing === 1 ? "it is" : "they are";
  return `${plural(missing, "target")} ${was(missing)} not scanned to the end. Nothing here says that ${them} free of risks; “What was not covered” has the reason for each.`;
}

/** In the document's order, which is worst first. */
function groupRisks(risks: DocumentRisk[]): ReportGroup[] {
  const groups = Map.groupBy(risks, ({ threat_level, title, description, solution, references }) =>
    JSON.stringify([threat_level, title, description, solution, references]),
  );
  return [...groups.values()].flatMap((members, index) => {
    const [first] = members;
    if (!first) return [];
    const { threat_level: level, title, description, solution } = first;
    const references = first.references.map((text) => ({ text, isLink: /^https?:\/\//i.test(text) && URL.canParse(text) }));
    return [
      {
        id: `risk-${index + 1}`,
        level,
        name: levelNames[level],
        title,
        summary: firstSentence(description),
        description,
        solution,
        references,
        names: nameTargets(members),
        seen: groupEvidence(members),
      },
    ];
  });
}

function groupEvidence(members: DocumentRisk[]): ReportGroup["seen"] {
  const same = Map.groupBy(members, ({ evidence }) => JSON.stringify(evidence));
  return [...same.values()].map((risks) => ({
    targets: risks.map((risk) => ({
      target: risk.target,
      note: `${changeNames[risk.change]}, first seen ${formatDate(risk.first_detected_at)}${risk.acceptance ? `. ${describeAcceptance(risk.acceptance)}` : ""}`,
    })),
    evidence: risks[0]?.evidence ?? [],
  }));
}

function describeAcceptance({ kind, author, expires_at, note }: Acceptance): string {
  const end = expires_at === undefined ? "" : ` until ${formatDate(expires_at)}`;
  return `${kind === "accepted" ? "Accepted" : "Called a false positive"} by ${author}${end}: ${note}`;
}

const firstSentence = (text: string): string => /^.{10,240}?[.!?](?=\s|$)/s.exec(text)?.[0] ?? text.slice(0, 240);

const namedTargets = 3;

function nameTargets(members: DocumentRisk[]): string {
  const names = members.slice(0, namedTargets).map(({ target }) => target);
  const more = members.length - names.length;
  return `${names.join(", ")}${more > 0 ? ` and ${count(more)} more` : ""}`;
}

function describeTarget(target: ScanTarget, open: DocumentRisk[]): ReportTarget {
  const { label, tone } = outcomeNames[target.outcome];
  return {
    target: target.target,
    address: target.resolved_target && target.resolved_target !== target.target ? target.resolved_target : "",
    outcome: label,
    tone,
    what: (target.outcome === "complete" ? target.coverage : target.reason) ?? "",
    notes: target.notes,
    counts: threatLevels.map((level) => ({ level, count: open.filter(({ threat_level }) => threat_level === level).length })).filter((each) => each.count > 0),
  };
}

function listFacts({ scan, generated_at }: ScanDocument): [string, string][] {
  const options = Object.entries(scan.options).map(
    ([name, value]) => `${name.replaceAll("_", " ")}: ${typeof value === "string" ? value : JSON.stringify(value)}`,
  );
  const seconds = scan.started_at && scan.finished_at ? (Date.parse(scan.finished_at) - Date.parse(scan.started_at)) / 1000 : undefined;
  return [
    ["Scan", scan.id],
    ["Type", `${scan.type} (${scan.title})`],
    ["Engine", scan.engine_versions.join(", ") || "did not run"],
    ...(scan.content.length === 0 ? [] : [["Scanned with", scan.content.map(describeContent).join("\n")] as [string, string]]),
    ["Options", options.join("\n") || "none"],
    ["Started", scan.started_at ? formatTime(scan.started_at) : "not started"],
    ["Ended", scan.finished_at ? formatTime(scan.finished_at) : "not ended"],
    ...(seconds === undefined ? [] : [["Took", formatDuration(seconds)] as [string, string]]),
    ["Report made", formatTime(generated_at)],
  ];
}

const origins = { official: "official", ours: "Periscan's own", user: "the user's" };

const describeContent = ({ name, version, count: size, origin }: ScanDocument["scan"]["content"][number]): string =>
  `${name} ${version} (${count(size)}, ${origins[origin]})`;

const count = (value: number): string => value.toLocaleString("en");
const plural = (value: number, noun: string): string => `${count(value)} ${noun}${value === 1 ? "" : "s"}`;
const was = (value: number): string => (value === 1 ? "was" : "were");
const joinWords = (words: string[]): string => (words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`);

/** A file has no reader's zone to follow without a script, so its dates say theirs. */
const dates = new Intl.DateTimeFormat("en-GB", { dateStyle: "long", timeZone: "UTC" });
const times = new Intl.DateTimeFormat("en-GB", { dateStyle: "long", timeStyle: "medium", timeZone: "UTC" });
const formatDate = (iso: string): string => dates.format(new Date(iso));
const formatTime = (iso: string): string => `${times.format(new Date(iso))} UTC`;

function formatDuration(seconds: number): string {
  if (seconds < 60) return `${Math.max(1, Math.round(seconds))} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
  return `${Math.floor(seconds / 3600)} h ${Math.round((seconds % 3600) / 60)} min`;
}
