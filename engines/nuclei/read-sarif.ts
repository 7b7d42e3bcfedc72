import { createHash } from "node:crypto";
import type { Detection, Outcome } from "@periscan/contract/outcome.ts";
import { z } from "zod";
import { ParseError, type ReadContext, type ReadOutcome } from "../kit/engine.ts";
import { parseWhole, readWhole } from "../kit/read-whole.ts";
import { cleanText } from "./clean-text.ts";
import { readThreatLevel, type Severity } from "./threat-levels.ts";
import type { Detail } from "./view.ts";

const Text = z.string().max(100_000);
const Message = z.object({ text: Text.optional(), markdown: Text.optional() });
const Properties = z.record(z.string(), z.unknown()).optional();
const Level = z.enum(["none", "note", "warning", "error"]);

const Rule = z.object({
  id: z.string().max(2000),
  name: z.string().max(2000).optional(),
  shortDescription: Message.optional(),
  fullDescription: Message.optional(),
  help: Message.optional(),
  helpUri: z.string().max(10_000).optional(),
  defaultConfiguration: z.object({ level: Level.optional() }).optional(),
  properties: Properties,
});
type Rule = z.infer<typeof Rule>;

const Location = z.object({
  physicalLocation: z
    .object({
      artifactLocation: z.object({ uri: z.string().max(10_000).optional() }).optional(),
      region: z.object({ startLine: z.int().optional(), snippet: Message.optional() }).optional(),
    })
    .optional(),
});

const Index = z.int().min(-1).optional();
const Name = z.string().max(2000).optional();

/** The driver of a tool, or an extension such as a pack of CodeQL's queries. */
const Component = z.object({ name: Name, guid: Name, rules: z.array(Rule).max(50_000).nullish() });
type Component = z.infer<typeof Component>;
const ComponentReference = z.object({ name: Name, guid: Name, index: Index });

const Result = z.object({
  ruleId: Name,
  ruleIndex: Index,
  rule: z.object({ id: Name, index: Index, toolComponent: ComponentReference.optional() }).optional(),
  kind: z.string().max(50).optional(),
  level: Level.optional(),
  message: Message,
  locations: z.array(Location).max(10_000).optional(),
  partialFingerprints: z.record(z.string(), z.string()).optional(),
  fingerprints: z.record(z.string(), z.string()).optional(),
  suppressions: z.array(z.object({ status: z.string().max(50).nullish() })).nullish(),
  baselineState: z.string().max(50).optional(),
  properties: Properties,
});
type Result = z.infer<typeof Result>;

/** What is read of SARIF 2.1.0: https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html */
const Sarif = z.object({
  version: z.literal("2.1.0"),
  runs: z
    .array(
      z.object({
        tool: z.object({ driver: Component.extend({ name: z.string().min(1).max(500) }), extensions: z.array(Component).max(1000).optional() }),
        results: z.array(Result).max(200_000).nullish(),
        invocations: z.array(z.object({ executionSuccessful: z.boolean(), endTimeUtc: z.string().max(100).optional() })).optional(),
      }),
    )
    .min(1)
    .max(1000),
});
type Run = z.infer<typeof Sarif>["runs"][number];

const mostDetections = 20_000;
const why = "A SARIF file has its results alone and does not say what else was looked at, so it closes nothing.";

/** The results of all runs as those of one target, which SARIF does not name. Results that are suppressed, gone, or no failure are left out. */
export async function* readSarif(file: AsyncIterable<Uint8Array>, { target }: ReadContext): AsyncIterable<ReadOutcome> {
  const parsed = Sarif.safeParse(parseWhole(await readWhole(file, 128)));
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw new ParseError(`This is not SARIF 2.1.0: ${issue?.path.map(String).join(".").slice(0, 100)}: ${issue?.message.slice(0, 200)}.`, {
      cause: parsed.error,
    });
  }
  if (!target) throw new ParseError("SARIF names files and rules and no target: say which target the file is of.");
  const { runs } = parsed.data;
  const detections = new Map<string, Detection>();
  for (const run of runs)
    for (const detection of readRun(run)) if (detections.size < mostDetections && !detections.has(detection.key)) detections.set(detection.key, detection);
  const failed = runs.flatMap(({ invocations = [] }) => invocations).some(({ executionSuccessful }) => !executionSuccessful);
  const reasons = [
    why,
    ...(failed ? ["The tool says that a run of it failed."] : []),
    ...(detections.size === mostDetections ? ["Only the first 20,000 results were kept."] : []),
  ];
  const times = runs.flatMap(({ invocations = [] }) => invocations.map(({ endTimeUtc }) => Date.parse(endTimeUtc ?? ""))).filter((at) => at > 0);
  const outcome: Outcome = { kind: "partial", reason: reasons.join(" "), notes: [], detections: [...detections.values()] };
  yield { target: target.text, ...(times.length > 0 ? { observedAt: new Date(Math.max(...times)) } : {}), outcome };
}

function* readRun({ tool, results }: Run): Iterable<Detection> {
  const findRule = createRuleFinder(tool);
  for (const result of results ?? []) {
    // A check that passed, suppressed by a person, or gone since the baseline.
    if ((result.kind ?? "fail") !== "fail" || isSuppressed(result) || result.baselineState === "absent") continue;
    const rule = findRule(result);
    const id = result.ruleId ?? result.rule?.id ?? rule?.id;
    if (!id) throw new ParseError("A result of the file names no rule.");
    yield readResult(tool.driver.name, { id, rule, result });
  }
}

