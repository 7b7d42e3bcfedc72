import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { claimSome, finishTask, getScan, startScan, startTestServer, type TestServer, tcpOutcome } from "@periscan/server/testing/start-test-server.ts";
import { afterAll, beforeAll, expect, test } from "vitest";

let server: TestServer;
let folder: string;
const stored = ["https://shop.example/App", "www.example.com", "192.0.2.8", "192.0.2.9", "192.0.2.80"];
beforeAll(async () => {
  server = await startTestServer();
  folder = mkdtempSync(join(tmpdir(), "periscan-cli-"));
  const { id } = await startScan(server, { type: "NMAP", targets: stored });
  while ((await getScan(server, id)).state !== "SUCCEEDED")
    await finishTask(server, await claimSome(server), () => tcpOutcome({ ports: "1-1000", open: [22] }));
});
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  await server[Symbol.asyncDispose]();
});

async function run(...args: string[]) {
  const file = fileURLToPath(new URL("../main.ts", import.meta.url));
  const env = { ...process.env, PERISCAN_SERVER: server.url, PERISCAN_API_KEY: server.apiKey };
  const child = spawn(process.execPath, [file, ...args], { env, stdio: ["ignore", "pipe", "pipe"] });
  const [out, err, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "close")]);
  return { code, out, err };
}

async function listTargets(...wanted: string[]): Promise<string[]> {
  const { out, err } = await run("risks", "--json", "--target", ...wanted);
  expect(err).toBe("");
  return JSON.parse(out)
    .map(({ target }: { target: string }) => target)
    .sort();
}

test("--target finds a target in any spelling, and by id", async () => {
  expect(await listTargets("https://shop.example/App")).toEqual(["https://shop.example/App"]);
  expect(await listTargets("HTTPS://Shop.Example:443/%41pp", "WWW.Example.com.")).toEqual(["https://shop.example/App", "www.example.com"]);
  expect(await listTargets("192.0.2.8/30")).toEqual(["192.0.2.8", "192.0.2.9"]);
  const { data } = (await server.api<{ data: { id: string; target: string }[] }>("GET", "/v1/targets")).body;
  const { id = "" } = data.find(({ target }) => target === "192.0.2.80") ?? {};
  expect(await listTargets(id, "www.example.com")).toEqual(["192.0.2.80", "www.example.com"]);
});

test("a path keeps its case, and what is no target is said", async () => {
  for (const name of ["https://shop.example/app", "192.0.2.77", "0199d3a2-0000-7000-8000-000000000000", "a;b", ""])
    expect(await run("risks", "--target", "www.example.com", name), name).toEqual({
      code: 2,
      out: "",
      err: `periscan: There is no target ${name}; \`periscan targets\` lists them.\n`,
    });
});

test("an export and a report find it alike", async () => {
  const exported = await run("risks", "export", "--format", "csv", "--target", "https://shop.example/App");
  expect(exported.out.trim().split("\r\n")).toEqual([expect.any(String), expect.stringContaining("https://shop.example/App")]);
  const file = join(folder, "report.html");
  expect(await run("report", "--format", "html", "--target", "https://shop.example/App", "--output", file)).toMatchObject({ code: 0, err: "" });
  expect(readFileSync(file, "utf8")).toContain("https://shop.example/App");
});

test("scans are chosen by what there is", async () => {
  expect(JSON.parse((await run("scans", "--json", "--type", "nmap", "sslyze", "--state", "SUCCEEDED")).out)).toHaveLength(1);
  expect(await run("scans", "--type", "masscan")).toMatchObject({ code: 2, err: expect.stringContaining("give one of NMAP, ") });
  expect(await run("scans", "--state", "DONE")).toMatchObject({ code: 2, err: expect.stringContaining("Allowed choices are QUEUED, ") });
});
