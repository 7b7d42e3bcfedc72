import { createHash } from "node:crypto";
import { copyFileSync, globSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { EngineError, type InstallContext } from "../kit/engine.ts";
import { runStep } from "../kit/install.ts";
import { fetchJars } from "./fetch-jars.ts";

export const zapVersion = "2.17.0";

/** The add-ons beside the core, with the status that their file names carry. */
const addOns: [id: string, status: string, version: string][] = [
  ["network", "beta", "0.25.0"],
  ["commonlib", "release", "1.40.0"],
  ["automation", "beta", "0.60.0"],
  ["spider", "release", "0.6.0"],
];

const here = (name: string) => fileURLToPath(new URL(name, import.meta.url));
const ruleSources = here("addon");

/**
 * The core refuses to start without an add-on of this id, which upstream does not publish to Maven Central: this one is empty. It stands where
 * ZAP's telemetry would be.
 */
const placeholder = `<zapaddon>
  <name>Call home (placeholder, sends nothing)</name>
  <version>0.0.1</version>
  <status>alpha</status>
  <description>Empty: the core insists on an add-on of this id.</description>
  <author>Periscan</author>
  <url/>
  <not-before-version>${zapVersion}</not-before-version>
</zapaddon>
`;

interface RuleAddOn {
  version: string;
  folderName: string;
}

let ruleAddOn: RuleAddOn | undefined;

/**
 * The version of Periscan's own rules, and a name of exactly these sources: a rule that changed is another build. Read once, so that a worker keeps to
 * its build where its sources are updated beneath it.
 */
export function readRuleAddOn(): RuleAddOn {
  ruleAddOn ??= describeRuleAddOn();
  return ruleAddOn;
}

function describeRuleAddOn(): RuleAddOn {
  const files = globSync("**/*", { cwd: ruleSources, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .toSorted();
  const hash = createHash("sha256");
  for (const file of files) hash.update(file.slice(ruleSources.length)).update("\0").update(readFileSync(file));
  const version = /<version>([\w.-]+)<\/version>/.exec(readFileSync(join(ruleSources, "ZapAddOn.xml"), "utf8"))?.[1];
  if (version === undefined) throw new EngineError("engine.install_failed", "engines/zap/addon/ZapAddOn.xml has no version.", { retry: false });
  return { version, folderName: `zap-${zapVersion}-${version}-${hash.digest("hex").slice(0, 8)}` };
}

/** Makes a ZAP in `folder`: the core and four of its add-ons from Maven, and the add-on with Periscan's rules, compiled here. */
export async function buildZap(folder: string, javaHome: string, context: InstallContext): Promise<void> {
  await fetchJars(folder, javaHome, context);
  for (const name of ["plugin", "build"]) mkdirSync(join(folder, name));
  for (const addOn of addOns) await packAddOn(folder, javaHome, addOn, context);
  await packFolder({ folder, javaHome, name: "callhome-alpha-0.0.1", manifest: placeholder }, context);
  await buildRules(folder, javaHome, context);
  for (const name of ["addons", "build"]) rmSync(join(folder, name), { recursive: true, force: true });
}

/** An add-on from Maven as ZAP loads it: what its manifest lists as libraries lies inside it, and not on the class path, for its packages are split with theirs. */
async function packAddOn(folder: string, javaHome: string, [id, status, version]: [string, string, string], context: InstallContext): Promise<void> {
  const jar = join(javaHome, "bin", "jar");
  const file = join(folder, "plugin", `${id}-${status}-${version}.zap`);
  const work = join(folder, "build", id);
  mkdirSync(join(work, "libs"), { recursive: true });
  copyFileSync(join(folder, "addons", `${id}-${version}.jar`), file);
  await runStep({ file: jar, args: ["xf", file, "ZapAddOn.xml"], folder: work, title: `Unpacking ${id}` }, context);
  const manifest = editManifest(readFileSync(join(work, "ZapAddOn.xml"), "utf8"));
  writeFileSync(join(work, "ZapAddOn.xml"), manifest);
  for (const [, name = ""] of manifest.matchAll(/<lib>libs\/([\w.-]+)<\/lib>/g)) renameSync(join(folder, "lib", name), join(work, "libs", name));
  await runStep({ file: jar, args: ["uf", file, "-C", work, "ZapAddOn.xml", "-C", work, "libs"], title: `Packing ${id}` }, context);
}

/**
 * The spider asks for the add-on `database`, which Maven Central does not have; only its reader of .svn folders would use it, and a scan turns that off.
 * The core has slf4j on its own class path.
 */
const editManifest = (xml: string) => xml.replace(/<addon>\s*<id>database<\/id>\s*<\/addon>/, "").replace(/<lib>libs\/slf4j-api[^<]*<\/lib>/, "");

interface Packing {
  folder: string;
  javaHome: string;
  /** Of the file: id, status and version. */
  name: string;
  manifest: string;
}

async function packFolder({ folder, javaHome, name, manifest }: Packing, context: InstallContext): Promise<void> {
  const work = join(folder, "build", name);
  mkdirSync(work, { recursive: true });
  writeFileSync(join(work, "ZapAddOn.xml"), manifest);
  const args = ["cf", join(folder, "plugin", `${name}.zap`), "-C", work, "."];
  await runStep({ file: join(javaHome, "bin", "jar"), args, title: `Packing ${name}` }, context);
}

async function buildRules(folder: string, javaHome: string, context: InstallContext): Promise<void> {
  const { version } = readRuleAddOn();
  const name = `periscanrules-alpha-${version}`;
  const work = join(folder, "build", name);
  mkdirSync(work, { recursive: true });
  const sources = globSync("src/**/*.java", { cwd: ruleSources }).map((file) => join(ruleSources, file));
  const classPath = [join(folder, "lib", "*"), join(folder, "addons", "*")].join(":");
  // `-proc:none`: annotation processors of the core's libraries are not for these sources.
  const args = ["-nowarn", "-Xlint:none", "-proc:none", "--release", "17", "-encoding", "UTF-8", "-cp", classPath, "-d", work, ...sources];
  await runStep({ file: join(javaHome, "bin", "javac"), args, title: `Compiling Periscan's ZAP rules ${version}` }, context);
  await packFolder({ folder, javaHome, name, manifest: readFileSync(join(ruleSources, "ZapAddOn.xml"), "utf8") }, context);
}
