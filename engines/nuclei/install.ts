import { cpSync, existsSync, mkdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { EngineContent } from "@periscan/contract/scan.ts";
import type { EngineStatus } from "@periscan/contract/worker-protocol.ts";
import { askProgram } from "../kit/ask-program.ts";
import { EngineError, type InstallContext } from "../kit/engine.ts";
import { findEngineProgram } from "../kit/find-program.ts";
import { installFolder, runStep, withInstallLock } from "../kit/install.ts";
import { findGo, type Go } from "./find-go.ts";
import { findContent } from "./find-templates.ts";

/** 3.8.0 needs a module that the proxies do not serve. */
export const pinnedVersion = "3.7.1";
export const folderName = `nuclei-${pinnedVersion}`;
const pinnedModule = fileURLToPath(new URL("go", import.meta.url));

export interface Nuclei {
  file: string;
  version: string;
}

/** Nuclei of the user's on PATH, of major version 3, else the one that Periscan installed. Undefined where there is neither. */
export async function findNuclei(enginesFolder: string): Promise<Nuclei | undefined> {
  const own = join(enginesFolder, folderName, "nuclei");
  for (const file of [findEngineProgram("nuclei"), existsSync(own) ? own : undefined]) {
    const version = file === undefined ? undefined : await readVersion(file);
    if (file !== undefined && version?.startsWith("3.")) return { file, version };
  }
  return undefined;
}

const versions = new Map<string, string | undefined>();

/** Asked every few seconds: one start of the program for each version of its file. */
async function readVersion(file: string): Promise<string | undefined> {
  const { mtimeMs, size } = statSync(file);
  const key = `${file} ${mtimeMs} ${size}`;
  if (!versions.has(key)) versions.set(key, await askVersion(file));
  return versions.get(key);
}

async function askVersion(file: string): Promise<string | undefined> {
  try {
    const { stdout, stderr } = await askProgram({ file, args: ["-version", "-duc", "-nc"], seconds: 30 });
    return /Nuclei Engine Version: v(\d+\.\d+\.\d+)/.exec(`${stdout}${stderr}`)?.[1];
  } catch {
    return undefined;
  }
}

/** Whether Nuclei is here, and with which templates it would scan. */
export async function probe({ enginesFolder }: { enginesFolder: string }): Promise<Omit<EngineStatus, "type" | "installing">> {
  try {
    const nuclei = await findNuclei(enginesFolder);
    const content = findContent();
    if (!nuclei) return { ready: false, content: [content], missing: nucleiMissing };
    const version = `Nuclei ${nuclei.version}`;
    if (content.count === 0) return { ready: false, version, content: [content], missing: describeEmpty(content) };
    return { ready: true, version, content: [content] };
  } catch (error) {
    return { ready: false, missing: `Nuclei cannot be looked at: ${(error as Error).message}`.slice(0, 2000) };
  }
}

export const nucleiMissing = "Nuclei is not installed. `./periscan engines install nuclei` builds it.";

export const describeEmpty = ({ name }: Pick<EngineContent, "name">): string =>
  `${name} has no template that Nuclei could use. Let PERISCAN_NUCLEI_TEMPLATES name a folder with templates, or run \`nuclei -update-templates\`; without either Periscan uses its own.`;

/** Builds the pinned Nuclei from its sources: every module of it is pinned by go/go.sum. Nothing of the build is left but the program. */
export const install = (context: InstallContext): Promise<void> =>
  withInstallLock("nuclei", context, () =>
    installFolder(folderName, context, async (fresh) => {
      const work = join(fresh, "build");
      try {
        mkdirSync(work);
        cpSync(pinnedModule, join(work, "module"), { recursive: true });
        await build({ fresh, work }, context);
      } finally {
        rmSync(work, { recursive: true, force: true });
      }
      const version = await askVersion(join(fresh, "nuclei"));
      if (version === pinnedVersion) return;
      throw new EngineError("engine.install_failed", `Nuclei was built, but does not say that it is ${pinnedVersion}.`, { retry: false });
    }),
  );

async function build({ fresh, work }: { fresh: string; work: string }, context: InstallContext): Promise<void> {
  const go = await findGo(join(work, "go"), context);
  const program = "github.com/projectdiscovery/nuclei/v3/cmd/nuclei";
  const title = `Building Nuclei ${pinnedVersion} (fetches 600 MB of sources, then 3 to 5 minutes on 2 cores)`;
  await buildModule({ go, work, program, output: join(fresh, "nuclei"), title }, context);
}

interface GoBuild {
  go: Go;
  /** Has the folder `module`, and takes the build's caches. */
  work: string;
  /** The program's import path. */
  program: string;
  output: string;
  title: string;
}

/** Builds a program with exactly the modules that go.mod names, each as go.sum has it: where one is missing there or is another, Go stops, and this throws with its words. */
export async function buildModule({ go, work, program, output, title }: GoBuild, context: InstallContext): Promise<void> {
  const environment = {
    ...go.environment,
    // Caches of its own, so that nothing stays in the user's; writable, so that they can be removed.
    GOFLAGS: "-modcacherw",
    GOWORK: "off",
    GOMODCACHE: join(work, "modules"),
    GOCACHE: join(work, "cache"),
    GOPATH: join(work, "path"),
    // Then a C compiler is not needed.
    CGO_ENABLED: "0",
  };
  const args = ["build", "-mod=readonly", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-o", output, program];
  await runStep({ file: go.file, args, folder: join(work, "module"), environment, title }, context);
}
