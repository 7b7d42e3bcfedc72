import { createHash } from "node:crypto";
import { z } from "zod";

/** What an outcome looked at on its site. */
export const Coverage = z.object({
  /** Such as `https://example.com:8443`. */
  origin: z.string().max(500),
  path: z.string().max(2048),
  /** The ids of the rules that ran to their end. */
  rules: z.array(z.string().max(20)).max(10_000),
  /** Name and version of each set of rules. */
  content: z.array(z.string().max(450)).max(20),
  /** Marks of the places that were fetched (origin.ts), one after the other: those that answered, those that answered with an error of their own, and those that refused. */
  answered: z.string().max(100_000),
  erred: z.string().max(100_000),
  refused: z.string().max(100_000).default(""),
  /** How many different places were fetched, with those for which there was no room above. */
  places: z.int().min(0),
  /** The spider stopped because there was nothing left to fetch. */
  whole: z.boolean(),
});
export type Coverage = z.infer<typeof Coverage>;

/** 24 bits: two of 2,000 places share a mark once in 8 scans, and then only these two are taken for each other. */
const markCharacters = 4;
const maxMarks = 20_000;

/** A short mark of a place, for a set of many of them. */
const markPlace = (place: string): string => createHash("sha256").update(place).digest("base64url").slice(0, markCharacters);

export const joinMarks = (places: Iterable<string>): string => [...new Set([...places].map(markPlace))].slice(0, maxMarks).join("");

const splitMarks = (marks: string): string[] => marks.match(new RegExp(`.{${markCharacters}}`, "gs")) ?? [];

/** The rule of a scope that needs none: what a fetch alone shows. */
export const fetchRule = "fetch";

interface ScopeFacts {
  /** A rule's id, perhaps with the number of its case (`10021-2`), or `fetchRule`. */
  rule: string;
  origin: string;
  /** Where it was seen on pages that answered, on pages that answered with an error, and on refusals. */
  answered: string[];
  erred: string[];
  refused?: string[];
}

const maxScopeCharacters = 480;

const shortenOrigin = (origin: string): string => (origin.length <= 200 ? origin : createHash("sha256").update(origin).digest("base64url"));

/**
 * Where a detection would be seen again, in at most 480 characters: `rule|origin|count|marks|marks`, and `|marks` where there are refusals. Where the marks of all its pages find no room,
 * those with the smallest marks stand for the rest.
 */
export function formatScope({ rule, origin, answered, erred, refused = [] }: ScopeFacts): string {
  const place = shortenOrigin(origin);
  const count = new Set([...answered, ...erred, ...refused]).size;
  const head = `${rule}|${place}|${count}|`;
  const room = Math.floor((maxScopeCharacters - head.length - 2) / markCharacters);
  const take = (places: string[], most: number) => [...new Set(places.map(markPlace))].toSorted().slice(0, most);
  const good = take(answered, room);
  const bad = take(erred, room - good.length);
  const closed = take(refused, room - good.length - bad.length);
  return `${head}${good.join("")}|${bad.join("")}${closed.length === 0 ? "" : `|${closed.join("")}`}`;
}

const Scope = /^([\w-]{1,40})\|(.+?)\|(\d{1,9})\|([\w-]*)\|([\w-]*)(?:\|([\w-]*))?$/s;

/**
 * Whether this look would have seen a risk again: its rule ran to its end on the same origin, and every page where it was seen was fetched and
 * answered (or, where it was seen on an error page or on a refusal, answered with another of that kind). Of a risk on more pages than its scope has
 * room for, as many pages must have been fetched, and the spider must have come to its end.
 */
export function readCoverage(value: unknown): (scope: string) => boolean {
  const parsed = Coverage.safeParse(value);
  if (!parsed.success) return () => false;
  const coverage = parsed.data;
  const place = shortenOrigin(coverage.origin);
  const rules = new Set(coverage.rules);
  const good = new Set(splitMarks(coverage.answered));
  const withErrors = new Set([...good, ...splitMarks(coverage.erred)]);
  const withRefusals = new Set([...good, ...splitMarks(coverage.refused)]);
  return (scope) => {
    const match = Scope.exec(scope);
    if (!match) return false;
    const [, rule = "", origin = "", count = "", answered = "", erred = "", refused = ""] = match;
    if (place !== origin || !(rule === fetchRule || rules.has(ruleOf(rule)))) return false;
    const wanted: [string[], Set<string>][] = [
      [splitMarks(answered), good],
      [splitMarks(erred), withErrors],
      [splitMarks(refused), withRefusals],
    ];
    const named = wanted.reduce((sum, [marks]) => sum + marks.length, 0);
    if (named === 0 || !wanted.every(([marks, looked]) => marks.every((mark) => looked.has(mark)))) return false;
    return Number(count) <= named || (coverage.whole && coverage.places >= Number(count));
  };
}

/** `10021-2` is a case of the rule 10021. */
export const ruleOf = (reference: string): string => reference.split("-")[0] ?? "";

/** The coverage in words, such as `https://example.com/app: 12 pages, 61 rules`. */
export function describeCoverage(value: unknown): string {
  const coverage = Coverage.safeParse(value);
  if (!coverage.success) return "";
  const { origin, path, rules, places, content } = coverage.data;
  const count = (number: number, word: string) => `${number.toLocaleString("en")} ${word}${number === 1 ? "" : "s"}`;
  const by = content.length === 0 ? "" : ` (${content.join("; ")})`;
  return `${origin}${path}: ${count(places, "page")}, ${count(rules.length, "rule")}${by}`;
}
