import { openAsBlob, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Scan } from "@periscan/contract/scan.ts";
import { findProcesses, isWorker, makeDataFolder, startTestPlatform, type TestPlatform } from "../test/platform.ts";

// Imports a generated Nmap XML with 30,000 risks and then the same file again, on a platform of its own, while a client reads the API:
// `node bench/import.ts [hosts] [ports of each]`.

const hosts = Number(process.argv[2] ?? 300);
const ports = Number(process.argv[3] ?? 100);
const risks = hosts * ports;
const goalRisksPerSecond = 5000;
const goalReadMilliseconds = 100;

const port = (number: number) =>
  `<port protocol="tcp" portid="${number}"><state state="open" reason="syn-ack" reason_ttl="64"/><service name="http" product="nginx" version="1.24.0" extrainfo="Debian" method="probed" conf="10"><cpe>cpe:/a:igor_sysoev:nginx:1.24.0</cpe></service></port>\n`;
const portsText = Array.from({ length: ports }, (_, index) => port(10_000 + index)).join("");
const host = (index: number) =>
  `<host starttime="1700000000" endtime="1700000100"><status state="up" reason="echo-reply" reason_ttl="64"/>\n<address addr="10.${index >> 16}.${(index >> 8) & 255}.${index & 255}" addrtype="ipv4"/>\n<ports><extraports state="closed" count="60000"></extraports>\n${portsText}</ports>\n</host>\n`;
const document = [
  '<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE nmaprun>\n<nmaprun scanner="nmap">\n<scaninfo type="syn" protocol="tcp" numservices="65535" services="1-65535"/>\n',
  ...Array.from({ length: hosts }, (_, index) => host(index)),
  `<runstats><finished time="1700000100" elapsed="1" exit="success"/><hosts up="${hosts}" down="0" total="${hosts}"/>\n</runstats>\n</nmaprun>\n`,
].join("");

/** Peak resident memory in MB, from the kernel. */
const peakOf = (pid: number | undefined): number => Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024;

async function importOnce({ client }: TestPlatform, sourceId: string, path: string): Promise<{ scan: Scan; seconds: number }> {
  const startedAt = performance.now();
  const { id } = await client.results.import({ type: "NMAP", sourceId, file: await openAsBlob(path), fileName: "bench.xml" });
  for (;;) {
    // The state alone: the whole scan with 30,000 ids would be asked for again and again.
    const scan = await client.scans.get(id);
    if (scan.state === "SUCCEEDED" || scan.state === "FAILED") return { scan, seconds: (performance.now() - startedAt) / 1000 };
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
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
const running = { now: true };
const reading = readMeanwhile(platform, running);
const first = await importOnce(platform, source.id, path);
// Its files are made after the import's end, and would take from what the second one has.
for (const { result_id } of first.scan.results) await (await platform.client.results.download(result_id)).body.cancel();
const again = await importOnce(platform, source.id, path);
running.now = false;
const times = await reading;
const p99 = times[Math.floor(times.length * 0.99)] ?? 0;
const memory = { server: peakOf(platform.process.pid), worker: peakOf(findProcesses(folder, isWorker)[0]?.pid) };
rmSync(path);

const speed = (seconds: number) => Math.round(risks / seconds);
const count = ({ scan }: { scan: Scan }) => Object.entries(scan.risks).map(([change, list]) => `${list.length} ${change}`);
console.log(`${(document.length / 1e6).toFixed(1)} MB, ${hosts} hosts, ${risks} risks`);
console.log(
  `import    ${first.seconds.toFixed(2)} s: ${speed(first.seconds)} risks/s (goal ${goalRisksPerSecond}); ${first.scan.state}, ${count(first).join(", ")}`,
);
console.log(
  `re-import ${again.seconds.toFixed(2)} s: ${(first.seconds / again.seconds).toFixed(2)} times as fast (goal 2); ${again.scan.state}, ${count(again).join(", ")}`,
);
console.log(`API reads meanwhile: ${times.length}, p99 ${p99.toFixed(0)} ms (goal ${goalReadMilliseconds})`);
console.log(`peak memory: server ${memory.server.toFixed(0)} MB, worker ${memory.worker.toFixed(0)} MB`);
const isSame = again.scan.risks.still_open.length === risks && again.scan.risks.new_open.length === 0 && again.scan.risks.closed.length === 0;
const isFast = speed(first.seconds) >= goalRisksPerSecond && first.seconds / again.seconds >= 2;
process.exitCode = isSame && isFast && p99 <= goalReadMilliseconds ? 0 : 1;
