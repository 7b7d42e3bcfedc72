import type { Block } from "@periscan/contract/block.ts";
import type { ThreatLevel } from "@periscan/contract/risk.ts";

/** How a state or an outcome is coloured. */
export type Tone = "good" | "fair" | "bad";

/**
 * What HTML and PDF both show, of one scan or of a report over many: every text is written before, once, and they only set it. Texts are
 * literal. A part that is absent or empty is not shown.
 */
export interface Report {
  title: string;
  /** What was looked at: the target, or how many. */
  subject: string;
  /** Absent in the only workspace of a small installation. */
  workspace?: string;
  /** In words, and as numbers for the PDF's metadata. */
  date: string;
  calendarDate: { year: number; month: number; day: number };
  state?: { label: string; tone: Tone };
  summary: string[];
  /** Present where a reader could take for clean what was not looked at. */
  warning?: string;
  levels: { level: ThreatLevel; name: string; count: number; meaning: string }[];
  changes: { name: string; count: number }[];
  /** The first facts, on the cover. */
  coverFacts: [name: string, value: string][];
  /** For whoever reads one page; of a report over many scans. */
  overview?: Overview;
  groups: ReportGroup[];
  /** What the groups do not hold. */
  groupsNote?: string;
  /** People's decisions, apart. */
  accepted: AcceptedSection[];
  closed: { heading: string; intro: string; rows: { name: string; level: ThreatLevel; title: string; target: string; when: string }[]; whenHeading: string };
  targets: { heading: string; intro?: string; columns: [string, string, string, string]; rows: ReportTarget[]; note?: string };
  gaps: { target: string; what: string }[];
  gapsNote?: string;
  aboutHeading: string;
  facts: [name: string, value: string][];
}

export interface Overview {
  paragraphs: string[];
  trend?: Trend;
  /** The worst risks, by the ids of their groups. */
  first: { id: string; level: ThreatLevel; name: string; title: string; names: string }[];
  /** Worst first. */
  byTarget: { target: string; label: string; total: number; parts: LevelShare[] }[];
  byTargetNote?: string;
}

/** A part of a bar: `share` of the whole drawing's height or width, 0 to 1. */
export interface LevelShare {
  level: ThreatLevel;
  count: number;
  share: number;
}

/** Open risks over time as stacked bars, the oldest first. */
export interface Trend {
  heading: string;
  /** The same in words, for whoever cannot see it. */
  text: string;
  bars: { label: string; total: number; parts: LevelShare[] }[];
  /** Lines across, with their share of the height. */
  ticks: { label: string; share: number }[];
  levels: { level: ThreatLevel; name: string }[];
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

export interface AcceptedSection {
  heading: string;
  intro: string;
  rows: { level: ThreatLevel; name: string; title: string; target: string; who: string; why: string; until: string }[];
}

export interface ReportTarget {
  target: string;
  /** Under the target: its address, or its label. */
  more: string;
  outcome: string;
  tone: Tone;
  what: string;
  /** In the last column: risks by threat level, or a date. */
  counts: { level: ThreatLevel; count: number }[];
  when: string;
}
