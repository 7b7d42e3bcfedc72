import { execFile } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { startTestServer } from "../../server/testing/start-test-server.ts";
import { installSdk } from "../install-sdk.ts";

const run = promisify(execFile);
const compiler = fileURLToPath(new URL("../../sdk/node_modules/typescript/bin/tsc", import.meta.url));

const program = `
import { ApiError, createClient, type Risk, type Scan } from "@periscan/sdk";

const periscan = createClient({ server: process.argv[2] ?? "", apiKey: "test-data-key" });
const started: Scan = await periscan.scans.create({ type: "NMAP", target_ids: ["123", "456"] });
const scan = await periscan.waitForScan(started.id);
const risks: Risk[] = [];
for await (const risk of periscan.risks.list({ scan_id: [scan.id] })) risks.push(risk);
const html = scan.results.find(({ content_type }) => content_type === "text/html");
const { body, fileName } = await periscan.results.download(html?.result_id ?? "");
const page = await new Response(body).text();
const refused = await periscan.scans.get("nobody").catch((error: unknown) => (error instanceof ApiError ? error.code : "?"));
console.log(JSON.stringify([scan.state, risks.length, fileName, page.startsWith("<!doctype html>"), refused]));
`;

test("the published package installs without anything of ours, type-checks in a strict program, and runs against a server", async () => {
  await using server = await startTestServer();
  const folder = mkdtempSync(join(tmpdir(), "periscan-sdk-"));
  try {
    await installSdk(folder);
    const installed = join(folder, "node_modules", "@periscan", "sdk");
    expect(readdirSync(join(folder, "node_modules", "@periscan"))).toEqual(["sdk"]);
    const files = readdirSync(installed);
    expect(files.filter((file) => !/\.(js|d\.ts)$/.test(file)).sort()).toEqual(["LICENSE", "README.md", "package.json"]);
    const manifest = JSON.parse(readFileSync(join(installed, "package.json"), "utf8"));
    expect(manifest).not.toHaveProperty("dependencies");
    for (const path of Object.values(manifest.exports as Record<string, Record<string, string>>).flatMap((entry) => Object.values(entry)))
      expect(files, path).toContain(path.replace("./", ""));
    for (const file of files.filter((name) => /\.(js|d\.ts)$/.test(name)))
      expect(readFileSync(join(installed, file), "utf8"), file).not.toMatch(/["']node:|@periscan\/(?!sdk)/);
    writeFileSync(join(folder, "program.ts"), program);
    const strict = {
      target: "es2022",
      module: "nodenext",
      strict: true,
      exactOptionalPropertyTypes: true,
      noUncheckedIndexedAccess: true,
      skipLibCheck: false,
      types: ["node"],
    };
    writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions: strict, include: ["program.ts"] }));
    for (const needed of ["@types/node", "undici-types"])
      cpSync(fileURLToPath(new URL(`../../node_modules/${needed}`, import.meta.url)), join(folder, "node_modules", needed), { recursive: true });
    await run(process.execPath, [compiler, "--project", folder]).catch(({ stdout }) => expect.fail(stdout));
    const { stdout } = await run(process.execPath, [join(folder, "program.js"), server.url], { cwd: folder });
    expect(JSON.parse(stdout)).toEqual(["SUCCEEDED", 9, "sample-nmap.html", true, "scan.not_found"]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
