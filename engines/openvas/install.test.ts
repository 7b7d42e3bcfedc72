import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test, vi } from "vitest";
import { install } from "./install.ts";

const folder = mkdtempSync(join(tmpdir(), "periscan-openvas-install-"));
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true, force: true });
});

// A mirror whose list is too old cannot be had at will: the program that would ask it says apt's words, and what it was asked with.
test.runIf(process.geteuid?.() === 0)(
  "a Debian list that has expired is taken only where the operator said so, and nothing is left of the attempt",
  async () => {
    const expired =
      "E: Release file for http://mirror.example/debian/dists/sid/InRelease is expired (invalid since 9d). Updates for this repository will not be applied.";
    const writeProgram = (name: string, lines: string) => writeFileSync(join(folder, name), `#!/bin/sh\n${lines}\n`, { mode: 0o755 });
    writeProgram("mmdebstrap", "exit 1");
    writeProgram("unshare", `echo "$@" >>${folder}/asked\necho "${expired}" >&2\nexit 1`);
    vi.stubEnv("PATH", `${folder}:${process.env.PATH}`);
    vi.stubEnv("PERISCAN_ALLOW_OLD_DEBIAN_LIST", "");
    const said: string[] = [];
    const enginesFolder = join(folder, "engines");
    const context = { enginesFolder, signal: new AbortController().signal, say: (line: string) => said.push(line) };
    await expect(install(context)).rejects.toMatchObject({
      code: "engine.install_failed",
      message: expect.stringMatching(/older than Debian lets it be.*OpenVAS was not installed\..*PERISCAN_ALLOW_OLD_DEBIAN_LIST=1/),
    });
    expect(said.join("\n")).not.toContain("however old");
    expect(readdirSync(enginesFolder)).toEqual([]);
    vi.stubEnv("PERISCAN_ALLOW_OLD_DEBIAN_LIST", "1");
    await expect(install(context)).rejects.toThrow("is expired");
    expect(said.join("\n")).toContain("however old it is, for PERISCAN_ALLOW_OLD_DEBIAN_LIST is 1");
    expect(
      readFileSync(join(folder, "asked"), "utf8")
        .trim()
        .split("\n")
        .map((line) => line.includes("Check-Valid-Until")),
    ).toEqual([false, true]);
  },
);
