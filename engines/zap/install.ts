import { join } from "node:path";
import type { ScanType } from "@periscan/contract/scan.ts";
import type { EngineStatus } from "@periscan/contract/worker-protocol.ts";
import { EngineError, type InstallContext } from "../kit/engine.ts";
import { findProgram } from "../kit/find-program.ts";
import { installFolder, installSystemPackage, withInstallLock } from "../kit/install.ts";
import { shareAnswer } from "../kit/share-answer.ts";
import { buildZap, readRuleAddOn, zapVersion } from "./build-zap.ts";
import { createCaller, waitUntilReady } from "./call-zap.ts";
import { type ContentRecord, readContentRecord, writeContentRecord } from "./content-record.ts";
import { findJava, oldestJava } from "./find-java.ts";
import { findZap, type Zap } from "./find-zap.ts";
import { findGuard, guardMissing, installGuard } from "./proxy-guard.ts";
import { type Rules, readRules } from "./read-rules.ts";
import { startZap } from "./start-zap.ts";

const needsJava = `ZAP needs Java ${oldestJava} or later. \`./periscan engines install zap\` installs it.`;

/** Looks at files, and at the record of the last start; only of a ZAP that runs already it asks the version. */
export async function probe(type: ScanType, { enginesFolder }: { enginesFolder: string }): Promise<Omit<EngineStatus, "type" | "installing">> {
  try {
    const zap = findZap(enginesFolder);
    if (zap.kind === "missing") return { ready: false, missing: zap.reason };
    const java = findJava();
    if (zap.kind !== "running" && (!java || java.version < oldestJava)) return { ready: false, missing: needsJava };
    if (zap.kind !== "running" && findGuard(enginesFolder) === undefined) return { ready: false, missing: guardMissing };
    const running = zap.kind === "running" ? await askVersion(zap) : undefined;
    if (zap.kind === "running" && running === undefined) return { ready: false, missing: `No ZAP answers at ${zap.url} with the key of PERISCAN_ZAP_KEY.` };
    const record = readContentRecord(enginesFolder, zap);
    const version = `ZAP ${running ?? record?.version ?? (zap.kind === "ours" ? zapVersion : "")}`.trim();
    return { ready: true, version, ...(record ? { content: listContent(type, record) } : {}) };
  } catch (error) {
    return { ready: false, missing: `ZAP cannot be looked at: ${(error as Error).message}` };
  }
}

/** What a scan of this type uses: an active scan has the passive rules beside its own. */
export const listContent = (type: ScanType, { passive, active }: ContentRecord) => (type === "OWASP_ZAP_ACTIVE" ? [passive, active] : [passive]);

const askVersion = shareAnswer(
  async ({ url, key }: Extract<Zap, { kind: "running" }>) => {
    const signal = AbortSignal.timeout(2000);
    return await waitUntilReady(createCaller({ url, key, signal }), 1, signal).catch(() => undefined);
  },
  ({ url, key }) => `${url} ${key}`,
);

/** Installs Java, and builds a ZAP where the user has none. Whichever ZAP it is then says which rules it has. */
export async function install(context: InstallContext): Promise<void> {
  await withInstallLock("zap", context, async () => {
    const present = findZap(context.enginesFolder);
    if (present.kind !== "running") await installJava(context);
    if (present.kind === "missing") await installOurs(context);
    else if (present.kind !== "running") await installGuard(present, requireJava().home, context);
    const zap = findZap(context.enginesFolder);
    if (zap.kind === "missing") throw new EngineError("engine.install_failed", zap.reason, { retry: false });
    if (readContentRecord(context.enginesFolder, zap)) return context.say("ZAP is ready.");
    const { version, rules } = await askRules(zap, join(context.enginesFolder, "zap-first-start"), context);
    writeContentRecord(context.enginesFolder, zap, version, rules);
    context.say(`ZAP ${version} with ${rules.passive.content.count} passive and ${rules.active.content.count} active rules.`);
  });
}

/** Builds a ZAP with the rules of addon/, where it is not there yet. Under the install lock. */
export async function installOurs(context: InstallContext): Promise<void> {
  if (process.env.PERISCAN_ZAP_URL || process.env.ZAP_HOME) return;
  if (!findProgram("mvn")) await installSystemPackage("Maven", { "apt-get": ["maven"], dnf: ["maven"], apk: ["maven"] }, context);
  const java = requireJava();
  await installFolder(readRuleAddOn().folderName, context, async (fresh) => {
    await buildZap(fresh, java.home, context);
    await installGuard({ kind: "ours", folder: fresh }, java.home, context);
    context.say("Starting it once …");
    const { rules } = await askRules({ kind: "ours", folder: fresh }, join(fresh, "first-start"), context);
    for (const { content } of [rules.passive, rules.active])
      if (content.count === 0) throw new EngineError("engine.install_failed", `${content.name}: ZAP loaded none of them.`, { retry: false });
  });
}

function requireJava(): { home: string } {
  const java = findJava();
  if (!java) throw new EngineError("engine.install_failed", needsJava, { retry: false });
  return java;
}

/** With its compiler, for the guard and for Periscan's rules. */
async function installJava(context: InstallContext): Promise<void> {
  const isGood = () => {
    const java = findJava();
    return java !== undefined && java.version >= oldestJava && java.hasCompiler;
  };
  if (isGood()) return;
  const packages = { "apt-get": ["default-jdk-headless"], dnf: ["java-21-openjdk-devel"], apk: ["openjdk17-jdk"] };
  await installSystemPackage("Java", packages, context);
  if (isGood()) return;
  throw new EngineError("engine.install_failed", `This system's JDK is older than ${oldestJava}: install a later one and set JAVA_HOME to it.`, {
    retry: false,
  });
}

const askMemoryBytes = 900 * 1024 ** 2;

async function askRules(zap: Zap, homeFolder: string, { enginesFolder, signal }: InstallContext): Promise<{ version: string; rules: Rules }> {
  const running = await startZap({ zap, enginesFolder, homeFolder, memoryBytes: askMemoryBytes, signal });
  try {
    return { version: running.version, rules: await readRules(running.call, zap.kind) };
  } finally {
    await running.stop();
  }
}
