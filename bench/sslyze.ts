import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { pinForTest, runForTest, testEnginesFolder } from "@periscan/engines/kit/testing.ts";
import { pythonOf } from "@periscan/engines/sslyze/install.ts";
import { SslyzeOptions } from "@periscan/engines/sslyze/options.ts";
import { planTarget } from "@periscan/engines/sslyze/plan-ports.ts";
import { buildArguments, listCommands } from "@periscan/engines/sslyze/run-server.ts";
import { runner } from "@periscan/engines/sslyze/runner.ts";

// What Periscan adds to SSLyze: the same server with the same commands, by a bare `sslyze` and by the engine; and 16 servers, by one bare
// `sslyze` for all and by the engine, which starts one for each. The servers run in a process of their own on loopback.

const rounds = 5;
const count = 16;
const firstPort = 24_430;
const address = "127.0.0.1";
const ports = Array.from({ length: count }, (_, index) => firstPort + index);

const settings = JSON.stringify({ servers: ports.map((port) => ({ address, port })) });
const servers = spawn(process.execPath, [fileURLToPath(new URL("../test/targets/tls-servers.ts", import.meta.url)), settings], {
  stdio: ["pipe", "pipe", "inherit"],
});
await once(servers.stdout, "data");

const options = SslyzeOptions.parse({});
const targets = ports.map((port) => pinForTest(`tls.test:${port}`, address));
const scans = targets.map((target) => ({ target, plan: planTarget(target, undefined).ports[0] ?? { port: 443, asksHttp: true }, options, caFile: undefined }));

async function runBare(many: number): Promise<void> {
  const [first] = scans;
  if (!first) return;
  const others = scans.slice(1, many).flatMap((scan) => buildArguments(scan, []).slice(-1));
  const args = ["-I", "-W", "ignore", "-m", "sslyze", ...buildArguments(first, listCommands(first)), ...others];
  await once(spawn(pythonOf(testEnginesFolder), args, { stdio: "ignore" }), "exit");
}

async function runEngine(many: number): Promise<void> {
  const events = await runForTest(runner, { type: "SSLYZE", options, targets: targets.slice(0, many) });
  const complete = events.filter((event) => event.kind === "outcome" && event.outcome.kind === "complete").length;
  if (complete !== many) throw new Error(`${complete} of ${many} are complete`);
}

async function measure(title: string, run: () => Promise<void>): Promise<void> {
  const seconds: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const start = performance.now();
    await run();
    seconds.push((performance.now() - start) / 1000);
  }
  const sorted = seconds.sort((a, b) => a - b);
  console.log(`${title}: ${(sorted[Math.floor(rounds / 2)] ?? 0).toFixed(2)} s (${sorted[0]?.toFixed(2)} to ${sorted.at(-1)?.toFixed(2)})`);
}

for (const many of [1, count]) {
  await measure(`${many} server${many === 1 ? "" : "s"}, bare sslyze`, () => runBare(many));
  await measure(`${many} server${many === 1 ? "" : "s"}, the engine`, () => runEngine(many));
}
servers.stdin.end();
