import { askProgram } from "@periscan/engines/kit/ask-program.ts";
import { findBrowser, isSandboxOff } from "./find-browser.ts";

/** What Chromium says that finds no way to shut its pages in: content/browser/zygote_host of its sources. */
export const saysNoSandbox = (error: unknown): boolean =>
  /No usable sandbox|Failed to move to new namespace|clone\(\) failed|unshare\([^)]*\) failed/i.test(String(error));

export const noSandbox =
  "the browser cannot set up its sandbox, since this system lets accounts make no user namespaces (user.max_user_namespaces, kernel.unprivileged_userns_clone, kernel.apparmor_restrict_unprivileged_userns, or a container's seccomp profile): allow them, or set PERISCAN_CHROMIUM_SANDBOX=off for a browser without";

/** Whether the browser that replays recorded logins starts here, in its sandbox, as engines are started; and what to do where it does not. Without a browser it is well: only recorded logins need one. */
export async function checkBrowser(): Promise<{ ok: boolean; detail: string }> {
  const file = findBrowser();
  if (file === undefined) return { ok: true, detail: "none: recorded logins need Chromium (apt-get install chromium, or PERISCAN_CHROMIUM)" };
  const options = isSandboxOff() ? ["--no-sandbox"] : [];
  try {
    await askProgram({ file, args: ["--headless", "--no-first-run", "--disable-gpu", ...options, "--dump-dom", "about:blank"], seconds: 30 });
    return { ok: true, detail: `${file}, ${isSandboxOff() ? "without its sandbox (PERISCAN_CHROMIUM_SANDBOX=off)" : "in its sandbox"}` };
  } catch (error) {
    return {
      ok: false,
      detail: `${file}: ${saysNoSandbox(error) ? noSandbox : `it does not start (${(error as Error).message.trim().split("\n").at(-1)?.slice(0, 300)})`}`,
    };
  }
}
