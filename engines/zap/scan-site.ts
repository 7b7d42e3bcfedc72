import { setTimeout as sleep } from "node:timers/promises";
import { bracket } from "@periscan/contract/target-syntax.ts";
import { EngineError } from "../kit/engine.ts";
import { createApi, type Message, type ZapApi } from "./api-answers.ts";
import { ZapApiError } from "./call-zap.ts";
import { cutUrl, judgeEnd, judgePages, judgeStart } from "./judge-site.ts";
import { formatOrigin, formatScope, formatStart, isInScope } from "./origin.ts";
import type { SiteScan, SiteTask } from "./site-task.ts";

/** The site did not answer at all. */
export class UnreachableError extends Error {}

const pollMilliseconds = 250;
const maxAlerts = 50_000;
const alertsPerPage = 1000;
const messagesPerAlert = 2;
const spiderTries = 3;
const contextName = "periscan";

/** Scans one site: spider, passive rules, and active rules where it is an active scan. Throws UnreachableError where the start page does not come. */
export async function scanSite(task: SiteTask): Promise<SiteScan> {
  const api = createApi(task.call);
  const end = performance.now() + task.options.max_minutes * 60_000;
  await prepare(api, task);
  const start = await openStart(api, task);
  const scan: SiteScan = { start, pages: [], alerts: [], messages: new Map(), ran: [...task.rules.passive.ids], whole: false, cut: [], notes: [] };
  judgeStart(scan, task);
  const run: Run = { api, task, scan, end, share: task.isActive ? 0.25 : 0.8 };
  await crawl(run);
  await awaitPassiveRules(run);
  if (task.isActive) await attack(run);
  await collect(run);
  await judgeEnd(api, task, scan);
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

/** What was fetched is looked at even where the time is over. */
const graceSeconds = 60;

/** Their content tells the rules nothing, and costs the most. */
const downloads =
  "(?i)^[^?#]*\\.(?:zip|gz|tgz|bz2|xz|7z|rar|tar|iso|img|dmg|exe|msi|deb|rpm|apk|jar|mp[34]|m4[av]|mkv|avi|mov|webm|ogg|wav|flac|woff2?|ttf|otf|pdf|docx?|xlsx?|pptx?)(?:[?#].*)?$";
const logouts = "(?i)^[^?#]*(?:log|sign)[-_]?(?:out|off)\\b.*$";

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
  for (const regex of login ? [downloads, logouts] : [downloads]) await api.do("context/action/excludeFromContext", { contextName, regex });
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
    if (proxy.counts.clients === 0)
      throw new EngineError(
        "engine.proxy_unreached",
        "ZAP did not come through the worker's proxy on 127.0.0.1. A ZAP that runs already must be on the worker's machine; a container of it needs the host's network.",
        {
          retry: false,
        },
      );
    const why = proxy.counts.connected > 0 ? "It accepted a connection, and gave no answer that ZAP can read" : "It accepted no connection";
    throw new UnreachableError(`${formatStart(origin)} could not be opened. ${why}.`, { cause: error });
  }
}

async function crawl(run: Run): Promise<void> {
  const { api, task, scan } = run;
  const scanId = await startSpider(run);
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
  judgePages(scan);
  scan.whole = finished && lost.length === 0 && unfollowed === 0;
}

/** ZAP looks the start up in its tree of sites, which its other threads may be writing; where that breaks, nothing has begun. */
async function startSpider({ api, task }: Run): Promise<string> {
  for (let tries = 1; ; tries++) {
    try {
      return await api.start("spider/action/scan", { url: formatStart(task.origin), contextName, recurse: true, maxChildren: task.options.max_children });
    } catch (error) {
      if (!(error instanceof ZapApiError) || error.code !== "internal_error" || tries === spiderTries) throw error;
      await sleep(pollMilliseconds, undefined, { signal: task.signal });
    }
  }
}

async function awaitPassiveRules(run: Run): Promise<void> {
  const { api, task, share } = run;
  const most = Math.max(1, await api.countQueued());
  const patient = { ...run, end: Math.max(run.end, performance.now() + graceSeconds * 1000) };
  await waitFor(patient, "Looking at the fetched pages", async () => {
    const left = await api.countQueued();
    task.report(share + 0.1 * (1 - Math.min(1, left / most)));
    return left === 0;
  });
}

async function attack(run: Run): Promise<void> {
  const { api, task, scan } = run;
  if (isOver(run)) return;
  const listens = await listenForCallbacks(run);
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
  // ZAP takes an empty parameter for a missing one; a blank address ends the listener.
  if (listens) await api.do("periscan/action/setListener", { address: " " });
  await awaitPassiveRules(run);
}

/**
 * A server that fetches any address that it is given shows it by calling here. Only Periscan's rule looks for that, and it is skipped without a
 * listener. Answers whether there is one.
 */
async function listenForCallbacks({ api, task, scan }: Run): Promise<boolean> {
  const address = task.proxy.counts.localAddress;
  if (task.rules.active.content.origin !== "ours" || !task.options.callback_listener || address === undefined) return false;
  try {
    await api.do("periscan/action/setListener", { address: `${bracket(address)}:0` });
    return true;
  } catch (error) {
    if (!(error instanceof ZapApiError) || error.status === 0) throw error;
    scan.notes.push(`No port could be opened on ${address}, so server-side request forgery was not looked for.`);
    return false;
  }
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
