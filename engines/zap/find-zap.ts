import { existsSync, readdirSync, realpathSync } from "node:fs";
import { dirname, join } from "node:path";
import { explainBarrier } from "../kit/engine-account.ts";
import { findEngineProgram } from "../kit/find-program.ts";
import { readRuleAddOn } from "./build-zap.ts";

/** A ZAP that scans can use. */
export type Zap =
  /** Periscan's build, with Periscan's rules. */
  | { kind: "ours"; folder: string }
  /** A whole ZAP of the user's, with ZAP's rules; `jar` is the file to start. */
  | { kind: "full"; folder: string; jar: string }
  /** One that runs already and that others may use too: it is never shut down. */
  | { kind: "running"; url: string; key: string };

/** The ZAP to use: one that runs, one of the user's, or ours; or why there is none. Looks at files alone. */
export function findZap(enginesFolder: string, environment: NodeJS.ProcessEnv = process.env): Zap | { kind: "missing"; reason: string } {
  const { PERISCAN_ZAP_URL: url, PERISCAN_ZAP_KEY: key, ZAP_HOME: home } = environment;
  if (url) return key ? findRunning(url, key) : missing("PERISCAN_ZAP_URL is set, but PERISCAN_ZAP_KEY is not: ZAP's API needs its key.");
  if (home) return findNamed(home);
  const script = findEngineProgram("zap.sh");
  const full = script === undefined ? undefined : findFull(dirname(realpathSync(script)));
  if (full) return full;
  const folder = join(enginesFolder, readRuleAddOn().folderName);
  return existsSync(folder) ? { kind: "ours", folder } : missing("ZAP is not installed. `./periscan engines install zap` installs it.");
}

const missing = (reason: string) => ({ kind: "missing" as const, reason });

function findNamed(home: string): ReturnType<typeof findZap> {
  const full = findFull(home);
  if (full?.kind !== "full") return missing(`ZAP_HOME is ${home}, where no zap-*.jar is. Name the folder that ZAP was unpacked to.`);
  const barrier = explainBarrier(full.jar);
  return barrier === undefined ? full : missing(`ZAP_HOME is ${home}, and ${barrier}.`);
}

function findRunning(url: string, key: string): ReturnType<typeof findZap> {
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) return missing("PERISCAN_ZAP_URL is not a URL, such as http://127.0.0.1:8080.");
  return { kind: "running", url: url.replace(/\/+$/, ""), key };
}

function findFull(folder: string): Zap | undefined {
  try {
    const jar = readdirSync(folder).find((name) => /^zap-[\w.-]+\.jar$/.test(name));
    return jar === undefined ? undefined : { kind: "full", folder, jar: join(folder, jar) };
  } catch {
    return undefined;
  }
}
