import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { type Scanner, startScanner } from "@periscan/engines/openvas/scanner.ts";
import { rootFolder } from "@periscan/engines/openvas/settings.ts";
import type { HostServices } from "../../hosts/serve-hosts.ts";

/**
 * The installed scanner with tests of ours, in a network namespace of its own that has a loopback and no way out: whatever a scan is told, it
 * reaches nothing else. Its targets listen on that loopback.
 */
export interface OpenvasLab extends AsyncDisposable {
  /** The scanner's OSP socket, for PERISCAN_OPENVAS. */
  socket: string;
  scanner: Scanner;
  /** A copy of the tests; the scanner loads it again within seconds after PLUGIN_SET grew. */
  plugins: string;
  /** Starts hosts that listen, and answers what ends them. */
  serve(hosts: HostServices[]): Promise<() => Promise<void>>;
}

/** An address to which the namespace has no way: no host is there. */
export const noHost = "10.200.9.9";

const ip = (...args: string[]) => execFileSync("ip", args, { stdio: ["ignore", "pipe", "pipe"], encoding: "utf8" });

/** The tests' folder. */
export const labPlugins = fileURLToPath(new URL("plugins", import.meta.url));

/** One more test, of what is behind TLS. */
export const labTlsTest = fileURLToPath(new URL("lab_tls_service.nasl", import.meta.url));

export interface LabSettings {
  enginesFolder: string;
  signal: AbortSignal;
  /** Changes the copy of the tests before the scanner loads it. */
  change?(plugins: string): void;
}

export async function startOpenvasLab({ enginesFolder, signal, change }: LabSettings): Promise<OpenvasLab> {
  const namespace = `periscan-test-${process.pid}-openvas`;
  const plugins = mkdtempSync(join(tmpdir(), "periscan-test-plugins-"));
  const children: ChildProcess[] = [];
  let scanner: Scanner | undefined;
  const dispose = async () => {
    for (const child of children) await end(child);
    await scanner?.stop();
    ip("netns", "delete", namespace);
    rmSync(plugins, { recursive: true, force: true });
  };
  ip("netns", "add", namespace);
  try {
    ip("-n", namespace, "link", "set", "lo", "up");
    cpSync(labPlugins, plugins, { recursive: true });
    chmodSync(plugins, 0o755);
    change?.(plugins);
    const network = `/run/netns/${namespace}`;
    scanner = startScanner({ root: rootFolder(enginesFolder), plugins, memoryBytes: 2 ** 31, network });
    await scanner.waitReady(signal);
    const { address } = scanner;
    const serve = async (hosts: HostServices[]) => {
      const child = await startChild(namespace, hosts);
      children.push(child);
      return () => end(child);
    };
    return { socket: address.kind === "unix" ? address.path : "", scanner, plugins, serve, [Symbol.asyncDispose]: dispose };
  } catch (error) {
    await dispose();
    throw error;
  }
}

/** It ends with its standard input, so also when this process is killed. */
async function startChild(namespace: string, hosts: HostServices[]): Promise<ChildProcess> {
  const file = fileURLToPath(new URL("../../hosts/serve-hosts.ts", import.meta.url));
  const child = spawn("ip", ["netns", "exec", namespace, process.execPath, file, JSON.stringify(hosts)], { stdio: ["pipe", "pipe", "inherit"] });
  for await (const line of createInterface({ input: child.stdout })) if (line === "ready") return child;
  throw new Error("the hosts did not start");
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, "exit");
  child.stdin?.destroy();
  child.kill();
  await gone;
}
