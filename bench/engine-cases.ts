import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ScanType } from "@periscan/contract/scan.ts";
import { pinForTest, runForTest, testEnginesFolder } from "@periscan/engines/kit/testing.ts";
import { ownTemplatesFolder } from "@periscan/engines/nuclei/find-templates.ts";
import { findNuclei } from "@periscan/engines/nuclei/install.ts";
import { findEngine } from "@periscan/engines/registry.ts";
import { pythonOf } from "@periscan/engines/sslyze/install.ts";

/** One scan type on one target: by the bare program, and what the platform is given. */
export interface EngineCase {
  type: ScanType;
  target: string;
  options: Record<string, unknown>;
  /** What stands for the engine alone. */
  bareName: string;
  runBare(): Promise<void>;
}

export interface Places {
  tlsPort: number;
  sitePort: number;
}

const address = "127.0.0.1";

/** The bare program where there is one; ZAP and OpenVAS have none that scans by itself, so theirs is the engine's own run without the platform. */
export function listEngineCases({ tlsPort, sitePort }: Places): EngineCase[] {
  const site = `http://${address}:${sitePort}/`;
  const ports = { ports: `${sitePort}` };
  return [
    { type: "SSLYZE", target: `${address}:${tlsPort}`, options: {}, bareName: "sslyze", runBare: () => runSslyze(tlsPort) },
    { type: "NUCLEI", target: site, options: {}, bareName: "nuclei", runBare: () => runNuclei(site) },
    { type: "OWASP_ZAP", target: site, options: {}, bareName: "the engine's run", runBare: () => runEngine("OWASP_ZAP", site, {}) },
    { type: "OWASP_ZAP_ACTIVE", target: site, options: {}, bareName: "the engine's run", runBare: () => runEngine("OWASP_ZAP_ACTIVE", site, {}) },
    { type: "OPENVAS", target: address, options: ports, bareName: "the engine's run", runBare: () => runEngine("OPENVAS", address, ports) },
  ];
}

async function runProgram(file: string, args: string[], options: { env?: NodeJS.ProcessEnv; cwd?: string } = {}): Promise<void> {
  await once(spawn(file, args, { stdio: "ignore", ...options }), "exit");
}

const runSslyze = (port: number) =>
  runProgram(pythonOf(testEnginesFolder), ["-I", "-W", "ignore", "-m", "sslyze", "--json_out=/dev/null", `${address}:${port}`]);

async function runNuclei(site: string): Promise<void> {
  const home = mkdtempSync(join(tmpdir(), "periscan-bench-"));
  try {
    const file = (await findNuclei(testEnginesFolder))?.file ?? "";
    const args = ["-u", site, "-t", ownTemplatesFolder, "-pt", "http", "-duc", "-ni", "-nc", "-no-stdin", "-jsonl", "-silent"];
    await runProgram(file, args, { env: { PATH: process.env.PATH, HOME: home }, cwd: home });
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}

async function runEngine(type: ScanType, target: string, options: Record<string, unknown>): Promise<void> {
  const engine = findEngine(type);
  const events = await runForTest(await engine.load(), { type, options: engine.options.parse(options), targets: [pinForTest(target)] });
  if (!events.some((event) => event.kind === "outcome" && event.outcome.kind === "complete")) throw new Error(`the bare scan of ${type} is not whole`);
}
