import { createHash } from "node:crypto";
import { chmodSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { EngineError, type InstallContext } from "../kit/engine.ts";
import { findProgram } from "../kit/find-program.ts";
import { askStep } from "../kit/install.ts";
import { extractZip } from "./extract-zip.ts";

/** The oldest Go that builds Nuclei: the `go` line of its go.mod. */
const oldestGo = [1, 24, 2] as const;

/** Go's own toolchain as the module proxies serve it (go.dev/doc/toolchain), by Node's names of the machine. */
const toolchains: Record<string, { name: string; sha256: string }> = {
  "linux x64": { name: "v0.0.1-go1.24.13.linux-amd64", sha256: "d2b048367a3d1a748b87f756fa06df12ce3b419e1d5f2a3612acb8950d615f9f" },
};

export interface Go {
  file: string;
  /** What the program needs in its environment. */
  environment: Record<string, string>;
}

/** The Go on PATH where it is new enough, else Go's own toolchain, fetched into `folder`. */
export async function findGo(folder: string, context: InstallContext): Promise<Go> {
  const file = findProgram("go");
  if (file && (await isNewEnough(file, context))) return { file, environment: { GOTOOLCHAIN: "local" } };
  return fetchToolchain(folder, context);
}

async function isNewEnough(file: string, context: InstallContext): Promise<boolean> {
  try {
    const version = await askStep({ file, args: ["env", "GOVERSION"], environment: { GOTOOLCHAIN: "local" } }, context);
    return compareVersions(/^go([\d.]+)/.exec(version)?.[1] ?? "") >= 0;
  } catch {
    return false;
  }
}

/** Below zero where a Go version is older than the oldest that can be used. */
export function compareVersions(version: string): number {
  const parts = version.split(".").map(Number);
  for (const [index, oldest] of oldestGo.entries()) {
    const difference = (parts[index] || 0) - oldest;
    if (difference !== 0) return difference;
  }
  return 0;
}

async function fetchToolchain(folder: string, { say, signal }: InstallContext): Promise<Go> {
  const wanted = oldestGo.join(".");
  const toolchain = toolchains[`${process.platform} ${process.arch}`];
  const itself = `Install Go ${wanted} or newer (https://go.dev/doc/install), so that \`go\` is on PATH, and install Nuclei again.`;
  const failed = (why: string, cause?: unknown) => new EngineError("engine.install_failed", `${why} ${itself}`, { retry: false, cause });
  if (!toolchain) throw failed(`Go is needed to build Nuclei, and this machine (${process.platform} ${process.arch}) has none that is new enough.`);
  const { name, sha256 } = toolchain;
  say(`Fetching Go (${name}, 83 MB), because this machine has none from ${wanted} on …`);
  const archive = await fetchArchive(name, signal).catch((error: Error) => {
    signal.throwIfAborted();
    throw failed(`Go could not be fetched (${error.message}).`, error);
  });
  if (createHash("sha256").update(archive).digest("hex") !== sha256) throw failed(`Go's archive ${name} is not the one that is expected.`);
  rmSync(folder, { recursive: true, force: true });
  extractZip(archive, { prefix: `golang.org/toolchain@${name}/`, folder });
  // Archives of modules have no file modes.
  for (const programs of [join(folder, "bin"), ...listFolders(join(folder, "pkg", "tool"))])
    for (const program of readdirSync(programs)) chmodSync(join(programs, program), 0o755);
  return { file: join(folder, "bin", "go"), environment: { GOTOOLCHAIN: "local", GOROOT: folder } };
}

const listFolders = (folder: string): string[] => [folder, ...readdirSync(folder).map((name) => join(folder, name))];

/** Go's proxies in their order: GOPROXY, where commas and bars divide addresses (go.dev/ref/mod#goproxy-protocol). */
async function fetchArchive(name: string, signal: AbortSignal): Promise<Buffer> {
  const proxies = (process.env.GOPROXY || "https://proxy.golang.org").split(/[,|]/).filter((proxy) => /^https?:\/\//.test(proxy));
  let last = new Error("GOPROXY names no address");
  for (const proxy of proxies) {
    try {
      const answer = await fetch(`${proxy.replace(/\/$/, "")}/golang.org/toolchain/@v/${name}.zip`, { signal });
      if (answer.ok) return Buffer.from(await answer.arrayBuffer());
      last = new Error(`${new URL(proxy).host} answered ${answer.status}`);
    } catch (error) {
      signal.throwIfAborted();
      last = error as Error;
    }
  }
  throw last;
}
