import type { EngineStatus } from "@periscan/contract/worker-protocol.ts";
import { askProgram } from "../kit/ask-program.ts";
import { hasCapability } from "../kit/confine.ts";
import type { InstallContext } from "../kit/engine.ts";
import { findEngineProgram } from "../kit/find-program.ts";
import { installSystemPackage } from "../kit/install.ts";
import { shareAnswer } from "../kit/share-answer.ts";

/** Whether Nmap may send and receive raw packets, and the flag that tells it so where it would not see it itself. */
export function findPrivilege(): { raw: boolean; flag: string | undefined } {
  const isRoot = process.geteuid?.() === 0;
  const hasRaw = hasCapability("net_raw");
  // As another account Nmap does not see by itself that it has the capability.
  if (isRoot) return { raw: hasRaw, flag: hasRaw ? "--privileged" : "--unprivileged" };
  // The user says that nmap's file has the capability (`setcap`); Nmap honours the same variable.
  const granted = hasRaw || process.env.NMAP_PRIVILEGED !== undefined;
  return { raw: granted, flag: granted ? "--privileged" : undefined };
}

/** Undefined where it is no Nmap. Both scan types ask at a time. */
const askVersion = shareAnswer(async (file: string) => {
  const { stdout } = await askProgram({ file, args: ["--version"], seconds: 10 });
  return /^Nmap version (\S+)/m.exec(stdout)?.[1];
}, String);

/** For UDP, raw sockets are needed too. */
export async function probe({ needsRaw }: { needsRaw: boolean }): Promise<Omit<EngineStatus, "type" | "installing">> {
  const file = findEngineProgram("nmap");
  if (!file) return { ready: false, missing: "Nmap is not installed. `./periscan engines install nmap` installs it." };
  try {
    const version = await askVersion(file);
    if (!version) return { ready: false, missing: `${file} does not say that it is Nmap.` };
    if (needsRaw && !findPrivilege().raw) return { ready: false, version: `Nmap ${version}`, missing: rawSocketsMissing };
    return { ready: true, version: `Nmap ${version}` };
  } catch (error) {
    return { ready: false, missing: `${file} does not start: ${(error as Error).message}` };
  }
}

export const rawSocketsMissing =
  "UDP scans need raw sockets. Run the worker as root, or grant them to Nmap with `sudo setcap cap_net_raw,cap_net_admin+eip $(command -v nmap)` and start the worker with NMAP_PRIVILEGED=1.";

/** Installs Nmap with the system's package manager, which needs root. */
export const install = (context: InstallContext): Promise<void> =>
  installSystemPackage("Nmap", { "apt-get": ["nmap"], dnf: ["nmap"], apk: ["nmap", "nmap-scripts"] }, context);
