import { openAsBlob, readFileSync, rmSync, writeFileSync } from "node:fs";
import { loadavg } from "node:os";
import { join } from "node:path";
import type { Scan } from "@periscan/contract/scan.ts";
import { findPostgres, findProcesses, isWorker, makeDataFolder, startTestPlatform, type TestPlatform } from "../test/platform.ts";

// Imports a generated Nmap XML with 30,000 risks and then the same file again, on a platform of its own, while a client reads the API:
// `node bench/import.ts [hosts] [ports of each]`.

const hosts = Number(process.argv[2] ?? 300);
const ports = Number(process.argv[3] ?? 100);
const risks = hosts * ports;
const goalRisksPerSecond = 5000;
const goalReadMilliseconds = 100;

const port = (number: number) =>
  `<port protocol="tcp" portid="${number}"><state state="open" reason="syn-ack" reason_ttl="64"/><service name="http" product="nginx" version="1.24.0" extrainfo="Debian" method="probed" conf="10"><cpe>cpe:/a:igor_sysoev:nginx:1.24.0</cpe></service></port>\n`;
const portsText = Array.from({ length: ports }, (_, index) => port(1 + index)).join("");
const host = (index: number) =>
  `<host starttime="1700000000" endtime="1700000100"><status state="up" reason="echo-reply" reason_ttl="64"/>\n<address addr="10.${index >> 16}.${(index >> 8) & 255}.${index & 255}" addrtype="ipv4"/>\n<ports><extraports state="closed" count="60000"></extraports>\n${portsText}</ports>\n</host>\n`;
const wrap = (parts: string[]) =>
  [
    '<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE nmaprun>\n<nmaprun scanner="nmap">\n<scaninfo type="syn" protocol="tcp" numservices="65535" services="1-65535"/>\n',
    ...parts,
    `<runstats><finished time="1700000100" elapsed="1" exit="success"/><hosts up="${parts.length}" down="0" total="${parts.length}"/>\n</runstats>\n</nmaprun>\n`,
  ].join("");
const document = wrap(Array.from({ length: hosts }, (_, index) => host(index)));

/** Peak resident memory in MB, from the kernel. */
const peakOf = (pid: number | undefined): number => Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024;

/** Seconds of a processor that a process and the children that it waited for took: proc_pid_stat(5), in hundredths. */
function cpuOf(pid: number): number {
  const [, rest = ""] = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ");
  return (
    rest
      .split(" ")
      .slice(11, 15)
      .reduce((sum, ticks) => sum + Number(ticks), 0) / 100
  );
}

/** What the parts of the platform have taken so far; of PostgreSQL the connections that are open. */
function readCpu({ process: { pid = 0 }, dataFolder }: TestPlatform): Record<string, number> {
  const postmaster = findPostgres(dataFolder);
  const connections = readFileSync(`/proc/${postmaster}/task/${postmaster}/children`, "utf8").trim().split(" ").map(Number);
  const worker = findProcesses(dataFolder, isWorker)[0]?.pid ?? 0;
  return { server: cpuOf(pid), worker: cpuOf(worker), PostgreSQL: connections.reduce((sum, each) => sum + cpuOf(each), 0) };
}

async function importOnce(platform: TestPlatform, sourceId: string, path: string): Promise<{ scan: Scan; seconds: number; cpu: string }> {
  const { client } = platform;
  const before = readCpu(platform);
  const startedAt = performance.now();
  const { id } = await client.results.import({ type: "NMAP", sourceId, file: await openAsBlob(path), fileName: "bench.xml" });
  for (;;) {
    const scan = await client.scans.get(id);
    if (scan.state === "SUCCEEDED" || scan.state === "FAILED") {
      const seconds = (performance.now() - startedAt) / 1000;
      const cpu = Object.entries(readCpu(platform)).map(([name, taken]) => `${name} ${(taken - (before[name] ?? 0)).toFixed(1)} s`);
      return { scan, seconds, cpu: cpu.join(", ") };
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** A scan's files are made after its end, and would take from what the next one has. */
async function waitForFiles({ client }: TestPlatform, { results }: Scan): Promise<void> {
  for (const { result_id } of results) await (await client.results.download(result_id)).body.cancel();
}

/** Reads lists of the API as long as `running`, and answers how long each took. */
async function readMeanwhile({ url, apiKey }: TestPlatform, running: { now: boolean }): Promise<number[]> {
  const times: number[] = [];
  for (let turn = 0; running.now; turn++) {
    const path = ["/v1/risks?page_size=25", "/v1/targets?page_size=25", "/v1/sources"][turn % 3] ?? "";
    const startedAt = performance.now();
    await (await fetch(new URL(path, url), { headers: { "x-hostedscan-api-key": apiKey } })).text();
    times.push(performance.now() - startedAt);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return times.toSorted((a, b) => a - b);
}

const folder = makeDataFolder();
const path = join(folder, "bench.xml");
writeFileSync(path, document);
await using platform = await startTestPlatform({ dataFolder: folder });
const source = await platform.client.sources.create({ source_type: "IMPORTED", name: "bench" });
// A worker looks at its engines when it starts; then it is there.
const firstPath = join(folder, "first.xml");
writeFileSync(firstPath, wrap([host(hosts)]));
await waitForFiles(platform, (await importOnce(platform, source.id, firstPath)).scan);
console.log(`load average ${loadavg()[0]?.toFixed(1)}`);
const running = { now: true };
const reading = readMeanwhile(platform, running);
const first = await importOnce(platform, source.id, path);
await waitForFiles(platform, first.scan);
const again = await importOnce(platform, source.id, path);
running.now = false;
const times = await reading;
const p99 = times[Math.floor(times.length * 0.99)] ?? 0;
const memory = { server: peakOf(platform.process.pid), worker: peakOf(findProcesses(folder, isWorker)[0]?.pid) };
rmSync(path);
rmSync(firstPath);

const speed = (seconds: number) => Math.round(risks / seconds);
const count = ({ scan }: { scan: Scan }) => Object.entries(scan.risks).map(([change, list]) => `${list.length} ${change}`);
console.log(`${(document.length / 1e6).toFixed(1)} MB, ${hosts} hosts, ${risks} risks`);
console.log(
  `import    ${first.seconds.toFixed(2)} s: ${speed(first.seconds)} risks/s (goal ${goalRisksPerSecond}); ${first.scan.state}, ${count(first).join(", ")}; CPU: ${first.cpu}`,
);
console.log(
  `re-import ${again.seconds.toFixed(2)} s: ${(first.seconds / again.seconds).toFixed(2)} times as fast (goal 2); ${again.scan.state}, ${count(again).join(", ")}; CPU: ${again.cpu}`,
);
console.log(`API reads meanwhile: ${times.length}, p99 ${p99.toFixed(0)} ms (goal ${goalReadMilliseconds})`);
console.log(`peak memory: server ${memory.server.toFixed(0)} MB, worker ${memory.worker.toFixed(0)} MB`);
const isSame = again.scan.risks.still_open.length === risks && again.scan.risks.new_open.length === 0 && again.scan.risks.closed.length === 0;
const isFast = speed(first.seconds) >= goalRisksPerSecond && first.seconds / again.seconds >= 2;
process.exitCode = isSame && isFast && p99 <= goalReadMilliseconds ? 0 : 1;
