import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer as createHttpServer } from "node:http";
import type net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { makeRunFolder } from "../kit/run-folder.ts";
import { pinForTest, testEnginesFolder } from "../kit/testing.ts";
import { makeScope, packIds, readCoverage } from "./coverage.ts";
import { compareVersions } from "./find-go.ts";
import { findTemplates } from "./find-templates.ts";
import { nuclei } from "./index.ts";
import { findNuclei } from "./install.ts";
import { readResults } from "./read-result.ts";
import { anyPage, few, id, keysOf, makeTemplate, scan, scanOne, serve, siteAt, useNuclei } from "./run-for-test.ts";

useNuclei();

describe("the engine", () => {
  test("is the user's where Nuclei 3 is on PATH, and never an older one", async () => {
    const folder = makeRunFolder(tmpdir(), "periscan-path-test-");
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const file = join(folder, "nuclei");
    vi.stubEnv("PATH", `${folder}:${process.env.PATH}`);
    for (const [version, found] of [
      ["3.9.9", file],
      ["2.9.15", join(testEnginesFolder, "nuclei-3.7.1", "nuclei")],
    ] as const) {
      writeFileSync(file, `#!/bin/sh\necho "[INF] Nuclei Engine Version: v${version}" >&2\n`, { mode: 0o755 });
      expect((await findNuclei(testEnginesFolder))?.file).toBe(found);
    }
  });

  test("is installed once, and again without a word from the network", async () => {
    const lines: string[] = [];
    await (await nuclei.load()).install({ enginesFolder: testEnginesFolder, signal: new AbortController().signal, say: (line) => lines.push(line) });
    expect(lines).toEqual(["nuclei-3.7.1 is installed already."]);
  });

  test("needs a Go that is new enough to be built", () => {
    expect(["1.24.2", "1.24.13", "1.26.0", "2.0"].map((version) => compareVersions(version) >= 0)).toEqual([true, true, true, true]);
    expect(["1.24.1", "1.19", "", "devel"].map((version) => compareVersions(version) >= 0)).toEqual([false, false, false, false]);
  });

  test("calls templates official only where Nuclei itself put them", () => {
    const home = mkdtempSync(join(tmpdir(), "periscan-home-test-"));
    onTestFinished(() => rmSync(home, { recursive: true, force: true }));
    vi.stubEnv("HOME", home);
    vi.stubEnv("XDG_CONFIG_HOME", undefined);
    expect(findTemplates().origin).toBe("ours");
    const folder = join(home, "nuclei-templates");
    mkdirSync(folder);
    writeFileSync(join(folder, "a.yaml"), makeTemplate("a", anyPage("{{BaseURL}}/")));
    expect(findTemplates()).toMatchObject({ origin: "user", folder });
    writeFileSync(join(folder, ".checksum"), "");
    mkdirSync(join(home, ".config", "nuclei"), { recursive: true });
    const kept = { "nuclei-templates-directory": folder, "nuclei-templates-version": "v10.2.0" };
    writeFileSync(join(home, ".config", "nuclei", ".templates-config.json"), JSON.stringify(kept));
    expect(findTemplates()).toMatchObject({ origin: "official", name: "nuclei-templates", version: "v10.2.0" });
  });
});

test("a file of Nuclei's output is read line by line, and refused with the number of the line that is none", async () => {
  const whole = readFileSync(new URL("samples/many.jsonl", import.meta.url), "utf8")
    .split("\n")
    .filter((line) => line.startsWith('{"template-id"'));
  const read = async (lines: string[]) => {
    const ids: string[] = [];
    for await (const { result } of readResults(Readable.from([Buffer.from(lines.join("\n"))]))) ids.push(result["template-id"]);
    return ids;
  };
  expect(await read(["[WRN] Loading 8 unsigned templates for scan. Use with caution.", ...whole, ""])).toHaveLength(8);
  await expect(read([whole[0] ?? "", "", "nonsense"])).rejects.toThrow("Line 3");
  await expect(read([whole[0] ?? "", '{"template-id":"x","type":"http","matched-at":"x"}'])).rejects.toThrow("Line 2");
  await expect(read([(whole[0] ?? "").slice(0, -10)])).rejects.toThrow("Line 1");
  await expect(read([`{"template-id":"${"x".repeat(5_000_000)}"}`])).rejects.toThrow("Line 1");
});

