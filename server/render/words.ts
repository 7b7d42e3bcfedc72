import type { Acceptance, ThreatLevel } from "@periscan/contract/risk.ts";
import type { ScanTarget } from "@periscan/contract/scan.ts";
import type { Tone } from "./report.ts";

export const levelNames: Record<ThreatLevel, string> = { CRITICAL: "Critical", HIGH: "High", MEDIUM: "Medium", LOW: "Low", NONE: "Info" };

export const levelMeanings: Record<ThreatLevel, string> = {
  CRITICAL: "Usually lets whoever reaches it take the host. Act today.",
  HIGH: "A frequent way in, or gives data away. Act this week.",
  MEDIUM: "Widens what can be attacked and rarely needs to be open. Plan it.",
  LOW: "Usual, but worth knowing that it is there.",
  NONE: "Information without a threat.",
};

export const outcomeNames: Record<ScanTarget["outcome"], { label: string; tone: Tone }> = {
  complete: { label: "Scanned", tone: "good" },
  partial: { label: "Cut short", tone: "fair" },
  unreachable: { label: "No answer", tone: "bad" },
  skipped: { label: "Not scanned", tone: "bad" },
  pending: { label: "Not scanned", tone: "bad" },
};

export const count = (value: number): string => value.toLocaleString("en");
export const plural = (value: number, noun: string): string => `${count(value)} ${noun}${value === 1 ? "" : "s"}`;
export const was = (value: number): string => (value === 1 ? "was" : "were");
export const is = (value: number): string => (value === 1 ? "is" : "are");
export const joinWords = (words: string[]): string => (words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`);
export const firstSentence = (text: string): string => /^.{10,240}?[.!?](?=\s|$)/s.exec(text)?.[0] ?? text.slice(0, 240);

/** A name that may be a URL of 2,000 characters, in a sentence or a heading. */
export const shorten = (name: string, length = 80): string => (name.length <= length ? name : `${name.slice(0, length - 1).toWellFormed()}…`);

/** A decision as one sentence and its note. */
export function describeAcceptance({ kind, author, expires_at, note }: Acceptance): string {
  const end = expires_at === undefined ? "" : ` until ${formatDate(expires_at)}`;
  return `${kind === "accepted" ? "Accepted" : "Called a false positive"} by ${author}${end}: ${note}`;
}

/** A file has no reader's zone to follow without a script, so its dates say theirs. */
const dates = new Intl.DateTimeFormat("en-GB", { dateStyle: "long", timeZone: "UTC" });
const shortDates = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric", timeZone: "UTC" });
const days = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", timeZone: "UTC" });
const times = new Intl.DateTimeFormat("en-GB", { dateStyle: "long", timeStyle: "medium", timeZone: "UTC" });
export const formatDate = (iso: string): string => dates.format(new Date(iso));
/** For a column of a table. */
export const formatShortDate = (iso: string): string => shortDates.format(new Date(iso));
export const formatDay = (iso: string): string => days.format(new Date(iso));
export const formatTime = (iso: string): string => `${times.format(new Date(iso))} UTC`;

export function toCalendarDate(iso: string): { year: number; month: number; day: number } {
  const date = new Date(iso);
  return { year: date.getUTCFullYear(), month: date.getUTCMonth() + 1, day: date.getUTCDate() };
}

export function formatDuration(seconds: number): string {
  if (seconds < 60) return `${Math.max(1, Math.round(seconds))} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
  return `${Math.floor(seconds / 3600)} h ${Math.round((seconds % 3600) / 60)} min`;
}
