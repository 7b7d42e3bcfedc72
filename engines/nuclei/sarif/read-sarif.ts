import type { Outcome } from "@periscan/contract/outcome.ts";
import { ParseError, type ReadContext, type ReadOutcome } from "../../kit/engine.ts";
import { parseWhole, readWhole } from "../../kit/read-whole.ts";
import type { Tally } from "../../kit/tally.ts";
import { assessResult, createOverrideFinder, isNuclei, isUndecided } from "./assess-result.ts";
import { describeResult, type ReadResult } from "./describe-result.ts";
import { createRuleFinder } from "./find-rule.ts";
import { identifyResults, readFingerprints } from "./identify-results.ts";
import { createPlaceReader } from "./resolve-place.ts";
import { resolveText } from "./resolve-text.ts";
import { Result, Run } from "./schema.ts";

const mostDetections = 20_000;
/** More than this are not read: each is in memory until the end, for only then is it known which of them are the same. */
const mostResults = 200_000;
/** A number that the file itself names is bounded. */
const mostElsewhere = 1_000_000_000;
const why = "A SARIF file has its results alone and does not say what else was looked at, so it closes nothing.";

/**
 * The results of all runs as those of one target, which SARIF does not name. Results that are suppressed, gone, or no failure are left out, and counted.
 * What is wrong with a result or a run costs no other. Throws ParseError where the file is not SARIF 2.1.0 or has no list of runs.
 */
export async function* readSarif(file: AsyncIterable<Uint8Array>, { target, tally }: ReadContext): AsyncIterable<ReadOutcome> {
  const runs = readRuns(parseWhole(await readWhole(file, 128)));
  if (!target) throw new ParseError("SARIF names files and rules and no target: say which target the file is of.");
  const whole = runs.flatMap((run) => run ?? []);
  const results = whole.flatMap((run) => [...readResults(run, tally)]);
  const { kept, left } = keepWorst([...identifyResults(results)].map(([key, group]) => ({ key, group: worstFirst(group) })));
  for (const { group } of kept) tally.join(group.length - 1);
  if (left > 0) tally.leaveOut(`more than ${mostDetections.toLocaleString("en")} different ones`, left);
  const detections = kept.flatMap(({ key, group }) => (group[0] ? [describeResult(key, group[0])] : []));
  const doubts = [
    why,
    ...(runs.length === 0 ? ["The file has no run of a tool, and so no result."] : []),
    ...(whole.length < runs.length ? [`${runs.length - whole.length} of the file's runs could not be read.`] : []),
    ...whole.flatMap(doubtRun),
    ...doubtResults(results, tally),
    ...(left > 0 ? [`Only the worst ${mostDetections.toLocaleString("en")} results were kept.`] : []),
  ];
  const reason = [...new Set(doubts)].join(" ").slice(0, 2000);
  const outcome: Outcome = { kind: "partial", reason, notes: describeUndecided(results), detections };
  const times = whole.flatMap(({ invocations = [] }) => invocations.map((each) => Date.parse(each?.endTimeUtc ?? ""))).filter((at) => at > 0);
  yield { target: target.text, ...(times.length > 0 ? { observedAt: new Date(times.reduce((a, b) => Math.max(a, b))) } : {}), outcome };
}

/** One that cannot be read is undefined. */
function readRuns(value: unknown): (Run | undefined)[] {
  const { version, runs } = (typeof value === "object" && value !== null ? value : {}) as Record<string, unknown>;
  if (typeof version !== "string") throw new ParseError("This is not SARIF 2.1.0: version is missing.");
  if (!version.startsWith("2.1.0"))
    throw new ParseError(`This is SARIF ${version.slice(0, 20)}, and only 2.1.0 can be read. Tools of recent years write that.`);
  // 3.13.4: the list is empty where there was nothing to run, and null where that could not be found out.
  if (runs === null) throw new ParseError("The file says that its tool could not produce any run (runs is null): it tells nothing.");
  if (!Array.isArray(runs)) throw new ParseError("This is not SARIF 2.1.0: runs is not a list.");
  return runs.map((run) => Run.safeParse(run).data);
}

