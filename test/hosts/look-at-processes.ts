import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { basename } from "node:path";

/** What /proc tells of a process (proc(5)). */
export interface SeenProcess {
  program: string;
  command: string;
  environment: string[];
  uid: number;
  groups: string;
  /** In hexadecimal digits: effective, bounding, inheritable and ambient. */
  capabilities: { effective: string; bounding: string; inheritable: string; ambient: string };
  noNewPrivileges: boolean;
}

/** A process and all that descend from it; one that ends meanwhile is left out. */
export function lookAtProcesses(root: number): SeenProcess[] {
  const parents = new Map<number, number>();
  for (const name of readdirSync("/proc").filter((each) => /^\d+$/.test(each))) {
    const fields = read(`/proc/${name}/stat`)?.split(") ").at(-1)?.split(" ");
    if (fields) parents.set(Number(name), Number(fields[1]));
  }
  const isBelow = (pid: number): boolean => pid === root || (parents.has(pid) && isBelow(parents.get(pid) ?? 0));
  return [...parents.keys()].filter(isBelow).flatMap((pid) => look(pid) ?? []);
}

function look(pid: number): SeenProcess | undefined {
  const [status, environment, command] = ["status", "environ", "cmdline"].map((name) => read(`/proc/${pid}/${name}`));
  try {
    const program = basename(readlinkSync(`/proc/${pid}/exe`));
    const field = (name: string) => new RegExp(`^${name}:[ \\t]*(.*)$`, "m").exec(status ?? "")?.[1]?.trim() ?? "";
    return {
      program,
      command: command?.replaceAll("\0", " ").trim() ?? "",
      environment: environment?.split("\0").filter((line) => line !== "") ?? [],
      uid: Number(field("Uid").split("\t")[0]),
      groups: field("Groups"),
      capabilities: { effective: field("CapEff"), bounding: field("CapBnd"), inheritable: field("CapInh"), ambient: field("CapAmb") },
      noNewPrivileges: field("NoNewPrivs") === "1",
    };
  } catch {
    return undefined;
  }
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return undefined;
  }
}
