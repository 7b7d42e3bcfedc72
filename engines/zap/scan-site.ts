import { setTimeout as sleep } from "node:timers/promises";
import type { TargetLogin } from "@periscan/contract/target.ts";
import { type Alert, createApi, type FetchedPage, type Message, readHeader, readStatus, type ZapApi } from "./api-answers.ts";
import { type CallZap, ZapApiError } from "./call-zap.ts";
import type { ZapOptions } from "./options.ts";
import { formatOrigin, formatScope, formatStart, isInScope, type Origin } from "./origin.ts";
import type { Rules } from "./read-rules.ts";
import type { AllowProxy } from "./start-proxy.ts";
import type { RunningZap } from "./start-zap.ts";

export interface SiteTask {
  call: CallZap;
  readRuleErrors: RunningZap["readRuleErrors"];
  proxy: AllowProxy;
  rules: Rules;
  origin: Origin;
  options: ZapOptions;
  isActive: boolean;
  login: TargetLogin | undefined;
  signal: AbortSignal;
  /** The share that is done, 0 to 1. */
  report(fraction: number): void;
}

/** What a scan of one site saw. */
export interface SiteScan {
  /** The first answer to the start page. */
  start: Message;
  pages: FetchedPage[];
  alerts: Alert[];
  /** The request and answer of some alerts, by the id of their message. */
  messages: Map<string, Message>;
  /** The ids of the rules that ran to their end. */
  ran: string[];
  /** The spider had nothing left to fetch. */
  whole: boolean;
  /** Why not all was looked at; empty where all was. */
  cut: string[];
  notes: string[];
}

/** The site did not answer at all. */
export class UnreachableError extends Error {}

const pollMilliseconds = 250;
const maxAlerts = 50_000;
const alertsPerPage = 1000;
const messagesPerAlert = 2;
const contextName = "periscan";

/** Scans one site: spider, passive rules, and active rules where it is an active scan. Throws UnreachableError where the start page does not come. */
export async function scanSite(task: SiteTask): Promise<SiteScan> {
  const api = createApi(task.call);
  const end = performance.now() + task.options.max_minutes * 60_000;
  await prepare(api, task);
  const start = await openStart(api, task);
  const scan: SiteScan = { start, pages: [], alerts: [], messages: new Map(), ran: [...task.rules.passive.ids], whole: false, cut: [], notes: [] };
  noteStart(scan, task);
  const run: Run = { api, task, scan, end, share: task.isActive ? 0.25 : 0.8 };
  await crawl(run);
  await awaitPassiveRules(run);
  if (task.isActive) await attack(run);
  await collect(run);
  await checkEnd(run);
  return scan;
}

interface Run {
  api: ZapApi;
  task: SiteTask;
  scan: SiteScan;
  /** By performance.now(). */
  end: number;
  /** How much of the progress the spider takes. */
  share: number;
}

const isOver = ({ end }: Run) => performance.now() >= end;

const describeTime = ({ task }: Run, what: string) =>
  `${what} was stopped after ${task.options.max_minutes} minutes. Raise options.max_minutes, or scan a smaller part of the site.`;

/** A fresh session with the proxy in front, the target as its only context, and nothing allowed outside. */
async function prepare(api: ZapApi, { proxy, origin, options, login }: SiteTask): Promise<void> {
  await api.do("core/action/newSession", { name: "", overwrite: true });
  // A session begins anew, the counters go on.
  await api.do("stats/action/clearStats", { keyPrefix: "stats." });
  await api.do("core/action/setMode", { mode: "protect" });
  await api.do("network/action/setHttpProxy", { host: "127.0.0.1", port: proxy.port, realm: "periscan", username: proxy.user, password: proxy.password });
  await api.do("network/action/setHttpProxyAuthEnabled", { enabled: true });
  await api.do("network/action/setHttpProxyEnabled", { enabled: true });
  await api.do("context/action/newContext", { contextName });
  await api.do("context/action/includeInContext", { contextName, regex: formatScope(origin) });
  // A page that ends the session would leave the rest of the scan outside.
  if (login) await api.do("context/action/excludeFromContext", { contextName, regex: "(?i)^[^?#]*(?:log|sign)[-_]?(?:out|off)\\b.*$" });
  await api.do("pscan/action/setScanOnlyInScope", { onlyInScope: true });
  const integers = { MaxDepth: options.spider_depth, MaxChildren: options.max_children, ThreadCount: options.requests_at_once, MaxDuration: 0 };
  for (const [name, value] of Object.entries(integers)) await api.do(`spider/action/setOption${name}`, { Integer: value });
  // Its reader of .svn wants a database that Periscan's build does not have.
  const booleans = { PostForm: options.submit_forms, ProcessForm: true, ParseSVNEntries: false, ParseGit: false };
  for (const [name, value] of Object.entries(booleans)) await api.do(`spider/action/setOption${name}`, { Boolean: value });
  await api.do("ascan/action/setOptionThreadPerHost", { Integer: options.requests_at_once });
}

