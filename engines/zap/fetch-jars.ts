import { createHash } from "node:crypto";
import { copyFileSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { EngineError, type InstallContext } from "../kit/engine.ts";
import { runStep } from "../kit/install.ts";

const sources = fileURLToPath(new URL(".", import.meta.url));
const checksumFile = "checksums.sha256";

/** From Maven 3.9 on Maven itself takes no file that the list does not have, and so runs no plugin that it does not have; older ones pass over these settings. */
const trusted = [
  "aether.artifactResolver.postProcessor.trustedChecksums=true",
  "aether.artifactResolver.postProcessor.trustedChecksums.checksumAlgorithms=SHA-256",
  "aether.artifactResolver.postProcessor.trustedChecksums.failIfMissing=true",
  "aether.trustedChecksumsSource.summaryFile=true",
  "aether.trustedChecksumsSource.summaryFile.originAware=false",
  `aether.trustedChecksumsSource.summaryFile.basedir=${sources}`,
];

/**
 * Takes the jars that pom.xml names from Maven Central, or wherever Maven's own configuration says: the core's libraries to FOLDER/lib, the add-ons to FOLDER/addons. Each file
 * that Maven took, its plugins and the descriptions too, is held to checksums.sha256 before a jar is used; throws an EngineError that names the file else.
 */
export async function fetchJars(folder: string, javaHome: string, context: InstallContext): Promise<void> {
  copyFileSync(join(sources, "pom.xml"), join(folder, "pom.xml"));
  // A repository of its own: what lies in the user's was not looked at.
  const repository = join(folder, "maven");
  const args = ["-q", "-B", "--strict-checksums", ...trusted.map((setting) => `-D${setting}`), `-Dmaven.repo.local=${repository}`, "package"];
  await runStep({ file: "mvn", args, folder, environment: { JAVA_HOME: javaHome }, title: "Getting ZAP with Maven (about 50 MB)" }, context);
  const checksums = readChecksums(readFileSync(join(sources, checksumFile), "utf8"));
  verifyRepository(repository, checksums);
  verifyCopies(
    ["lib", "addons"].map((name) => join(folder, name)),
    checksums,
  );
  for (const name of ["maven", "target", "pom.xml"]) rmSync(join(folder, name), { recursive: true, force: true });
}

/** SHA-256 by path in a Maven repository, of lines as sha256sum writes them. */
export const readChecksums = (text: string): Map<string, string> =>
  new Map([...text.matchAll(/^([0-9a-f]{64}) {2}(\S+)$/gm)].map(([, hash = "", path = ""]) => [path, hash]));

/** What Maven notes beside the files; nothing of it is used. */
const mavenNotes = /(\.sha1|\.sha256|\.sha512|\.md5|\.lastUpdated|\/_remote\.repositories|\/resolver-status\.properties)$/;

/** Throws where a file of the repository is not in the list, or is another. */
export function verifyRepository(repository: string, checksums: Map<string, string>): void {
  for (const file of listFiles(repository)) {
    const path = file.slice(repository.length + 1);
    if (!mavenNotes.test(path)) verifyFile(file, path, checksums.get(path));
  }
}

/** The same for jars that were copied out of it, which are known by their names. */
function verifyCopies(folders: string[], checksums: Map<string, string>): void {
  const byName = new Map([...checksums].map(([path, hash]) => [basename(path), hash]));
  for (const file of folders.flatMap(listFiles)) verifyFile(file, basename(file), byName.get(basename(file)));
}

const listFiles = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name));

function verifyFile(file: string, path: string, expected: string | undefined): void {
  const hash = createHash("sha256").update(readFileSync(file)).digest("hex");
  if (hash === expected) return;
  const why = expected === undefined ? `is not in engines/zap/${checksumFile}` : `has the SHA-256 ${hash}, and not ${expected}`;
  const message = `Maven took ${path}, which ${why}: ZAP was not installed. Look at the repository that Maven takes its files from.`;
  throw new EngineError("engine.install_failed", message, { retry: false });
}
