import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";

export interface SystemAccount {
  name: string;
  uid: number;
  gid: number;
}

/** The system account of this name, made where it is missing: nobody logs in with it and nothing belongs to it. Only root can; throws with what `useradd` said otherwise. */
export function ensureSystemAccount(name: string): SystemAccount {
  const known = findAccount(name);
  if (known) return known;
  const args = ["--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent", "--shell", "/usr/sbin/nologin", name];
  const made = spawnSync("useradd", args, { encoding: "utf8", env: { PATH: process.env.PATH ?? "" } });
  const account = findAccount(name);
  if (!account)
    throw new Error(
      `The account ${name} is missing and could not be made (useradd: ${made.error?.message ?? made.stderr.trim()}). Make it: useradd --system --user-group ${name}`,
    );
  return account;
}

function findAccount(name: string): SystemAccount | undefined {
  const rows = readFileSync("/etc/passwd", "utf8").split("\n");
  const [, , uid, gid] = rows.map((line) => line.split(":")).find((row) => row[0] === name) ?? [];
  return uid === undefined ? undefined : { name, uid: Number(uid), gid: Number(gid) };
}
