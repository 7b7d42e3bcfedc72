import { setTimeout as sleep } from "node:timers/promises";
import type { Recording } from "@periscan/contract/recording.ts";
import type { TargetLogin } from "@periscan/contract/target.ts";
import { unlessAborted } from "@periscan/contract/unless-aborted.ts";
import type { PinnedTarget } from "@periscan/engines/kit/engine.ts";
import { startScopeProxy } from "@periscan/engines/kit/scope-proxy.ts";
import type { Page } from "playwright-core";
import { noSandbox, saysNoSandbox } from "./check-browser.ts";
import { findBrowser } from "./find-browser.ts";
import { StepError } from "./find-element.ts";
import { type Browser, openBrowser } from "./open-browser.ts";
import { type Replay, runStep } from "./run-step.ts";

/** All of one login. */
const replaySeconds = 120;
/** After the last step the site has this long to let the browser in. */
const endSeconds = 10;
/** Chromium's processes share much, which each of them is counted with. */
const memoryBytes = 1536 * 1024 ** 2;

export interface Replaying {
  recording: Recording;
  pinned: PinnedTarget;
  /** An empty folder, which the caller removes. */
  folder: string;
  signal: AbortSignal;
}

/**
 * Logs in as the recording does, in a browser that reaches the target's checked address alone, and answers the session that it brought: the `Authorization`
 * that the site's own pages sent, else the cookies that the target gets. Or why there is none, as a sentence. Throws only where `signal` is aborted.
 */
export async function replayRecording(replaying: Replaying): Promise<TargetLogin | string> {
  const file = findBrowser();
  if (file === undefined)
    return "The target's login is a recording, and this worker has no browser to replay it: install Chromium (such as `apt-get install chromium`), or name one with PERISCAN_CHROMIUM.";
  const proxy = await startScopeProxy(scopeOf(replaying));
  try {
    const browser = await openBrowser({ file, folder: replaying.folder, proxyUrl: proxy.url, memoryBytes });
    try {
      return await logIn(browser, replaying);
    } finally {
      await browser.close();
    }
  } catch (error) {
    replaying.signal.throwIfAborted();
    return `The recording could not be replayed: ${saysNoSandbox(error) ? noSandbox : `the browser failed (${firstLine(error)})`}.`;
  } finally {
    await proxy.close();
  }
}

/** A target that is one port stays that port, but for where the recording itself was made. */
function scopeOf({ pinned: { target, address }, recording }: Replaying) {
  const portOf = (url: URL) => Number(url.port) || (url.protocol === "https:" ? 443 : 80);
  const opened = recording.steps.filter(({ command }) => command === "open").map((step) => portOf(new URL(step.target, recording.url)));
  const ports = new Set([portOf(new URL(recording.url)), ...opened]);
  const knowsBy = "account" as const;
  return { host: target.host, address, connectSeconds: 10, knowsBy, allows: (port: number) => !("port" in target) || port === target.port || ports.has(port) };
}

async function logIn({ context, overMemory }: Browser, { recording, pinned, signal }: Replaying): Promise<TargetLogin | string> {
  const limit = AbortSignal.any([signal, overMemory, AbortSignal.timeout(replaySeconds * 1000)]);
  const page = context.pages()[0] ?? (await context.newPage());
  let authorization: string | undefined;
  context.on("request", (request) => {
    const { authorization: sent } = request.headers();
    if (sent !== undefined && hostOf(request.url()) === pinned.target.host) authorization = sent;
  });
  // Of what the pages asked for; the proxy knows also what the browser asks for its maker's sake.
  const refused = new Set<string>();
  context.on("requestfailed", (request) => {
    const { hostname, host } = new URL(request.url());
    if (hostname !== "" && hostOf(request.url()) !== pinned.target.host) refused.add(host);
  });
  const replay: Replay = { page, place: page, url: recording.url, signal: limit };
  for (const [index, step] of recording.steps.entries()) {
    try {
      await unlessAborted(runStep(replay, step), limit);
    } catch (error) {
      signal.throwIfAborted();
      const why = overMemory.aborted
        ? "the browser used too much memory"
        : limit.aborted
          ? `the login took more than ${replaySeconds} s`
          : describeError(error);
      return `The recording could not be replayed: at step ${index + 1} (${step.command}) ${why}.${describeRefused(refused)}`;
    }
  }
  const isOut = await awaitEntry(page, limit).catch(() => "the page could not be looked at");
  signal.throwIfAborted();
  if (isOut)
    return `The recording was replayed, and did not log in: ${isOut}. Record it anew, with an assert of what only a user sees.${describeRefused(refused)}`;
  return (
    (await readSession(page, authorization, pinned)) ??
    `The recording was replayed, and brought no session: no cookie for ${pinned.target.text}, and no Authorization.`
  );
}

/** Why nobody is logged in; undefined where somebody seems to be: a page that still asks for a password has let nobody in. */
async function awaitEntry(page: Page, signal: AbortSignal): Promise<string | undefined> {
  await page.waitForLoadState("networkidle", { timeout: endSeconds * 1000 }).catch(() => {});
  const until = performance.now() + endSeconds * 1000;
  while (await page.locator("input[type=password]").filter({ visible: true }).count()) {
    if (performance.now() > until) return "its last page still asks for a password";
    await sleep(100, undefined, { signal });
  }
  return undefined;
}

async function readSession(page: Page, authorization: string | undefined, { target }: PinnedTarget): Promise<TargetLogin | undefined> {
  if (authorization !== undefined && isSendable(authorization)) return { kind: "header", name: "Authorization", value: authorization };
  const url = target.kind === "url" ? target.text : new URL("/", page.url()).href;
  const cookies = (await page.context().cookies(url)).filter(({ name, value }) => isSendable(`${name}=${value}`));
  const [first, ...more] = cookies;
  if (!first) return undefined;
  if (more.length === 0 && first.value !== "") return { kind: "cookie", name: first.name, value: first.value };
  return { kind: "header", name: "Cookie", value: cookies.map(({ name, value }) => `${name}=${value}`).join("; ") };
}

/** As a login that somebody sets by hand: what goes into a header must not end it. */
const isSendable = (text: string): boolean => text.length <= 8192 && /^[\x20-\x7e]+$/.test(text);

const hostOf = (url: string): string => new URL(url).hostname.replace(/^\[(.*)\]$/, "$1").toLowerCase();

function describeError(error: unknown): string {
  if (error instanceof StepError) return error.message;
  const code = /net::ERR_\w+/.exec(firstLine(error))?.[0];
  return code === undefined ? `the browser could not do it (${firstLine(error)})` : `the page could not be loaded (${code})`;
}

/** Playwright's messages go on with a log of what it tried, which may hold what was typed. */
const firstLine = (error: unknown): string =>
  String(error instanceof Error ? error.message : error)
    .split("\n")[0]
    ?.slice(0, 200) ?? "";

const describeRefused = (refused: Set<string>): string =>
  refused.size === 0 ? "" : ` Requests to other places were refused: ${[...refused].slice(0, 5).join(", ")}.`;
