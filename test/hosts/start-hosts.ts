import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { HostServices } from "./serve-hosts.ts";

/** Hosts in a network namespace of their own, which the test made and removes. */
export interface TestHosts extends AsyncDisposable {
  /** The namespace's name, for `ip netns exec`. */
  namespace: string;
  /** Puts other hosts in the place of these; the network stays, so a host that is gone is one that does not answer. */
  replace(hosts: HostServices[]): Promise<void>;
  /** Runs a program of test/targets/ on these hosts, which says `ready` and ends with its standard input. Answers what ends it. */
  run(file: string, argument: unknown): Promise<() => Promise<void>>;
}

export interface HostSettings {
  /** Chooses the network 198.18.N.0/24 (RFC 2544: for benchmarks, so nothing real has it). Two tests that run at once take two. */
  network: number;
  hosts: HostServices[];
  /** The way to the hosts takes so long, in each direction. */
  delayMilliseconds?: number;
}

const prefix = "periscan-test";
const ip = (...args: string[]) => execFileSync("ip", args, { stdio: ["ignore", "pipe", "pipe"], encoding: "utf8" });

/** Why no namespaces can be made here; undefined where they can. A test that needs them is skipped with this reason. */
export function whyNoHosts(): string | undefined {
  if (process.geteuid?.() !== 0) return "network namespaces need root";
  const name = `${prefix}-${process.pid}-probe`;
  try {
    ip("netns", "add", name);
    ip("netns", "delete", name);
    return undefined;
  } catch (error) {
    return `network namespaces cannot be made here: ${(error as Error).message.split("\n").at(-2)}`;
  }
}

const guard = ["unreachable", "198.18.0.0/15", "metric", "9999"];

/** Keeps everything for a test's network on this machine, also while the network is missing. Answers what takes that back. */
export function guardNetworks(): () => void {
  if (process.geteuid?.() !== 0) return () => {};
  ip("route", "replace", ...guard);
  return () => attempt(() => ip("route", "delete", ...guard));
}

export const addressOf = (network: number, host: number): string => `198.18.${network}.${host}`;

/** Starts the hosts and resolves once all of them listen. Dispose of them after the platform that scans them, which guards their network. */
export async function startHosts({ network, hosts, delayMilliseconds }: HostSettings): Promise<TestHosts> {
  sweep();
  const namespace = `${prefix}-${process.pid}-${network}`;
  const range = `198.18.${network}.0/24`;
  const devices: [string, string] = [`ps-out-${network}`, `ps-in-${network}`];
  let delayLine: ChildProcess | undefined;
  let listeners: ChildProcess | undefined;
  const programs = new Set<ChildProcess>();
  const replace = async (next: HostServices[]) => {
    if (listeners) await end(listeners);
    ip("-n", namespace, "address", "flush", "dev", devices[1]);
    for (const { address } of next) ip("-n", namespace, "address", "add", `${address}/32`, "dev", devices[1]);
    ip("-n", namespace, "route", "replace", range, "dev", devices[1]);
    listeners = await startChild("ip", ["netns", "exec", namespace, process.execPath, fileOf("serve-hosts.ts"), JSON.stringify(next)]);
  };
  const run = async (file: string, argument: unknown) => {
    const child = await startChild("ip", ["netns", "exec", namespace, process.execPath, file, JSON.stringify(argument)]);
    programs.add(child);
    return async () => {
      programs.delete(child);
      await end(child);
    };
  };
  const dispose = async () => {
    for (const child of [...programs, listeners, delayLine]) if (child) await end(child);
    attempt(() => ip("netns", "delete", namespace));
    attempt(() => ip("link", "delete", devices[0]));
  };
  try {
    ip("netns", "add", namespace);
    if (delayMilliseconds === undefined) ip("link", "add", devices[0], "type", "veth", "peer", "name", devices[1]);
    else delayLine = await startChild("python3", [fileOf("delay-line.py"), ...devices, `${delayMilliseconds}`]);
    ip("link", "set", devices[1], "netns", namespace);
    configure(namespace, network, devices);
    await replace(hosts);
    return { namespace, replace, run, [Symbol.asyncDispose]: dispose };
  } catch (error) {
    await dispose();
    throw error;
  }
}

const fileOf = (name: string) => fileURLToPath(new URL(name, import.meta.url));

function configure(namespace: string, network: number, devices: [string, string]): void {
  const inside = (...args: string[]) => execFileSync("ip", ["netns", "exec", namespace, ...args], { stdio: "pipe" });
  ip("address", "add", `${addressOf(network, 254)}/32`, "dev", devices[0]);
  ip("link", "set", devices[0], "up");
  ip("route", "add", `198.18.${network}.0/24`, "dev", devices[0], "src", addressOf(network, 254));
  ip("-n", namespace, "link", "set", "lo", "up");
  ip("-n", namespace, "link", "set", devices[1], "up");
  // A UDP port is closed because an ICMP message says so; without these a host sends one a second.
  inside("sysctl", "-qw", "net.ipv4.icmp_ratelimit=0");
  attempt(() => inside("sysctl", "-qw", "net.ipv4.icmp_msgs_per_sec=1000000", "net.ipv4.icmp_msgs_burst=100000"));
}

/** Resolves when the child has said `ready`. It ends with its standard input, so also when this process is killed. */
async function startChild(file: string, args: string[]): Promise<ChildProcess> {
  const child = spawn(file, args, { stdio: ["pipe", "pipe", "inherit"] });
  for await (const line of createInterface({ input: child.stdout })) if (line === "ready") return child;
  throw new Error(`${file} ${args[0]} ended before it was ready`);
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, "exit");
  child.stdin?.destroy();
  child.kill();
  await gone;
}

/** Removes what a killed run of tests left. */
function sweep(): void {
  const names = attempt(() => readdirSync("/run/netns")) ?? [];
  for (const name of names) {
    const [, pid, network] = new RegExp(`^${prefix}-(\\d+)-(\\w+)$`).exec(name) ?? [];
    if (pid === undefined || isAlive(Number(pid))) continue;
    attempt(() => ip("netns", "delete", name));
    attempt(() => ip("link", "delete", `ps-out-${network}`));
  }
}

function isAlive(pid: number): boolean {
  return attempt(() => process.kill(pid, 0)) === true;
}

function attempt<T>(action: () => T): T | undefined {
  try {
    return action();
  } catch {
    return undefined;
  }
}