/** Whether each request to suppress it is accepted (3.35.3), as one without a status is. Where they disagree nobody has decided yet, and the result stands. */
function isSuppressed({ suppressions }: Result): boolean {
  const statuses = (suppressions ?? []).map(({ status }) => status ?? "accepted");
  return statuses.length > 0 && statuses.every((status) => status === "accepted");
}

/**
 * The rule of a result (3.52.3): of the component that it names, else of the driver. An index counts where the rule there has the result's id, which may
 * have one part more (3.52.4); another rule's level and title would be wrong. Else the id alone finds it, in the other components too.
 */
function createRuleFinder({ driver, extensions = [] }: Run["tool"]): (result: Result) => Rule | undefined {
  const all = [driver, ...extensions];
  const listById = (components: Component[]) => new Map(components.flatMap(({ rules }) => rules ?? []).map((rule) => [rule.id, rule]));
  const own = new Map(all.map((component) => [component, listById([component])]));
  const anywhere = listById(all.toReversed());
  const findComponent = ({ index = -1, guid, name }: z.infer<typeof ComponentReference>): Component | undefined => {
    if (index >= 0) return extensions[index];
    if (guid !== undefined) return all.find((component) => component.guid === guid);
    return name === undefined ? driver : all.find((component) => component.name === name);
  };
  return ({ ruleId, ruleIndex, rule }) => {
    const component = findComponent(rule?.toolComponent ?? {});
    const indexed = component?.rules?.[ruleIndex ?? rule?.index ?? -1];
    const id = ruleId ?? rule?.id ?? indexed?.id;
    if (id === undefined) return undefined;
    const ids = [id, ...(id.includes("/") ? [id.slice(0, id.lastIndexOf("/"))] : [])];
    if (indexed && ids.includes(indexed.id)) return indexed;
    const found = ids.map((each) => (component && own.get(component)?.get(each)) ?? anywhere.get(each));
    return found.find((each) => each !== undefined);
  };
}

interface Found {
  id: string;
  rule: Rule | undefined;
  result: Result;
}

function readResult(tool: string, { id, rule, result }: Found): Detection {
  const severity = readSeverity(rule, result);
  const place = (result.locations ?? []).map(formatLocation).find((text) => text !== "") ?? "";
  const message = clean(result.message.text ?? result.message.markdown ?? "", 18_000);
  const title = clean(rule?.shortDescription?.text ?? rule?.name ?? (message.split("\n")[0] || id), 500).trim() || clean(id, 200);
  const key = makeKey(tool, id, result, place);
  const detail: Detail = {
    template: clean(id, 200),
    type: "sarif",
    severity,
    at: clean(place, 2000),
    extracted: [],
    ...readSnippet(result),
  };
  return {
    key,
    scope: key,
    title,
    threat_level: readThreatLevel(severity),
    description:
      [message, clean(rule?.fullDescription?.text ?? "", 1500)].filter((text) => text !== "").join("\n\n") ||
      `The rule ${clean(id, 200)} of ${clean(tool, 200)} hit.`,
    solution: clean(rule?.help?.text ?? "", 18_000) || `Follow the documentation of the rule ${clean(id, 200)} of ${clean(tool, 200)}.`,
    references: [rule?.helpUri].filter((uri) => uri !== undefined && /^https?:\/\//i.test(uri) && uri.length <= 2048 && URL.canParse(uri)) as string[],
    additional_info: { tool: clean(tool, 500), rule: clean(id, 500), severity, ...(place === "" ? {} : { location: clean(place, 2000) }) },
    detail: detail as unknown as Detection["detail"],
  };
}

const clean = (text: string, characters: number): string => cleanText(text.slice(0, characters));

const readSnippet = ({ locations }: Result): Pick<Detail, "response"> => {
  const text = locations?.[0]?.physicalLocation?.region?.snippet?.text;
  return text ? { response: clean(text, 2000) } : {};
};

/**
 * GitHub's scale where the rule has a score: https://docs.github.com/code-security/code-scanning/integrating-with-code-scanning/sarif-support-for-code-scanning.
 * Else SARIF's level, which says how bad the tool finds it (3.27.10); a result without one is a warning.
 */
function readSeverity(rule: Rule | undefined, result: Result): Severity {
  const score = readScore(result.properties?.["security-severity"] ?? rule?.properties?.["security-severity"]);
  if (score >= 0 && score <= 10) return score >= 9 ? "critical" : score >= 7 ? "high" : score >= 4 ? "medium" : score > 0 ? "low" : "info";
  return levels[result.level ?? rule?.defaultConfiguration?.level ?? "warning"];
}

const readScore = (value: unknown): number => (typeof value === "number" || (typeof value === "string" && value.trim() !== "") ? Number(value) : Number.NaN);

const levels: Record<z.infer<typeof Level>, Severity> = { error: "high", warning: "medium", note: "low", none: "info" };

function formatLocation({ physicalLocation }: z.infer<typeof Location>): string {
  const uri = physicalLocation?.artifactLocation?.uri ?? "";
  const line = physicalLocation?.region?.startLine;
  return uri === "" || line === undefined ? uri : `${uri}:${line}`;
}

/** The tool's own fingerprint where it has one, for lines move; else the place. */
function makeKey(tool: string, id: string, { fingerprints, partialFingerprints }: Result, place: string): string {
  const prints = Object.entries(fingerprints ?? partialFingerprints ?? {}).toSorted(([a], [b]) => a.localeCompare(b, "en"));
  const where = prints.length > 0 ? `${place.replace(/:\d+$/, "")}#${prints.map(([name, value]) => `${name}=${value}`).join("&")}` : place;
  const key = cleanText(`sarif:${tool}:${id}@${where}`);
  return key.length <= 500 ? key : `${key.slice(0, 400)}#${createHash("sha256").update(key).digest("hex")}`;
}
