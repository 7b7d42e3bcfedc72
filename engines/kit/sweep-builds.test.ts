import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { sweepBuilds } from "./sweep-builds.ts";

let real: string;
let enginesFolder: string;
let said: string[];
beforeEach(() => {
  real = mkdtempSync(join(tmpdir(), "periscan-sweep-"));
  // As an operator may have moved it to another disk.
  enginesFolder = join(real, "engines");
  mkdirSync(join(real, "disk"));
  symlinkSync(join(real, "disk"), enginesFolder);
  said = [];
});
afterEach(() => rmSync(real, { recursive: true, force: true }));

function makeFolders(...names: string[]): void {
  for (const name of names) {
    mkdirSync(join(enginesFolder, name, "bin"), { recursive: true });
    writeFileSync(join(enginesFolder, name, "bin", "program"), "");
  }
}
const sweep = (build = "tool-2.0") => sweepBuilds("tool", { build }, { enginesFolder, signal: new AbortController().signal, say: (line) => said.push(line) });

test("once the new build is there older ones go, with what installs and sweeps that were killed left; what is another's stays", async () => {
  makeFolders("tool-2.0", "tool-1.9", "tool-1.0-abc", "tool-1.8.fresh-1-1", "tool-1.7.removed", "tool-content", "tooling-1.0", "other-1.0");
  await sweep();
  expect(readdirSync(enginesFolder)).toEqual(["other-1.0", "tool-2.0", "tool-content", "tooling-1.0"]);
  expect(said).toContain("Removed tool-1.9, an older build.");
});

test("nothing goes while the new build is not there", async () => {
  makeFolders("tool-1.9");
  await sweep();
  expect(readdirSync(enginesFolder)).toEqual(["tool-1.9"]);
});

const older = () => join(enginesFolder, "tool-1.9");
const uses: [string, () => ChildProcess][] = [
  [
    "runs",
    () => {
      copyFileSync("/bin/sleep", join(older(), "bin", "program"));
      return spawn(join(older(), "bin", "program"), ["600"], { stdio: "ignore" });
    },
  ],
  ["reads as a script", () => spawn("sh", ["-c", "read line", join(older(), "bin", "program")], { stdio: ["pipe", "ignore", "ignore"] })],
  ["names in a class path", () => spawn("sh", ["-c", "read line", `-cp=/lib:${older()}/bin`], { stdio: ["pipe", "ignore", "ignore"] })],
  ["stands in", () => spawn("sleep", ["600"], { cwd: join(older(), "bin"), stdio: "ignore" })],
  ["has open", () => spawn("sh", ["-c", `exec 9< '${older()}/bin/program'; echo ready; read line`], { stdio: ["pipe", "pipe", "ignore"] })],
];

test.each(uses)("an older build that a process %s is kept, is named, and goes with the first sweep after that process", async (_, start) => {
  makeFolders("tool-2.0", "tool-1.9", "tool-1.8");
  const child = start();
  await (child.stdout ? once(child.stdout, "data") : once(child, "spawn"));
  await sweep();
  expect(said).toContainEqual(expect.stringContaining(`process ${child.pid} still uses`));
  expect(readdirSync(enginesFolder)).toEqual(["tool-1.9", "tool-2.0"]);
  child.kill("SIGKILL");
  await once(child, "exit");
  await sweep();
  expect(readdirSync(enginesFolder)).toEqual(["tool-2.0"]);
});
