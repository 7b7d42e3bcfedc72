import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parse } from "yaml";
import { makeGitlabTemplate } from "../../integrations/write-gitlab.ts";
import { keepWorking, startTestServer, type TestServer, tcpOutcome } from "../../server/testing/start-test-server.ts";

/** Targets that do not answer. */
const down = new Set<string>();
let server: TestServer;
let stopWorking: () => Promise<void>;
beforeAll(async () => {
  server = await startTestServer();
  stopWorking = keepWorking(server, (target) =>
    down.has(target) ? { kind: "unreachable", reason: "no answer", notes: [], detections: [] } : tcpOutcome({ ports: "1-1000", open: [22] }),
  );
});
afterAll(async () => {
  await stopWorking();
  await server[Symbol.asyncDispose]();
});

const folderOf = (name: string) => fileURLToPath(new URL(`../../integrations/${name}/`, import.meta.url));

interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
  /** What the run wrote, by name; absent where it did not. */
  files: Record<string, string>;
}

async function runShell(script: string, environment: Record<string, string>): Promise<Ended> {
  const folder = mkdtempSync(join(tmpdir(), "periscan-ci-"));
  try {
    const env = { PATH: process.env.PATH ?? "", GITHUB_OUTPUT: join(folder, "output"), GITHUB_STEP_SUMMARY: join(folder, "summary"), ...environment };
    const child = spawn("bash", ["--noprofile", "--norc", "-e", "-c", script], { cwd: folder, env });
    const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "exit") as Promise<[number | null]>]);
    const written = ["output", "summary", "periscan.sarif"].filter((name) => existsSync(join(folder, name)));
    return { code, stdout, stderr, files: Object.fromEntries(written.map((name) => [name, readFileSync(join(folder, name), "utf8")])) };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

interface Action {
  inputs: Record<string, { default?: string }>;
  runs: { steps: { id?: string; run?: string; env?: Record<string, string> }[] };
}

/** As GitHub runs it: the step's command, with the inputs in the place of their expressions. */
function runAction(inputs: Record<string, string>): Promise<Ended> {
  const action = parse(readFileSync(join(folderOf("github"), "action.yml"), "utf8")) as Action;
  const step = action.runs.steps.find(({ id }) => id === "scan");
  const fill = (value: string) => value.replaceAll(/\$\{\{ inputs\.([\w-]+) \}\}/g, (_, name: string) => inputs[name] ?? action.inputs[name]?.default ?? "");
  const env = Object.fromEntries(Object.entries(step?.env ?? {}).map(([name, value]) => [name, fill(value)]));
  return runShell(step?.run ?? "", { ...env, GITHUB_ACTION_PATH: folderOf("github") });
}

interface Template {
  ".periscan": { script: string[]; variables: Record<string, string> };
}

function runTemplate(variables: Record<string, string>): Promise<Ended> {
  const { ".periscan": job } = parse(readFileSync(join(folderOf("gitlab"), "periscan.yml"), "utf8")) as Template;
  return runShell(job.script.join("\n"), { ...job.variables, ...variables });
}

const inputs = () => ({ server: server.url, "api-key": server.apiKey, targets: "198.51.100.7, 198.51.100.8", sarif: "" });

test("the GitHub Action passes a build whose risks are below its threat level, and says what it saw", async () => {
  const { code, stdout, files } = await runAction(inputs());
  expect(code, stdout).toBe(0);
  expect(stdout).toContain("LOW      198.51.100.7  Open TCP Port: 22");
  expect(stdout).toContain("0 critical, 0 high, 0 medium, 2 low");
  expect(files.output).toMatch(/^scan-id=[0-9a-f-]{36}\nrisks=2\n$/);
  expect(files.summary).toContain("| 0 | 0 | 0 | 2 |");
});

test("it fails a build from the threat level on", async () => {
  const { code, stderr } = await runAction({ ...inputs(), "fail-on": "low" });
  expect([code, stderr]).toEqual([1, "2 of the open risks are CRITICAL or HIGH or MEDIUM or LOW.\n"]);
  expect((await runAction({ ...inputs(), "fail-on": "NEVER" })).code).toBe(0);
});

test("a target that was not scanned is no clean build, unless that is accepted", async () => {
  const partly = { ...inputs(), targets: "198.51.100.7\n169.254.169.254" };
  const refused = await runAction(partly);
  expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining("Not every target was scanned to the end")]);
  expect(refused.stdout).toContain("NOT SCANNED TO THE END  169.254.169.254");
  expect((await runAction({ ...partly, "allow-partial": "true" })).code).toBe(0);
  const failed = await runAction({ ...inputs(), targets: "169.254.169.254" });
  expect([failed.code, failed.stderr]).toEqual([2, expect.stringContaining("The scan is FAILED: 169.254.169.254")]);
});

