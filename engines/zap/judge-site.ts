import { type Message, readHeader, readStatus, type ZapApi } from "./api-answers.ts";
import { ZapApiError } from "./call-zap.ts";
import { formatStart, isInScope, type Origin, readPlace } from "./origin.ts";
import type { SiteScan, SiteTask } from "./site-task.ts";

export const refusals = new Set([401, 403, 407]);

/** What the first answer says of the scan: a login that is not good, a site that fails, a way that leads elsewhere. */
export function judgeStart(scan: SiteScan, { origin, login }: SiteTask): void {
  const { status, target } = readAnswer(scan.start, origin);
  if (login && isLoginRefused(status, target))
    scan.cut.push(
      `The login of the target did not let the scan in: its start page answered ${status}${target === undefined ? "" : ` and led to ${cutUrl(target)}`}. Renew the login.`,
    );
  else if (status >= 500 || status === 429)
    scan.cut.push(`The start page answered with an error (${status}), so little of the site could be looked at. Scan it again when it works.`);
  else if (refusals.has(status))
    scan.notes.push(`The start page wants a login (${status}). With a login of the target, and use_authentication, more is looked at.`);
  // A host without a page at its root is usual; a page that somebody named and that is not there was never looked at.
  else if (status >= 400 && origin.path === "/")
    scan.notes.push(`The start page answered ${status}: what no page leads to was not seen. Give the URL of a page that is there.`);
  else if (status >= 400) scan.cut.push(`There is no such page: it answered ${status}. Give the URL of a page that is there.`);
  else if (status >= 300 && target !== undefined && !isInScope(target, origin))
    scan.cut.push(`The start page leads to ${cutUrl(target)}, which is no part of this target and was not scanned. Scan that one.`);
}

interface Answer {
  status: number;
  /** Where it redirects to. */
  target: string | undefined;
}

/** A page, another answer, a refusal, a failure: each says less of what is there. */
function rankAnswer({ status }: Answer): number {
  if (status >= 500 || status === 429 || status === 0) return 3;
  if (refusals.has(status)) return 2;
  return status >= 400 ? 1 : 0;
}

/** A site that has begun to hold the scan off answers less than before, or leads to a page of its guard's. */
function isWorse(before: Answer, after: Answer): boolean {
  const [rank, rankBefore] = [rankAnswer(after), rankAnswer(before)];
  if (rank !== rankBefore) return rank > rankBefore;
  return rank === 0 && after.target !== undefined && (before.target === undefined || nameTarget(before.target) !== nameTarget(after.target));
}

/** Without what differs with every request, such as a session in the query or the path. */
const nameTarget = (target: string): string => `${URL.parse(target)?.origin} ${readPlace(target).replace(/;[^/?]*/g, "")}`;

const describeAnswer = ({ status, target }: Answer): string => `answered ${status}${target === undefined ? "" : ` (to ${cutUrl(target)})`}`;

function readAnswer({ responseHeader }: Message, origin: Origin): Answer {
  const location = readHeader(responseHeader, "location");
  const status = readStatus(responseHeader);
  const isRedirect = status >= 300 && status < 400 && location !== undefined;
  return { status, target: isRedirect ? URL.parse(location, formatStart(origin))?.href : undefined };
}

const isLoginRefused = (status: number, target: string | undefined) =>
  refusals.has(status) || (target !== undefined && /(?:log|sign)[-_]?in|\/auth|\/sso/i.test(target));

export const cutUrl = (url: string) => (url.length > 200 ? `${url.slice(0, 200)}…` : url);

/** A site that holds the scan off, or breaks under it, shows little: what it refused does not count as looked at. */
export function judgePages({ pages, cut }: SiteScan): void {
  const limited = pages.filter(({ statusCode }) => statusCode === 429).length;
  if (limited > 0)
    cut.push(`The site answered ${limited.toLocaleString("en")} times that these were too many requests (429). Set options.requests_per_second.`);
  const erred = pages.filter(({ statusCode }) => statusCode >= 500 || refusals.has(statusCode)).length;
  if (erred > 2 && erred * 2 > pages.length)
    cut.push(
      `${erred.toLocaleString("en")} of ${pages.length.toLocaleString("en")} pages answered with an error or a refusal, so what is on them is not known.`,
    );
}

/** A site that has died, or that has thrown the scan out, looks clean from then on: the start page is asked for once more, and the counters are read. */
export async function judgeEnd(api: ZapApi, task: SiteTask, scan: SiteScan): Promise<void> {
  const failed = (await api.readStats("stats.network.send.failure"))["stats.network.send.failure"] ?? 0;
  if (failed > 0) scan.cut.push(`${failed.toLocaleString("en")} requests had no answer, so what they would have shown is not known.`);
  const { cut } = task.proxy.counts;
  if (cut > 0) scan.cut.push(`${cut.toLocaleString("en")} answers were longer than 8 MB, or took longer than a minute, and were cut off.`);
  await judgeRules(api, task, scan);
  try {
    const after = readAnswer(await api.access(formatStart(task.origin)), task.origin);
    const before = readAnswer(scan.start, task.origin);
    if (task.login && isLoginRefused(after.status, after.target) && !isLoginRefused(before.status, before.target))
      scan.cut.push(`The login was good at the start and no longer at the end (${after.status}).`);
    else if (isWorse(before, after))
      scan.cut.push(
        `The start page ${describeAnswer(before)} at the start and ${describeAnswer(after)} at the end: the site blocks this scan, or does not work any more. What it answered meanwhile is not what is there. Scan it again later, with options.requests_per_second.`,
      );
  } catch (error) {
    if (!(error instanceof ZapApiError) || error.status !== 500) throw error;
    scan.cut.push("At the end of the scan the site no longer answered.");
  }
}

const failedRule = "stats.periscan.rule.failed";

/**
 * A rule that broke has not looked everywhere. Periscan's own count what they did, each by its id; ZAP's only write to the log, and any line there keeps
 * the whole scan from closing anything.
 */
async function judgeRules(api: ZapApi, { rules, readRuleErrors }: SiteTask, scan: SiteScan): Promise<void> {
  const logged = readRuleErrors?.();
  if (logged && logged.count > 0)
    scan.cut.push(`Rules failed ${logged.count.toLocaleString("en")} times and did not look everywhere: ${logged.examples.join(" | ")}`);
  if (!logged) scan.notes.push("This ZAP ran before the scan, so rules of it that failed cannot be seen from here; its log names them.");
  if (rules.passive.content.origin !== "ours") return;
  const stats = await api.readStats("stats.periscan.");
  const failures = stats[failedRule] ?? 0;
  const broken = Object.keys(stats).flatMap((key) => (key.startsWith(`${failedRule}.`) ? [key.slice(failedRule.length + 1)] : []));
  scan.ran = scan.ran.filter((id) => !broken.includes(id));
  if (failures > 0)
    scan.cut.push(`Rules of Periscan's failed ${failures.toLocaleString("en")} times (${broken.slice(0, 10).join(", ")}), and did not look everywhere.`);
  const long = stats["stats.periscan.body.cut"] ?? 0;
  if (long > 0) scan.notes.push(`${long.toLocaleString("en")} answers were longer than what the rules read of one; only their beginning was looked at.`);
  if (!stats["stats.periscan.rule.ran"]) scan.cut.push("No passive rule says that it looked at a page.");
}