function* readResults(run: Run, tally: Tally): Iterable<ReadResult & { run: Run }> {
  const elsewhere = (run.externalPropertyFileReferences?.results ?? []).reduce((sum, each) => Math.min(sum + (each?.itemCount ?? 0), mostElsewhere), 0);
  const list = Array.isArray(run.results) ? run.results : [];
  tally.read(list.length + elsewhere);
  if (elsewhere > 0) tally.leaveOut("in other files, which this one names", elsewhere);
  if (list.length > mostResults) tally.leaveOut(`more than ${mostResults.toLocaleString("en")} of a run`, list.length - mostResults);
  const findRule = createRuleFinder(run.tool);
  const findOverride = createOverrideFinder(run, findRule);
  const readPlace = createPlaceReader(run);
  const tool = run.tool.driver.name ?? "a tool without a name";
  for (const value of list.slice(0, mostResults)) {
    const result = Result.safeParse(value).data;
    const excuse = result ? findExcuse(result) : unreadable;
    if (!result || excuse !== undefined) {
      tally.leaveOut(excuse ?? unreadable);
      continue;
    }
    const { ruleId: id = result.rule?.id, ruleIndex: index = result.rule?.index } = result;
    const found = findRule({ ...result.rule, id, index });
    const rule = id ?? found?.rule.id ?? "";
    const message = resolveText(result.message, found);
    const place = readPlace(result);
    if (rule === "" && message.trim() === "" && place.text === "") tally.leaveOut(unreadable);
    else {
      const assessment = assessResult(run, result, { found, findOverride });
      yield { tool, rule, message, place, fingerprints: readFingerprints(result), result, found, assessment, run };
    }
  }
}

const unreadable = "not readable as a result";

/** Why a result is none that stands; undefined where it does. */
function findExcuse(result: Result): string | undefined {
  const kind = result.kind ?? "fail";
  if (["pass", "notApplicable", "informational"].includes(kind)) return `no failure (kind ${kind})`;
  if (isSuppressed(result)) return "suppressed in the file";
  return result.baselineState === "absent" ? "gone since the file's baseline" : undefined;
}

/** Whether each request to suppress it is accepted (3.35.3), as one without a status is. Where they disagree nobody has decided yet, and the result stands. */
function isSuppressed({ suppressions = [] }: Result): boolean {
  const statuses = suppressions.flatMap((each) => (each ? [each.status ?? "accepted"] : []));
  return statuses.length > 0 && statuses.every((status) => status === "accepted");
}

const rank = ({ assessment }: ReadResult): number => ["critical", "high", "unknown", "medium", "low", "info"].indexOf(assessment.severity);

/** Of results that are the same the worst speaks for all. */
const worstFirst = (group: ReadResult[]): ReadResult[] => group.toSorted((a, b) => rank(a) - rank(b));

interface Group {
  key: string;
  group: ReadResult[];
}

/** In the file's order, unless some must go. */
function keepWorst(groups: Group[]): { kept: Group[]; left: number } {
  if (groups.length <= mostDetections) return { kept: groups, left: 0 };
  const rankOf = ({ group: [first] }: Group) => (first ? rank(first) : 0);
  const sorted = groups.toSorted((a, b) => rankOf(a) - rankOf(b));
  return { kept: sorted.slice(0, mostDetections), left: sorted.slice(mostDetections).reduce((sum, { group }) => sum + group.length, 0) };
}

/** What a run says against itself. */
function doubtRun({ tool, results, invocations = [], externalPropertyFileReferences }: Run): string[] {
  const name = (tool.driver.name ?? "a tool without a name").slice(0, 100);
  const errors = invocations.flatMap((each) => each?.toolExecutionNotifications ?? []).filter((each) => each?.level === "error").length;
  const elsewhere = externalPropertyFileReferences?.results ?? [];
  return [
    ...(invocations.some((each) => each?.executionSuccessful === false) ? ["The tool says that a run of it failed."] : []),
    ...(errors > 0 ? [`${name} met ${errors === 1 ? "an error" : `${errors.toLocaleString("en")} errors`} while it ran.`] : []),
    ...(elsewhere.length > 0 ? [`Results of ${name} are in other files, which were not read.`] : []),
    ...(Array.isArray(results) || elsewhere.length > 0 ? [] : [`A run of ${name} has no list of results: what it found is not known.`]),
  ];
}

/** What is not known of the results. */
function doubtResults(results: ReadResult[], tally: Tally): string[] {
  const unread = tally.counts().left_out.find(({ reason }) => reason === unreadable)?.count ?? 0;
  const strange = new Set(results.flatMap(({ assessment }) => assessment.strangeLevel ?? []));
  const unknown = new Set(results.filter(({ assessment }) => assessment.severity === "unknown").map(({ rule }) => rule));
  const quote = (texts: Set<string>) =>
    [...texts]
      .slice(0, 5)
      .map((text) => text.slice(0, 100))
      .join(", ");
  return [
    ...(unread > 0 ? [`${unread.toLocaleString("en")} of its results could not be read.`] : []),
    ...(strange.size > 0 ? [`SARIF knows no level ${quote(strange)}; results with it count as warnings.`] : []),
    ...(unknown.size > 0 ? [`Nobody has assessed how severe a hit of ${quote(unknown)} is; look at it yourself.`] : []),
  ];
}

function describeUndecided(results: (ReadResult & { run: Run })[]): string[] {
  const open = results.filter(({ result, run }) => isUndecided(result) && !isNuclei(run)).length;
  if (open === 0) return [];
  const many = open === 1 ? "1 result is" : `${open.toLocaleString("en")} results are`;
  return [`${many} for a person to decide: the tool does not say whether it is a failure (kind review or open).`];
}
