import { readFileSync } from "node:fs";
import { findEngineAccount } from "./engine-account.ts";

/**
 * What a process may do of what only root may. `raw`: what Nmap needs, raw packets and the ports below 1024 that RPC services are asked from. `root`: all of it, for what builds
 * a confinement of its own (OpenVAS).
 */
export type Privileges = "none" | "raw" | "root";

/** By number: capabilities(7), include/uapi/linux/capability.h. */
const rawCapabilities = { net_bind_service: 10n, net_raw: 13n };

/** Whether this process itself has the capability. */
export function hasCapability(name: keyof typeof rawCapabilities): boolean {
  const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1];
  return effective !== undefined && (BigInt(`0x${effective}`) & (1n << rawCapabilities[name])) !== 0n;
}

/** Namespaces, mounts, a chroot, and to give up to engines' account all but what it needs. */
const buildersCapabilities = [
  "sys_admin",
  "sys_chroot",
  "setuid",
  "setgid",
  "setpcap",
  "chown",
  "dac_override",
  "fowner",
  "net_raw",
  "net_bind_service",
  "kill",
];

/**
 * The command in front of an engine's. It gives up root for the account of engines, all groups and all capabilities but those named, for good; and the kernel
 * ends the engine with this process: setpriv asks for that last, since the kernel forgets it where credentials change, and the shell sees that this
 * process had not gone before it.
 */
export const confine = (privileges: Privileges): string[] => [
  ...["setpriv", "--pdeathsig", "KILL", ...giveUp(privileges), "--"],
  ...["/bin/sh", "-c", '[ "$PPID" = "$1" ] && shift && exec "$@"', "engine", `${process.pid}`],
];

function giveUp(privileges: Privileges): string[] {
  if (privileges === "root") return [`--bounding-set=-all,${buildersCapabilities.map((name) => `+${name}`).join(",")}`, "--no-new-privs"];
  const account = findEngineAccount();
  if (account) return ["--reuid", `${account.uid}`, "--regid", `${account.gid}`, "--clear-groups", ...limitCapabilities(privileges), "--no-new-privs"];
  // Of another user Nmap may have the capability by its file (`setcap`), which no-new-privs would take away.
  return privileges === "none" ? ["--inh-caps=-all", "--ambient-caps=-all", "--no-new-privs"] : [];
}

function limitCapabilities(privileges: Privileges): string[] {
  const names = privileges === "raw" ? (Object.keys(rawCapabilities) as (keyof typeof rawCapabilities)[]).filter(hasCapability) : [];
  const kept = ["-all", ...names.map((name) => `+${name}`)].join(",");
  return [`--inh-caps=${kept}`, `--ambient-caps=${kept}`, `--bounding-set=${kept}`];
}

const spared = /^(PATH|LANG|LC_\w+|TZ|SSL_CERT_FILE|SSL_CERT_DIR)$/;

/** The environment of an engine: of the worker's what every program needs, and nothing else. `home` is where it may write. */
export function makeEnvironment(home: string, more: Record<string, string> = {}): Record<string, string> {
  return { ...spare(spared), LC_ALL: "C.UTF-8", HOME: home, TMPDIR: home, ...more };
}

/** What package managers and build tools are set up by: proxies, certificates, registries and caches. */
const sparedForInstall =
  /^(HOME|USER|LOGNAME|TMPDIR|XDG_\w+|\w+_(proxy|PROXY)|PIP_\w+|MAVEN_\w+|MVN_\w+|GO[A-Z]+|JAVA_HOME|CURL_CA_BUNDLE|REQUESTS_CA_BUNDLE|APT_CONFIG)$/;

/** The environment of a step of an install. */
export function makeInstallEnvironment(more: Record<string, string> = {}): Record<string, string> {
  return { ...spare(spared), ...spare(sparedForInstall), DEBIAN_FRONTEND: "noninteractive", ...more };
}

const spare = (pattern: RegExp): Record<string, string> =>
  Object.fromEntries(Object.entries(process.env).flatMap(([name, value]) => (value !== undefined && pattern.test(name) ? [[name, value]] : [])));
