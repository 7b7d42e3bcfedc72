import { setTimeout as sleep } from "node:timers/promises";
import { EngineError } from "../kit/engine.ts";
import { askState, countTests, type FeedName, noTests, readFeedInfo } from "./feed.ts";
import { requireInstalled } from "./install.ts";
import type { OspAddress } from "./osp-client.ts";
import { type Scanner, startScanner } from "./scanner.ts";
import { readFeedFolder, readOwnScanner, readScannerMemory, rootFolder } from "./settings.ts";

/** A scanner whose tests are loaded, for as long as one run needs it. */
export interface UsedScanner {
  address: OspAddress;
  /** Such as `OpenVAS 23.45.1`. */
  version: string;
  feed: FeedName;
  /** Why it is over, where Periscan started it and knows. */
  over(): EngineError | undefined;
  /** The run is done with it. */
  release(): void;
}

interface Shared {
  key: string;
  scanner: Scanner;
  /** The version of the feed that it was started with. */
  version: string;
  users: number;
  idle: NodeJS.Timeout | undefined;
}

/** Loading the tests again costs minutes with Greenbone's whole feed. */
const idleMinutes = 15;

/** All tasks of this process share one scanner: it is started by the first that needs it. */
let shared: Shared | undefined;

interface UseContext {
  enginesFolder: string;
  signal: AbortSignal;
  log(message: string, fields?: Record<string, unknown>): void;
}

/** The user's own scanner, or the installed one, started where it does not run. Throws EngineError where it has no tests. */
export async function useScanner(context: UseContext): Promise<UsedScanner> {
  const own = readOwnScanner();
  if (own) return { address: own, ...(await waitForFeed(own, context.signal)), over: () => undefined, release: () => {} };
  const used = await share(context);
  const release = () => leave(used);
  try {
    await used.scanner.waitReady(context.signal);
    const { address } = used.scanner;
    return { address, ...(await waitForFeed(address, context.signal)), over: used.scanner.over, release };
  } catch (error) {
    release();
    throw error;
  }
}

async function share({ enginesFolder, log }: UseContext): Promise<Shared> {
  requireInstalled(enginesFolder);
  const settings = { root: rootFolder(enginesFolder), plugins: readFeedFolder(enginesFolder), memoryBytes: readScannerMemory() };
  const key = JSON.stringify(settings);
  const feed = readFeedInfo(settings.plugins);
  if (!feed || countTests(settings.plugins, feed) === 0) throw noTests();
  // A scanner that loads a new feed keeps the tests of the old one in its list, also those that are gone: it begins anew instead.
  if (shared && (shared.scanner.over() || ((shared.key !== key || shared.version !== feed.version) && shared.users === 0))) await stopScanner();
  // Settings come from the environment, which does not change while a worker runs: another key is a test's.
  if (shared && shared.key !== key) throw new EngineError("engine.busy", "Another OpenVAS scanner of this worker is in use.", { retry: true });
  if (!shared) {
    log("OpenVAS scanner starts", settings);
    shared = { key, version: feed.version, scanner: startScanner(settings), users: 0, idle: undefined };
  }
  clearTimeout(shared.idle);
  shared.users += 1;
  return shared;
}

function leave(used: Shared): void {
  used.users -= 1;
  if (used.users > 0) return;
  used.idle = setTimeout(() => void (shared === used && stopScanner()), idleMinutes * 60_000);
  used.idle.unref();
}

/** Ends the shared scanner, whoever uses it. */
export async function stopScanner(): Promise<void> {
  const stopping = shared;
  shared = undefined;
  clearTimeout(stopping?.idle);
  await stopping?.scanner.stop();
}

const feedSeconds = 900;

/** While a feed is loaded the scanner names no version. An empty one stays so. */
async function waitForFeed(address: OspAddress, signal: AbortSignal): Promise<{ version: string; feed: FeedName }> {
  const deadline = performance.now() + feedSeconds * 1000;
  for (;;) {
    const { version, feed } = await askState(address, signal);
    if (feed) return { version, feed };
    if (performance.now() > deadline) throw noTests();
    await sleep(1000, undefined, { signal });
  }
}
