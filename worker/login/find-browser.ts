import { constants } from "node:fs";
import { access } from "node:fs/promises";
import { delimiter, join } from "node:path";

const names = ["chromium", "chromium-browser", "google-chrome-stable", "google-chrome"];

/** The browser that replays recordings: `PERISCAN_CHROMIUM`, else a Chromium on PATH. Undefined where there is none. */
export async function findBrowser({ PERISCAN_CHROMIUM: given, PATH = "" }: NodeJS.ProcessEnv): Promise<string | undefined> {
  const files = given ? [given] : PATH.split(delimiter).flatMap((folder) => names.map((name) => join(folder, name)));
  for (const file of files) {
    const isThere = await access(file, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (isThere) return file;
  }
  return undefined;
}
