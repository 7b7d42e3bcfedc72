import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { readChecksums, verifyRepository } from "./fetch-jars.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "periscan-fetch-jars-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const put = (path: string, text: string) => {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), text);
};

test("a file of Maven's that is another, or that nobody listed, stops the install and is named; Maven's own notes do not", () => {
  // The SHA-256 of "abc" (FIPS 180-2, B.1).
  const checksums = readChecksums("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  org/a/1/a-1.jar\n");
  put("org/a/1/a-1.jar", "abc");
  for (const note of ["a-1.jar.sha1", "_remote.repositories", "a-1.jar.lastUpdated"]) put(`org/a/1/${note}`, "note");
  expect(() => verifyRepository(folder, checksums)).not.toThrow();
  put("org/b/1/b-1.pom", "abc");
  expect(() => verifyRepository(folder, checksums)).toThrow(
    /^Maven took org\/b\/1\/b-1\.pom, which is not in engines\/zap\/checksums\.sha256: ZAP was not installed\./,
  );
  rmSync(join(folder, "org/b"), { recursive: true });
  put("org/a/1/a-1.jar", "abd");
  expect(() => verifyRepository(folder, checksums)).toThrow(/org\/a\/1\/a-1\.jar, which has the SHA-256 [0-9a-f]{64}, and not ba7816bf/);
});

test("the list has what pom.xml names, each path once", () => {
  const text = readFileSync(new URL("checksums.sha256", import.meta.url), "utf8");
  const checksums = readChecksums(text);
  expect(checksums.size).toBe(text.trimEnd().split("\n").length);
  const pom = readFileSync(new URL("pom.xml", import.meta.url), "utf8");
  const named = [...pom.matchAll(/<groupId>([\w.]+)<\/groupId>\s*<artifactId>([\w-]+)<\/artifactId>\s*<version>([\d.]+)<\/version>/g)];
  const paths = named
    .map(([, group = "", name, version]) => `${group.replaceAll(".", "/")}/${name}/${version}/${name}-${version}.jar`)
    .filter((path) => !path.startsWith("periscan/"));
  expect(paths.length).toBe(6);
  for (const path of paths) expect(checksums.has(path), path).toBe(true);
});
