import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { installPythonPackages } from "../kit/install-python.ts";
import { testEnginesFolder } from "../kit/testing.ts";
import { pythonOf } from "./install.ts";
import { installForTest } from "./testing.ts";

const folder = mkdtempSync(join(tmpdir(), "periscan-install-python-"));
/** SSLyze's own, which the other tests need too; nothing is written to its environment. */
const python = pythonOf(testEnginesFolder);
const installed = join(folder, "installed");
const wheel = join(folder, "small-1.0-py3-none-any.whl");
const requirements = join(folder, "requirements.txt");

/** A package of one line, as pip takes it. */
const packWheel = `
import sys, zipfile
with zipfile.ZipFile(sys.argv[1], "w") as wheel:
    wheel.writestr("small.py", "value = 1")
    wheel.writestr("small-1.0.dist-info/METADATA", "Metadata-Version: 2.1\\nName: small\\nVersion: 1.0\\n")
    wheel.writestr("small-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
    wheel.writestr("small-1.0.dist-info/RECORD", "")
`;

beforeAll(async () => {
  await installForTest();
  execFileSync(python, ["-I", "-c", packWheel, wheel]);
  // In place of PyPI, by pip's own configuration.
  vi.stubEnv("PIP_NO_INDEX", "1");
  vi.stubEnv("PIP_FIND_LINKS", folder);
});
afterAll(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true, force: true });
});

async function installSmall(requirement: string): Promise<string> {
  writeFileSync(requirements, requirement);
  const context = { enginesFolder: folder, signal: new AbortController().signal, say: () => {} };
  await installPythonPackages({ python, requirements, args: ["--only-binary=:all:", "--target", installed], title: "Installing what is small" }, context);
  return readFileSync(join(installed, "small.py"), "utf8");
}

test("a package whose hash is not the pinned one, or that has none, stops the install; the right one is installed", async () => {
  const hash = createHash("sha256").update(readFileSync(wheel)).digest("hex");
  await expect(installSmall(`small==1.0 --hash=sha256:${"0".repeat(64)}`)).rejects.toMatchObject({
    code: "engine.install_failed",
    message: expect.stringMatching(/^Installing what is small: .*DO NOT MATCH THE HASHES.*Got +[0-9a-f]{64}/s),
  });
  await expect(installSmall("small==1.0")).rejects.toThrow(/^Installing what is small: .*hash/is);
  expect(existsSync(installed)).toBe(false);
  expect(await installSmall(`small==1.0 --hash=sha256:${hash}`)).toBe("value = 1");
});
