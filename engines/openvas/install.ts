import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { EngineStatus } from "@periscan/contract/worker-protocol.ts";
import { z } from "zod";
import { EngineError, type InstallContext } from "../kit/engine.ts";
import { findProgram } from "../kit/find-program.ts";
import { askStep, installFolder, installSystemPackage, runStep, withInstallLock } from "../kit/install.ts";
import { askState, countTests, explainUnreadable, isIndexOf, noTests, originOf, readFeedInfo, readIndex } from "./feed.ts";
import { nameAddress, type OspAddress } from "./osp-client.ts";
import { installedName, readFeedFolder, readOwnScanner, rootFolder } from "./settings.ts";

/** What Greenbone's port scan test calls is in the chroot too. */
const packages = ["openvas-scanner", "ospd-openvas", "redis-server", "nmap", "ca-certificates"];

const Versions = z.record(z.string(), z.string());

/** The Debian versions that were installed, by package. */
function readVersions(enginesFolder: string): z.infer<typeof Versions> | undefined {
  try {
    return Versions.parse(JSON.parse(readFileSync(join(enginesFolder, installedName, "versions.json"), "utf8")));
  } catch {
    return undefined;
  }
}

const ownScanner = "Or name the OSP socket of a scanner of yours in PERISCAN_OPENVAS.";

/** Throws EngineError with the mend where the installed scanner cannot be started by this process. */
export function requireInstalled(enginesFolder: string): void {
  const missing = findMissing(enginesFolder);
  if (missing) throw new EngineError("engine.missing", missing, { retry: true });
}

function findMissing(enginesFolder: string): string | undefined {
  if (!existsSync(rootFolder(enginesFolder)) || !readVersions(enginesFolder))
    return `OpenVAS is not installed. \`./periscan engines install openvas\` installs it, as root. ${ownScanner}`;
  if (process.geteuid?.() !== 0)
    return `The installed OpenVAS scanner runs in a chroot of its own, which only root can start: run the worker as root. ${ownScanner}`;
  for (const program of ["unshare", "setpriv", "chroot"]) if (!findProgram(program)) return `${program} is missing: install util-linux and coreutils.`;
  return undefined;
}

/** Cheap: one small request to the user's own scanner, or a look at the installed one's folders. */
export async function probe({ enginesFolder }: { enginesFolder: string }): Promise<Omit<EngineStatus, "type" | "installing">> {
  try {
    const own = readOwnScanner();
    return own ? await probeOwn(own, enginesFolder) : probeInstalled(enginesFolder);
  } catch (error) {
    return { ready: false, missing: (error as Error).message.slice(0, 2000) };
  }
}

async function probeOwn(address: OspAddress, enginesFolder: string): Promise<Omit<EngineStatus, "type" | "installing">> {
  const { version, feed } = await askState(address, AbortSignal.timeout(10_000), 5);
  if (!feed)
    return { ready: false, version, missing: `The OpenVAS scanner at ${nameAddress(address)} has no tests loaded. It may be loading them; see its log.` };
  const index = readIndex(enginesFolder);
  // Its tests are counted by the first scan. Until then there is at least one, or it would name no feed.
  const count = isIndexOf(index, feed) ? index.tests.length : 1;
  return { ready: true, version, content: [{ name: feed.name, version: feed.version, count, origin: originOf(feed.vendor) }] };
}

function probeInstalled(enginesFolder: string): Omit<EngineStatus, "type" | "installing"> {
  const missing = findMissing(enginesFolder);
  const versions = readVersions(enginesFolder);
  const version = versions ? `OpenVAS ${upstreamOf(versions["openvas-scanner"] ?? "")}` : undefined;
  if (missing || version === undefined) return { ready: false, ...(version ? { version } : {}), missing: missing ?? "OpenVAS is not installed." };
  const folder = readFeedFolder(enginesFolder);
  const feed = readFeedInfo(folder);
  const count = feed ? countTests(folder, feed) : 0;
  const content = [
    feed ? { name: feed.name, version: feed.version, count, origin: originOf(feed.vendor) } : { name: "Feed", version: "", count, origin: "user" as const },
  ];
  const unreadable = feed ? explainUnreadable(folder) : undefined;
  if (unreadable !== undefined) return { ready: false, version, content, missing: unreadable };
  return count > 0 ? { ready: true, version, content } : { ready: false, version, content, missing: noTests().message };
}

