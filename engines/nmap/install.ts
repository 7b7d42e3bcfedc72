import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { promisify } from "node:util";
import type { EngineStatus } from "@periscan/contract/worker-protocol.ts";
import type { InstallContext } from "../kit/engine.ts";
import { findProgram } from "../kit/find-program.ts";
import { installSystemPackage } from "../kit/install.ts";
import { shareAnswer } from "../kit/share-answer.ts";

const run = promisify(execFile);

/** Whether Nmap may send and receive raw packets, and the flag that tells it so where it would not see it itself. */
export function findPrivilege(): { raw: boolean; flag: string | undefined } {
  const isRoot = process.geteuid?.() === 0;
  const hasCapability = hasRawCapability();
  if (isRoot) return { raw: hasCapability, flag: hasCapability ? undefined : "--unprivileged" };
  // The user says that nmap's file has the capability (`setcap`); Nmap honours the same variable.
  const granted = hasCapability || process.env.NMAP_PRIVILEGED !== undefined;
  return { raw: granted, flag: granted ? "--privileged" : undefined };
}

/** CAP_NET_RAW is number 13: capabilities(7), include/uapi/linux/capability.h. */
function hasRawCapability(): boolean {
  const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1];
  return effective !== undefined && (BigInt(`0x${effective}`) & (1n << 13n)) !== 0n;
}

/** Undefined where it is no Nmap. Both scan types ask at a time. */
const askVersion = shareAnswer(async (file: string) => {
  const { stdout } = await run(file, ["--version"], { timeout: 10_000 });
  return /^Nmap version (\S+)/m.exec(stdout)?.[1];
}, String);

/** For UDP, raw sockets are needed too. */
export async function probe({ needsRaw }: { needsRaw: boolean }): Promise<Omit<EngineStatus, "type" | "installing">> {
  const file = findProgram("nmap");
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
