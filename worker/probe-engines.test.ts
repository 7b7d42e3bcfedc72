import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Engine } from "@periscan/engines/kit/engine.ts";
import { withInstallLock } from "@periscan/engines/kit/install.ts";
import { nmap, nmapUdp } from "@periscan/engines/nmap/index.ts";
import { sslyze } from "@periscan/engines/sslyze/index.ts";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createBuildHolds } from "./hold-builds.ts";
import { createEngineProbe } from "./probe-engines.ts";

let enginesFolder: string;
let clock = 0;
beforeEach(() => {
  enginesFolder = mkdtempSync(join(tmpdir(), "periscan-probe-"));
  clock = 0;
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(enginesFolder, { recursive: true, force: true });
});

/** A real engine beside a count of how often it was asked. */
function countProbes(engine: Engine) {
  const counted = { engine, times: 0 };
  const load = async () => {
    const runner = await engine.load();
    return {
      ...runner,
      probe: (context: { enginesFolder: string }) => {
        counted.times += 1;
        return runner.probe(context);
      },
    };
  };
  counted.engine = { ...engine, load };
  return counted;
}

const createProbe = (engines: Engine[], memoryMegabytes = 4096) =>
  createEngineProbe({ engines, enginesFolder, memoryMegabytes, hold: () => {}, now: () => clock });

test("claim after claim asks the engines once every half minute, and what changed is noticed then", async () => {
  const counted = countProbes(nmap);
  const probe = createProbe([counted.engine]);
  for (clock = 0; clock < 30_000; clock += 1000) expect(await probe()).toMatchObject([{ type: "NMAP", ready: true, installing: false }]);
  expect(counted.times).toBe(1);
  vi.stubEnv("PATH", enginesFolder);
  expect(await probe()).toMatchObject([{ type: "NMAP", ready: false, missing: expect.stringContaining("not installed") }]);
  expect(counted.times).toBe(2);
});

test("an install is noticed at once, when it begins and when it ends", async () => {
  const probe = createProbe([nmap]);
  const isInstalling = async () => (await probe())[0]?.installing;
  expect(await isInstalling()).toBe(false);
  const context = { enginesFolder, signal: new AbortController().signal, say: () => {} };
  await withInstallLock("nmap", context, async () => expect(await isInstalling()).toBe(true));
  expect(await isInstalling()).toBe(false);
});

test("two scan types of one program start it once", async () => {
  const starts = join(enginesFolder, "starts");
  const program = join(enginesFolder, "nmap");
  writeFileSync(program, `#!/bin/sh\necho start >> '${starts}'\necho 'Nmap version 7.99 ( https://nmap.org )'\n`);
  chmodSync(program, 0o755);
  // As root the program runs as the account of engines, which must get to it and may write this file alone.
  chmodSync(enginesFolder, 0o755);
  writeFileSync(starts, "");
  chmodSync(starts, 0o666);
  vi.stubEnv("PATH", `${enginesFolder}:${process.env.PATH}`);
  expect(await createProbe([nmap, nmapUdp])()).toMatchObject([{ version: "Nmap 7.99" }, { version: "Nmap 7.99" }]);
  expect(readFileSync(starts, "utf8")).toBe("start\n");
});

test("a folder of engines that cannot be read is no fault of the worker's: each engine says what is missing", async () => {
  const file = join(enginesFolder, "file");
  writeFileSync(file, "");
  const holds = createBuildHolds();
  const probe = createEngineProbe({ engines: [nmap, sslyze], enginesFolder: file, memoryMegabytes: 4096, hold: holds.hold });
  expect(await probe()).toMatchObject([{ ready: true }, { ready: false, missing: expect.stringContaining("not installed") }]);
});

test("an engine that needs more memory than the worker has is not ready, and says what would mend it; a folder that is not there yet is no fault", async () => {
  rmSync(enginesFolder, { recursive: true });
  expect(await createProbe([nmap], 100)()).toMatchObject([{ ready: false, missing: expect.stringContaining("--memory 256") }]);
  expect(existsSync(enginesFolder)).toBe(false);
});