/** `23.45.1-2` to `23.45.1`. */
const upstreamOf = (debian: string): string => debian.replace(/^\d+:/, "").replace(/-[^-]*$/, "");

/** Builds a chroot of Debian unstable with the scanner, for no stable Debian has it. Root alone can. */
export async function install(context: InstallContext): Promise<void> {
  if (process.geteuid?.() !== 0)
    throw new EngineError(
      "engine.install_failed",
      `Installing OpenVAS builds a chroot, which needs root: sudo ./periscan engines install openvas. ${ownScanner}`,
      {
        retry: false,
      },
    );
  await withInstallLock("openvas", context, async () => {
    if (!existsSync(rootFolder(context.enginesFolder)) && !findProgram("mmdebstrap"))
      await installSystemPackage("mmdebstrap", { "apt-get": ["mmdebstrap", "debian-archive-keyring"] }, context);
    await installFolder(installedName, context, (fresh) => buildRoot(fresh, context));
    const { enginesFolder } = context;
    if (!readFeedInfo(readFeedFolder(enginesFolder)))
      context.say(
        `OpenVAS has no tests yet. Greenbone's community feed: greenbone-feed-sync --type nasl --nasl-destination ${readFeedFolder(enginesFolder)} (pip install greenbone-feed-sync; it needs rsync).`,
      );
  });
}

/** Debian gives each list of packages a last day, so that nobody can serve an old one with old flaws for ever. A mirror that lags behind, such as a snapshot, has only such lists. */
const allowOldList = "PERISCAN_ALLOW_OLD_DEBIAN_LIST";

async function buildRoot(fresh: string, context: InstallContext): Promise<void> {
  const root = join(fresh, "root");
  const isOldTaken = process.env[allowOldList] === "1";
  if (isOldTaken) context.say(`A list of packages of Debian's is taken however old it is, for ${allowOldList} is 1. Its signature is checked all the same.`);
  await bootstrap(root, isOldTaken ? ['--aptopt=Acquire::Check-Valid-Until "false"'] : [], context).catch((error: Error) => {
    if (isOldTaken || !error.message.includes("is expired")) throw error;
    const why = "The Debian mirror's list of packages is older than Debian lets it be: flaws that were mended since may be in what it lists.";
    const mend = `Use a mirror that is up to date, or set ${allowOldList}=1 to take the list as it is; its signature is checked all the same.`;
    throw new EngineError("engine.install_failed", `${why} OpenVAS was not installed. ${mend}`, { retry: false, cause: error });
  });
  const shown = await askStep({ file: "chroot", args: [root, "dpkg-query", "--show", ...packages] }, context);
  const lines = shown.trim().split("\n");
  const versions = Object.fromEntries(lines.map((line) => line.split("\t")));
  writeFileSync(join(fresh, "versions.json"), `${JSON.stringify(Versions.parse(versions), null, 2)}\n`);
  context.say(
    `Installed ${Object.entries(versions)
      .map((each) => each.join(" "))
      .join(", ")}.`,
  );
}

async function bootstrap(root: string, options: string[], context: InstallContext): Promise<void> {
  // What mmdebstrap mounts stands in namespaces of its own, so nothing of it is left where it is killed.
  const isolated = ["--mount", "--pid", "--fork", "--kill-child"];
  const args = [...isolated, "mmdebstrap", "--mode=root", "--variant=minbase", `--include=${packages.join(",")}`, ...options, "sid", root];
  await runStep({ file: "unshare", args, title: "Building a chroot of Debian unstable with OpenVAS (about a minute, 500 MB)" }, context);
}
