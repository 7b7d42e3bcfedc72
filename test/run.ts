import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { findProgram } from "@periscan/engines/kit/find-program.ts";
import { engines } from "@periscan/engines/registry.ts";
import { findBrowser } from "@periscan/worker/login/find-browser.ts";
import { findEnginesFolder } from "../cli/data-folder.ts";
import { whyNoHosts } from "./hosts/start-hosts.ts";

// Everything that must hold before a change lands: `./periscan test`. The last line counts the checks and tests.

const root = fileURLToPath(new URL("..", import.meta.url));
const filters = process.argv.slice(2);
const bin = (name: string) => join(root, "node_modules", ".bin", name);

const checks = [
  { name: "types", command: [bin("tsc"), "--noEmit"] },
  { name: "lint, format and import boundaries", command: [bin("biome"), "ci", "--error-on-warnings", "."] },
  { name: "dead code and dependencies", command: [bin("knip"), "--no-progress", "--no-config-hints"] },
];

/** What the tests use beside Nmap, with the Debian package that has it. */
const programs: Record<string, string> = {
  nmap: "nmap",
  ip: "iproute2",
  curl: "curl",
  jq: "jq",
  python3: "python3",
  pdftotext: "poppler-utils",
  setpriv: "util-linux",
  openssl: "openssl",
  chromium: "chromium",
};

interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

/** What `vitest --reporter=json` writes, as far as it is read here. */
interface TestReport {
  numPassedTests: number;
  numPendingTests: number;
  testResults: { name: string; status: string; message: string; assertionResults: { fullName: string; status: string; failureMessages: string[] }[] }[];
}

const counts: Counts = { passed: 0, failed: 0, skipped: 0 };
/** Each failure with its first lines, said once more at the end: a log of a thousand tests may reach its reader as its last page alone. */
const failures: string[] = [];

// Outside the checkout, so that a heavy engine is built once and not for every clone.
process.env.PERISCAN_ENGINES = findEnginesFolder();
// Of a mirror that lags behind, too: the scanner scans only what the tests themselves made.
process.env.PERISCAN_ALLOW_OLD_DEBIAN_LIST = "1";

await installPrograms();
const skipReason = whyNoHosts();
if (skipReason) console.log(`\nSkipped, because ${skipReason}: the tests that need hosts of their own.`);
if (filters.length > 0) await runTests("tests", []);
else await runAll();
if (failures.length > 0) console.log(`\nWhat failed:\n\n${failures.join("\n\n")}`);
console.log(`\n${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
process.exitCode = counts.failed === 0 ? 0 : 1;

/** The engines are installed while the checks and the tests without them run; then the engines' own tests beside those of the whole platform. */
async function runAll(): Promise<void> {
  const installing = installEngines();
  for (const check of checks) await runCheck(check);
  await runTests("unit", ["--project", "unit"]);
  console.log(await installing);
  const engineTests = runTests("engines", ["--project", "engines"], "later");
  await runTests("e2e", ["--project", "e2e"]);
  console.log(await engineTests);
}

async function installPrograms(): Promise<void> {
  const packages = Object.entries(programs).flatMap(([program, name]) => (findProgram(program) || (program === "chromium" && findBrowser()) ? [] : [name]));
  if (packages.length === 0) return;
  const install = `apt-get install --yes --no-install-recommends ${packages.join(" ")}`;
  if (process.geteuid?.() !== 0 || !findProgram("apt-get")) {
    console.error(`The tests need ${packages.join(", ")}: sudo ${install}`);
    process.exit(1);
  }
  console.log(`Installing ${packages.join(", ")}`);
  for (const args of [["update", "-qq"], install.split(" ").slice(1)]) {
    const { status } = spawnSync("apt-get", args, { stdio: ["ignore", "ignore", "inherit"], env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" } });
    if (status !== 0) {
      console.error(`apt-get ${args.join(" ")} failed`);
      process.exit(1);
    }
  }
}

/** Answers what the installs said. What cannot be installed here fails the tests that need it. */
async function installEngines(): Promise<string> {
  const said = [`\nengines, in ${process.env.PERISCAN_ENGINES}`];
  for (const program of new Set(engines.map((engine) => engine.program))) {
    const startedAt = performance.now();
    const { code, output } = await capture([process.execPath, join(root, "cli", "main.ts"), "engines", "install", program]);
    said.push(output.trimEnd(), `  ${program}: ${code === 0 ? "ready" : "NOT READY"} after ${Math.round((performance.now() - startedAt) / 1000)} s`);
  }
  return said.join("\n");
}

async function capture([file = "", ...args]: string[]): Promise<{ code: number; output: string }> {
  const child = spawn(file, args, { cwd: root, stdio: ["ignore", "pipe", "pipe"] });
  const pieces: Buffer[] = [];
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (piece: Buffer) => pieces.push(piece));
  const [code] = (await once(child, "close")) as [number | null];
  return { code: code ?? 1, output: Buffer.concat(pieces).toString() };
}

async function run([file = "", ...args]: string[]): Promise<number> {
  const child = spawn(file, args, { cwd: root, stdio: "inherit" });
  const [code] = (await once(child, "exit")) as [number | null];
  return code ?? 1;
}

async function runCheck({ name, command }: (typeof checks)[number]): Promise<void> {
  console.log(`\n${name}`);
  const code = await run(command);
  counts[code === 0 ? "passed" : "failed"] += 1;
  if (code !== 0) failures.push(name);
  console.log(code === 0 ? "  passed" : "  failed");
}

/** Runs the tests of some projects and counts them. Their output comes as it is made, or, `later`, as the answer. */
async function runTests(name: string, projects: string[], output: "now" | "later" = "now"): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "periscan-tests-"));
  const report = join(folder, "report.json");
  const command = [bin("vitest"), "run", ...projects, "--reporter=default", "--reporter=json", `--outputFile.json=${report}`, ...filters];
  const ended = output === "now" ? { code: await run(command), output: "" } : await capture(command);
  const before = counts.failed;
  try {
    const { numPassedTests, numPendingTests, testResults } = JSON.parse(readFileSync(report, "utf8")) as TestReport;
    const failed = testResults.flatMap(describeFailures);
    counts.passed += numPassedTests;
    counts.failed += failed.length;
    counts.skipped += numPendingTests;
    failures.push(...failed);
  } catch (error) {
    console.error(`no report of the ${name}: ${(error as Error).message}`);
  }
  // A file that does not load, or an error outside any test, is a failure too.
  if (ended.code !== 0 && counts.failed === before) {
    counts.failed += 1;
    failures.push(`${name}: vitest ended with ${ended.code}, and none of its tests failed; its output above says why`);
  }
  rmSync(folder, { recursive: true, force: true });
  return ended.output;
}

function describeFailures({ name, status, message, assertionResults }: TestReport["testResults"][number]): string[] {
  const file = relative(root, name);
  const failed = assertionResults.filter((test) => test.status === "failed");
  if (failed.length === 0) return status === "failed" ? [`${file}\n${firstLines(message)}`] : [];
  return failed.map((test) => `${file}: ${test.fullName}\n${firstLines(test.failureMessages.join("\n"))}`);
}

function firstLines(text: string): string {
  return text
    .split("\n")
    .slice(0, 12)
    .map((line) => `  ${line.slice(0, 8000)}`)
    .join("\n");
}