test("wrong use and a server that refuses are said, and start nothing", async () => {
  const said = async (more: Record<string, string>) => {
    const { code, stderr } = await runAction({ ...inputs(), ...more });
    return [code, stderr];
  };
  expect(await said({ "api-key": "wrong" })).toEqual([2, "periscan: This API key is not known, or was revoked.\n"]);
  expect(await said({ targets: "" })).toEqual([2, "periscan: PERISCAN_TARGETS is not set.\n"]);
  expect(await said({ "fail-on": "SEVERE" })).toEqual([2, expect.stringContaining("PERISCAN_FAIL_ON is one of")]);
  expect(await said({ targets: "a;b" })).toEqual([2, expect.stringContaining("targets[0]")]);
  expect(await said({ options: '{"nobody":1}' })).toEqual([2, expect.stringContaining("options.nobody")]);
});

test("exit code 1 is for risks alone: what answers instead of a server, or not to the end, is 2 and one line", async () => {
  const stranger = createServer((request, response) => {
    const isWhole = request.headers["x-hostedscan-api-key"] === "whole";
    response.writeHead(200, { "content-length": isWhole ? 6 : 500 }).write("<html>", () => isWhole || response.destroy());
  }).listen(0, "127.0.0.1");
  await once(stranger, "listening");
  const url = `http://127.0.0.1:${(stranger.address() as AddressInfo).port}`;
  const said = async (more: Record<string, string>) => {
    const { code, stdout, stderr } = await runAction({ ...inputs(), ...more });
    return [code, stdout, stderr];
  };
  const broken = said({ server: url, "api-key": "cut" });
  expect(await said({ server: "periscan.example:7700" })).toEqual([
    2,
    "",
    "periscan: PERISCAN_SERVER must begin with http:// or https://, such as https://periscan.example; it is periscan.example:7700\n",
  ]);
  expect(await said({ server: url, "api-key": "whole" })).toEqual([2, "", `periscan: What answers at ${url} is no Periscan server; see PERISCAN_SERVER.\n`]);
  expect(await said({ "api-key": "ps_…" })).toEqual([2, "", "periscan: PERISCAN_API_KEY has characters that no key has.\n"]);
  expect(await broken).toEqual([2, "", expect.stringMatching(/^periscan: The server cannot be reached: .+\n$/)]);
  stranger.close();
});

test("SARIF that cannot be written is no good build, and hides no risks", async () => {
  const nowhere = { ...inputs(), sarif: "/no-such-folder/periscan.sarif" };
  const said = "periscan: /no-such-folder/periscan.sarif cannot be written (ENOENT).\n";
  const passed = await runAction(nowhere);
  expect([passed.code, passed.stderr]).toEqual([2, said]);
  const failed = await runAction({ ...nowhere, "fail-on": "LOW" });
  expect([failed.code, failed.stderr]).toEqual([1, `${said}2 of the open risks are CRITICAL or HIGH or MEDIUM or LOW.\n`]);
});

test("a scan that takes too long is cancelled", async () => {
  const { code, stdout, stderr } = await runAction({ ...inputs(), type: "NMAP_UDP", "timeout-minutes": "0.01" });
  expect([code, stderr]).toEqual([2, "periscan: The scan took longer than 0.01 minutes and was cancelled.\n"]);
  const id = /^Scan (\S+)/.exec(stdout)?.[1];
  expect((await server.api<{ data: unknown }>("GET", `/v1/scans/${id}`)).body.data).toMatchObject({ error: { code: "scan.cancelled" } });
});

const listResults = ({ files }: Ended): string[] => {
  const sarif = JSON.parse(files["periscan.sarif"] ?? "null") as { version: string; runs: { results: { message: { text: string } }[] }[] };
  expect(sarif.version).toBe("2.1.0");
  return sarif.runs.flatMap(({ results }) => results.map(({ message }) => message.text)).sort();
};

test("SARIF has what is open of every target, also of one that did not answer this time", async () => {
  const some = { ...inputs(), targets: "198.51.100.20 198.51.100.21", sarif: "periscan.sarif" };
  const first = await runAction(some);
  expect([first.code, listResults(first).length]).toEqual([0, 2]);
  down.add("198.51.100.21");
  const second = await runAction(some);
  expect([second.code, listResults(second)]).toEqual([2, listResults(first)]);
  expect((await runAction({ ...some, targets: "169.254.169.254" })).files).not.toHaveProperty("periscan.sarif");
});

test("the GitLab template does the same", async () => {
  expect(readFileSync(join(folderOf("gitlab"), "periscan.yml"), "utf8"), "mend: node integrations/write-gitlab.ts").toBe(makeGitlabTemplate());
  const variables = { PERISCAN_SERVER: server.url, PERISCAN_API_KEY: server.apiKey, PERISCAN_TARGETS: "198.51.100.9" };
  const passed = await runTemplate(variables);
  expect([passed.code, passed.stdout]).toEqual([0, expect.stringContaining("198.51.100.9  Open TCP Port: 22")]);
  expect(listResults(passed)).toHaveLength(1);
  const failed = await runTemplate({ ...variables, PERISCAN_FAIL_ON: "LOW" });
  expect([failed.code, listResults(failed).length]).toEqual([1, 1]);
  expect((await runTemplate({ ...variables, PERISCAN_SARIF: "" })).files).not.toHaveProperty("periscan.sarif");
});