test("a hostile answer is evidence of bounded size, without what breaks a document or a database", async () => {
  const forged = '\u0000\u001b[31m<script>\n[INF] Scan completed in 1s. No results found.\n{"template-id":"forged"}\n';
  const server = createHttpServer((request, response) => {
    if (request.url === "/.env") response.end(`APP_KEY=${forged}${"\u0001".repeat(6_000_000)}`);
    else response.writeHead(404).end();
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  const { outcome } = await scanOne([siteAt((server.address() as net.AddressInfo).port)], few);
  expect([outcome.kind, keysOf(outcome)]).toEqual(["complete", [id("env-file")]]);
  const text = JSON.stringify(outcome);
  expect(text).not.toMatch(/\\u0000|\\u001b/);
  expect(Buffer.byteLength(JSON.stringify(outcome.detections[0]?.detail))).toBeLessThan(20_000);
  expect(JSON.stringify(nuclei.view(outcome.detections[0]?.detail))).toContain("<script>");
});

test("a scan with fewer templates closes nothing that another template found", async () => {
  const { port } = await serve({ site: "default" });
  const { outcome } = await scanOne([siteAt(port)], few);
  const place = `http://shop.example:${port}`;
  expect(readCoverage(outcome.coverage)(makeScope(id("env-file"), place))).toBe(true);
  expect(readCoverage(outcome.coverage)(makeScope(id("jupyter-open"), place))).toBe(false);
  expect(readCoverage(outcome.coverage)(makeScope(id("env-file"), `http://shop.example:${port + 1}`))).toBe(false);
});

test("a port that the host closed closes what was found there; a port that is silent does not", () => {
  const templates = { name: "x", version: "1" };
  const coverage = { templates, checks: [], closed: { ports: [6379], ids: packIds([id("redis-open"), id("git-config")]) } };
  expect(readCoverage(coverage)(makeScope(id("redis-open"), "tcp:6379"))).toBe(true);
  expect(readCoverage(coverage)(makeScope(id("git-config"), "http://shop.example:6379/app"))).toBe(true);
  expect(readCoverage(coverage)(makeScope(id("redis-open"), "tcp:6380"))).toBe(false);
  expect(readCoverage(coverage)(makeScope(id("ftp-anonymous"), "tcp:6379"))).toBe(false);
});

test("the target's login goes to the target, and is nowhere in arguments, evidence or native output", async () => {
  const secret = 's3cr<t-"value"-\'of-the-login';
  const got = new Set<string | undefined>();
  const server = createHttpServer((request, response) => {
    got.add(request.headers.authorization);
    response.writeHead(200, { "content-type": "text/plain" }).end(`[core]\nrepositoryformatversion = 0\nurl = ${request.headers.authorization}\n`);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  const { port } = server.address() as net.AddressInfo;
  const target = { ...siteAt(port), login: { kind: "header" as const, name: "Authorization", value: secret } };
  const { outcome, native, args } = await scanOne([target], { template_ids: [id("git-config")] });
  expect(got).toEqual(new Set([secret]));
  expect(keysOf(outcome)).toEqual([id("git-config")]);
  for (const text of [native, JSON.stringify(outcome), JSON.stringify(args)])
    for (const form of [secret, JSON.stringify(secret).slice(1, -1), "s3cr"]) expect(text).not.toContain(form);
  expect(native).toContain("[the target's login]");
});

test("progress never runs backwards and ends at 1", async () => {
  const { port } = await serve({ site: "main" });
  const { events } = await scan([siteAt(port), pinForTest("127.0.0.1:1")]);
  const progress = events.flatMap((event) => (event.kind === "progress" ? [event.fraction] : []));
  expect(progress).toEqual(progress.toSorted((a, b) => a - b));
  expect(progress.at(-1)).toBe(1);
});

test("the self-test sees what is there", async () => {
  const folder = makeRunFolder(tmpdir(), "periscan-self-test-");
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const limits = { memoryBytes: 2 ** 31, packetsPerSecond: Number.POSITIVE_INFINITY, outputBytes: 2 ** 30 };
  const context = { signal: new AbortController().signal, limits, enginesFolder: testEnginesFolder, folder, log: () => {} };
  expect(await (await nuclei.load()).selfTest(context)).toContain("saw");
});
