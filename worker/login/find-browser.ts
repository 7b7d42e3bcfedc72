import { findEngineProgram, isExecutable } from "@periscan/engines/kit/find-program.ts";

const names = ["chromium", "chromium-browser", "google-chrome-stable", "google-chrome"];

/** The browser has no sandbox: the operator says so, for a system on which it cannot have one. */
export const isSandboxOff = (): boolean => process.env.PERISCAN_CHROMIUM_SANDBOX === "off";

/** The browser that replays recordings: `PERISCAN_CHROMIUM`, else a Chromium on PATH. Undefined where there is none. */
export function findBrowser(): string | undefined {
  const given = process.env.PERISCAN_CHROMIUM;
  if (given) return isExecutable(given) ? given : undefined;
  for (const name of names) {
    const file = findEngineProgram(name);
    if (file) return file;
  }
  return undefined;
}
