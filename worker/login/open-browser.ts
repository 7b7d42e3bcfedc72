import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { confine, makeEnvironment } from "@periscan/engines/kit/confine.ts";
import { makeEngineFolder, makeHome, makeRunFolder } from "@periscan/engines/kit/run-folder.ts";
import { killGroup } from "@periscan/engines/kit/start-process.ts";
import { watchMemory } from "@periscan/engines/kit/watch-memory.ts";
import { type BrowserContext, chromium } from "playwright-core";
import { isSandboxOff } from "./find-browser.ts";

export interface Browser {
  context: BrowserContext;
  /** Aborted where the browser used more memory than it may, and was killed. */
  overMemory: AbortSignal;
  close(): Promise<void>;
}

interface BrowserSettings {
  /** The browser's program. */
  file: string;
  /** A run's folder (`makeRunFolder`): profile, cookies and cache go with it. */
  folder: string;
  /** The only way out: `socks5://127.0.0.1:PORT`. */
  proxyUrl: string;
  memoryBytes: number;
}

const startSeconds = 30;

/**
 * Starts a headless Chromium in its sandbox that reaches nothing but the proxy, spoken to over a pipe. Like an engine it has an account, an environment and a
 * process group of its own, dies with this process, and is killed past its memory: a small script in its folder starts it so, for Playwright starts its
 * browsers itself.
 */
export async function openBrowser({ file, folder, proxyUrl, memoryBytes }: BrowserSettings): Promise<Browser> {
  const [script, pidFile, home] = [join(folder, "browser"), join(folder, "pid"), makeHome(folder)];
  // Chromium has a socket in its temporary folder, whose path must be short (unix(7)): a data folder's may be long.
  const temporary = makeRunFolder(tmpdir(), "pb-");
  const quote = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;
  const command = [...confine("none"), file].map(quote).join(" ");
  writeFileSync(script, `#!/bin/sh\necho $$ > ${quote(pidFile)}\nexec ${command} "$@"\n`, { mode: 0o700 });
  const context = await chromium
    .launchPersistentContext(makeEngineFolder(join(home, "profile")), {
      executablePath: script,
      headless: true,
      chromiumSandbox: !isSandboxOff(),
      proxy: { server: proxyUrl },
      // What is scanned is looked at, not trusted.
      ignoreHTTPSErrors: true,
      acceptDownloads: false,
      args: [
        "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
        "--webrtc-ip-handling-policy=disable_non_proxied_udp",
        "--disable-quic",
        "--disable-gpu",
      ],
      env: makeEnvironment(home, { TMPDIR: makeHome(temporary) }),
      ...{ handleSIGINT: false, handleSIGTERM: false, handleSIGHUP: false },
      timeout: startSeconds * 1000,
    })
    .catch((error: unknown) => {
      rmSync(temporary, { recursive: true, force: true });
      throw error;
    });
  const group = Number(readFileSync(pidFile, "utf8"));
  const exceeded = new AbortController();
  const stopWatching = watchMemory(group, memoryBytes, () => {
    exceeded.abort();
    killGroup(group, "SIGKILL");
  });
  const close = async () => {
    stopWatching();
    await Promise.race([context.close().catch(() => {}), new Promise((resolve) => setTimeout(resolve, 3000).unref())]);
    killGroup(group, "SIGKILL");
    rmSync(temporary, { recursive: true, force: true, maxRetries: 5 });
  };
  return { context, overMemory: exceeded.signal, close };
}