async function openStart(api: ZapApi, { origin, proxy }: SiteTask): Promise<Message> {
  try {
    return await api.access(formatStart(origin));
  } catch (error) {
    // A broken connection is an internal error to ZAP; a ZAP that is gone is status 0.
    if (!(error instanceof ZapApiError) || error.status !== 500) throw error;
    const why = proxy.counts.connected > 0 ? "It accepted a connection, and gave no answer that ZAP can read" : "It accepted no connection";
    throw new UnreachableError(`${formatStart(origin)} could not be opened. ${why}.`, { cause: error });
  }
}

const refusals = new Set([401, 403, 407]);

function noteStart(scan: SiteScan, { origin, login }: SiteTask): void {
  const status = readStatus(scan.start.responseHeader);
  const location = readHeader(scan.start.responseHeader, "location");
  const target = location === undefined ? undefined : URL.parse(location, formatStart(origin))?.href;
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

const isLoginRefused = (status: number, target: string | undefined) =>
  refusals.has(status) || (status >= 300 && status < 400 && target !== undefined && /(?:log|sign)[-_]?in|\/auth|\/sso/i.test(target));

const cutUrl = (url: string) => (url.length > 200 ? `${url.slice(0, 200)}…` : url);

async function crawl(run: Run): Promise<void> {
  const { api, task, scan } = run;
  const scanId = await api.start("spider/action/scan", { url: formatStart(task.origin), contextName, recurse: true, maxChildren: task.options.max_children });
  const finished = await waitFor(run, "The spider", async () => {
    const status = await api.status("spider/view/status", scanId);
    task.report((status / 100) * run.share);
    return status === 100;
  });
  if (!finished) await api.do("spider/action/stop", { scanId });
  const { urlsInScope, urlsIoError } = await api.listFetched(scanId);
  const lost = urlsIoError.filter(({ url }) => isInScope(url, task.origin));
  scan.pages = urlsInScope.filter(({ url }) => isInScope(url, task.origin));
  if (lost.length > 0)
    scan.cut.push(
      `${lost.length.toLocaleString("en")} of ${(scan.pages.length + lost.length).toLocaleString("en")} pages could not be fetched, such as ${cutUrl(lost[0]?.url ?? "")}.`,
    );
  const unfollowed = scan.pages.filter(({ processed, reasonNotProcessed }) => !processed && /^max/i.test(reasonNotProcessed)).length;
  if (unfollowed > 0)
    scan.notes.push(
      `The links of ${unfollowed.toLocaleString("en")} pages were not followed: they lie deeper than spider_depth (${task.options.spider_depth}) or are more than max_children (${task.options.max_children}).`,
    );
  scan.whole = finished && lost.length === 0 && unfollowed === 0;
}

async function awaitPassiveRules(run: Run): Promise<void> {
  const { api, task, share } = run;
  const most = Math.max(1, await api.countQueued());
  await waitFor(run, "Looking at the fetched pages", async () => {
    const left = await api.countQueued();
    task.report(share + 0.1 * (1 - Math.min(1, left / most)));
    return left === 0;
  });
}

async function attack(run: Run): Promise<void> {
  const { api, task, scan } = run;
  if (isOver(run)) return;
  const scanId = await startAttack(run);
  if (scanId === undefined) return;
  const finished = await waitFor(run, "The active scan", async () => {
    const status = await api.status("ascan/view/status", scanId);
    task.report(0.35 + (status / 100) * 0.55);
    return status === 100;
  });
  // A scan that was stopped calls itself finished too, and its rules complete: what they had done is asked before.
  const rules = await api.listActiveRules(scanId);
  if (!finished) await api.do("ascan/action/stop", { scanId });
  const ended = (await api.listActiveScans()).find(({ id }) => id === scanId);
  if (finished && (ended?.state !== "FINISHED" || ended.reqCount === 0))
    scan.cut.push("The active scan sent no request: ZAP had nothing to attack, or the site was gone.");
  judgeActiveRules(run, rules);
  await awaitPassiveRules(run);
}

async function startAttack({ api, task, scan }: Run): Promise<string | undefined> {
  const { origin } = task;
  try {
    return await api.start("ascan/action/scan", { url: formatStart(origin), recurse: true, inScopeOnly: true });
  } catch (error) {
    if (!(error instanceof ZapApiError) || error.code !== "url_not_found") throw error;
    scan.cut.push("The active scan could not begin: ZAP has kept no page of the site.");
    return undefined;
  }
}

/** Only what ran to its end has looked; what had nothing to look at here (no such technology, no parameter) has not, and is no fault. */
function judgeActiveRules({ task, scan }: Run, rules: { id: string; status: string }[]): void {
  const status = new Map(rules.map((rule) => [rule.id, rule.status]));
  const complete = task.rules.active.ids.filter((id) => /^complete/i.test(status.get(id) ?? ""));
  const cut = task.rules.active.ids.filter((id) => !complete.includes(id) && !isSkippedForGood(status.get(id) ?? ""));
  scan.ran.push(...complete);
  if (cut.length > 0) scan.cut.push(`${cut.length} of ${task.rules.active.ids.length} active rules did not run to their end (${cut.slice(0, 10).join(", ")}).`);
}

const isSkippedForGood = (status: string) => /^skipped/i.test(status) && !/time|user|max/i.test(status);

/** Asks until it is done; answers false, with the reason noted, where the scan's time is over before. */
async function waitFor(run: Run, what: string, isDone: () => Promise<boolean>): Promise<boolean> {
  for (;;) {
    if (await isDone()) return true;
    if (isOver(run)) {
      run.scan.cut.push(describeTime(run, what));
      return false;
    }
    await sleep(pollMilliseconds, undefined, { signal: run.task.signal });
  }
}

/** The alerts on the target's own pages, with the messages of the first places of each. */
async function collect({ api, task, scan }: Run): Promise<void> {
  for (let start = 0; ; start += alertsPerPage) {
    const page = await api.listAlerts(formatOrigin(task.origin), start, alertsPerPage);
    scan.alerts.push(...page.filter(({ url }) => isInScope(url, task.origin)));
    if (page.length < alertsPerPage) break;
    if (start + alertsPerPage >= maxAlerts) {
      scan.cut.push(`There are more than ${maxAlerts.toLocaleString("en")} alerts; the rest was not read. Scan smaller parts of the site.`);
      break;
    }
  }
  const taken = new Map<string, number>();
  for (const { alertRef, messageId } of scan.alerts) {
    const count = taken.get(alertRef) ?? 0;
    if (count >= messagesPerAlert || scan.messages.has(messageId)) continue;
    taken.set(alertRef, count + 1);
    const message = await api.readMessage(messageId).catch((error: unknown) => {
      if (error instanceof ZapApiError && error.status !== 0) return undefined;
      throw error;
    });
    if (message) scan.messages.set(messageId, message);
  }
}

/** A site that has died, or that has thrown the scan out, looks clean from then on: the start page is asked for once more, and the counters are read. */
async function checkEnd({ api, task, scan }: Run): Promise<void> {
  const failed = (await api.readStats("stats.network.send.failure"))["stats.network.send.failure"] ?? 0;
  if (failed > 0) scan.cut.push(`${failed.toLocaleString("en")} requests had no answer, so what they would have shown is not known.`);
  await judgeRules(api, task, scan);
  try {
    const status = readStatus((await api.access(formatStart(task.origin))).responseHeader);
    const before = readStatus(scan.start.responseHeader);
    if (task.login && refusals.has(status) && !refusals.has(before)) scan.cut.push(`The login was good at the start and no longer at the end (${status}).`);
    else if (status >= 500 && before < 500) scan.cut.push(`At the end of the scan the start page answered with an error (${status}).`);
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
