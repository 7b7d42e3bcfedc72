import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test, vi } from "vitest";
import { findProgram } from "../kit/find-program.ts";
import { buildModule } from "./install.ts";

const folder = mkdtempSync(join(tmpdir(), "periscan-build-module-"));
afterAll(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true, force: true });
});

const module = "example.com/small";
const goMod = `module ${module}\n\ngo 1.20\n`;

/** A proxy of one module, as files (go.dev/ref/mod#goproxy-protocol). */
function writeProxy(): string {
  const versions = join(folder, "proxy", module, "@v");
  mkdirSync(versions, { recursive: true });
  writeFileSync(join(versions, "v1.0.0.info"), '{"Version": "v1.0.0"}');
  writeFileSync(join(versions, "v1.0.0.mod"), goMod);
  const files = { "go.mod": goMod, "main.go": 'package main\n\nfunc main() { println("small") }\n' };
  const pack =
    "import json, sys, zipfile\nwith zipfile.ZipFile(sys.argv[1], 'w') as archive:\n    for name, text in json.loads(sys.argv[2]).items(): archive.writestr(name, text)";
  const named = Object.fromEntries(Object.entries(files).map(([name, text]) => [`${module}@v1.0.0/${name}`, text]));
  execFileSync("python3", ["-c", pack, join(versions, "v1.0.0.zip"), JSON.stringify(named)]);
  return `file://${join(folder, "proxy")}`;
}

test.runIf(findProgram("go"))("a module that is not the one of go.sum, or not in it, stops the build", { timeout: 120_000 }, async () => {
  const proxy = writeProxy();
  vi.stubEnv("GOPROXY", proxy);
  vi.stubEnv("GONOSUMDB", "example.com");
  vi.stubEnv("GOFLAGS", "-mod=mod");
  const work = join(folder, "work");
  const sources = join(work, "module");
  mkdirSync(sources, { recursive: true });
  writeFileSync(join(sources, "go.mod"), `module periscan/test\n\ngo 1.20\n\nrequire ${module} v1.0.0\n`);
  writeFileSync(join(sources, "tools.go"), `//go:build tools\n\npackage tools\n\nimport _ "${module}"\n`);
  const go = { file: findProgram("go") ?? "", environment: { GOTOOLCHAIN: "local" } };
  const output = join(folder, "small");
  const build = async (sum: string) => {
    writeFileSync(join(sources, "go.sum"), sum);
    const context = { enginesFolder: folder, signal: new AbortController().signal, say: () => {} };
    await buildModule({ go, work, program: module, output, title: "Building what is small" }, context);
  };
  await expect(build("")).rejects.toMatchObject({
    code: "engine.install_failed",
    message: expect.stringMatching(/^Building what is small: .*missing go\.sum entry/s),
  });
  await expect(build(["", "/go.mod"].map((file) => `${module} v1.0.0${file} h1:${"A".repeat(43)}=\n`).join(""))).rejects.toThrow(/checksum mismatch/);
  expect(existsSync(output)).toBe(false);
});
