import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { loadavg } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { createClient } from "@periscan/sdk/client.ts";
import { take } from "../cli/take.ts";
import { makeDataFolder, runCommand, startTestPlatform } from "../test/platform.ts";

// The worst that one workspace can do, and what another notices of it: its small scan, that scan's files, and /readyz, quiet and meanwhile:
// `node bench/tenants.ts [seconds before it is measured]`. One key, with the requests a minute that a key has where nobody says otherwise.

const warmUpSeconds = Number(process.argv[2] ?? 60);
const mostRatio = 3;
const rounds = 5;
const leastMilliseconds = { scan: 0, file: 500, ready: 5 };

const dataFolder = makeDataFolder();
await using platform = await startTestPlatform({
  dataFolder,
  environment: { PERISCAN_REQUESTS_PER_MINUTE: "600", PERISCAN_WEBHOOKS_ALLOW_HTTP: "1", PERISCAN_WEBHOOKS_ALLOW_PRIVATE: "1" },
});
const { url } = platform;
const addKey = async (name: string) => (await runCommand(dataFolder, ["key", "create", name, "--workspace", name])).out.trim();
const small = createClient({ server: url, apiKey: await addKey("small") });

const percentile = (times: number[], share: number): number => times.toSorted((a, b) => a - b)[Math.floor((times.length - 1) * share)] ?? Number.NaN;

/** What the small workspace waits for, in milliseconds. */
interface Waits {
  scan: number;
  file: number;
  ready: number;
}

async function measure(rounds: number): Promise<Waits> {
  const scans: number[] = [];
  const files: number[] = [];
  const ready: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const startedAt = performance.now();
    const scan = await small.scans.create({ type: "NMAP", targets: ["127.0.0.1"], options: { ports: "22,80,443" } });
    const ended = await small.waitForScan(scan.id, { intervalMilliseconds: 200 });
    if (ended.state !== "SUCCEEDED") throw new Error(`the small scan is ${ended.state}: ${ended.error?.message}`);
    const endedAt = performance.now();
    const pdf = ended.results.find(({ content_type }) => content_type === "application/pdf")?.result_id ?? "";
    await (await small.results.download(pdf)).body.cancel();
    scans.push(endedAt - startedAt);
    files.push(performance.now() - endedAt);
    for (let look = 0; look < 25; look++) {
      const lookedAt = performance.now();
      await (await fetch(new URL("/readyz", url))).text();
      ready.push(performance.now() - lookedAt);
      await sleep(40);
    }
  }
  return { scan: percentile(scans, 0.5), file: percentile(files, 0.5), ready: percentile(ready, 0.5) };
}

/** A file of hosts with as many different risks as rows. */
function makeImport(file: number, hosts: number, ports: number): string {
  const port = (host: number, index: number) =>
    `<port protocol="tcp" portid="${index + 1}"><state state="open" reason="syn-ack"/><service name="http" product="product ${file}-${host}-${index}" version="${host}.${index}" method="probed" conf="10"/></port>`;
  const host = (number: number) =>
    `<host><status state="up" reason="echo-reply"/><address addr="10.${file & 255}.${number >> 8}.${number & 255}" addrtype="ipv4"/><ports>${Array.from({ length: ports }, (_, index) => port(number, index)).join("")}</ports></host>`;
  return `<?xml version="1.0"?><nmaprun scanner="nmap"><scaninfo type="syn" protocol="tcp" numservices="65535" services="1-65535"/>${Array.from({ length: hosts }, (_, index) => host(index)).join("\n")}<runstats><finished time="1700000100" exit="success"/><hosts up="${hosts}" down="0" total="${hosts}"/></runstats></nmaprun>`;
}

/** Does it again and again until the bench is over; a refusal, such as 429, is waited out. Answers how often it was done. */
async function keep(running: { now: boolean }, action: () => Promise<unknown>): Promise<number> {
  let done = 0;
  while (running.now) {
    try {
      await action();
      done += 1;
    } catch {
      await sleep(200);
    }
  }
  return done;
}

const heavyKey = await addKey("heavy");
const heavy = createClient({ server: url, apiKey: heavyKey });
const receiver = createServer((request, response) => request.resume().on("end", () => response.end())).listen(0, "127.0.0.1");
await once(receiver, "listening");
const hook = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/`;
await heavy.webhooks.create({ url: hook, event_types: ["scan.created", "scan.updated", "risk.created", "risk.updated"] });
const source = await heavy.sources.create({ source_type: "IMPORTED", name: "bench" });
const refused = Array.from({ length: 4096 }, (_, index) => `169.254.${index >> 8}.${index & 255}`);
const hosts = 150;
let imports = 0;

async function read(path: string): Promise<void> {
  const response = await fetch(new URL(path, url), { headers: { "x-hostedscan-api-key": heavyKey } });
  await response.arrayBuffer();
  if (!response.ok) throw new Error(`${response.status}`);
}

/** All that the heavy workspace does, each in a few loops at once. */
const burdens: Record<string, { loops: number; action: () => Promise<unknown> }> = {
  "scans of 4,096 refused targets": { loops: 2, action: () => heavy.scans.create({ type: "NMAP", targets: refused }) },
  "scans of a /22": { loops: 1, action: () => heavy.scans.create({ type: "NMAP", targets: ["198.18.0.0/22"], options: { ports: "1-100" } }) },
  "imports of 15,000 different risks": {
    loops: 2,
    action: async () => {
      imports += 1;
      const file = new Blob([makeImport(imports, hosts, 100)]);
      const { id } = await heavy.results.import({ type: "NMAP", sourceId: source.id, file });
      await heavy.waitForScan(id, { intervalMilliseconds: 2000 });
    },
  },
  "reports as PDF": { loops: 2, action: () => heavy.reports.create({ report_format: "PDF" }) },
  "lists of scans": { loops: 10, action: () => read("/v1/scans?page_size=500") },
  "lists of risks": { loops: 10, action: () => read("/v1/risks?page_size=500") },
  "exports of all risks": { loops: 4, action: () => read("/v1/risks/export?format=json") },
  "requests that wait for a file": {
    loops: 150,
    action: async () => {
      const [scan] = await take(heavy.scans.list(), 1);
      const file = scan?.results.at(-1)?.result_id;
      await read(file ? `/v1/results/${file}` : "/v1/sources");
    },
  },
};

const show = ({ scan, file, ready }: Waits): string =>
  `scan ${(scan / 1000).toFixed(2)} s, its PDF ${(file / 1000).toFixed(2)} s more, /readyz ${ready.toFixed(1)} ms`;

// A worker looks at its engines when it starts; then it is there.
await measure(1);
const quiet = await measure(rounds);
console.log(`quiet:     ${show(quiet)} (load average ${loadavg()[0]?.toFixed(1)})`);
const running = { now: true };
const burdened = Object.entries(burdens).map(async ([name, { loops, action }]) => {
  const done = await Promise.all(Array.from({ length: loops }, () => keep(running, action)));
  return `${done.reduce((sum, each) => sum + each, 0)} ${name}`;
});
await sleep(warmUpSeconds * 1000);
const meanwhile = await measure(rounds);
console.log(`meanwhile: ${show(meanwhile)} (load average ${loadavg()[0]?.toFixed(1)})`);
running.now = false;
await stopScans();
console.log((await Promise.all(burdened)).join(", "));
receiver.close();
for (const name of ["scan", "file", "ready"] as const) {
  // What takes a moment is not told from a hiccup of the machine.
  const ratio = meanwhile[name] / Math.max(quiet[name], leastMilliseconds[name]);
  console.log(`${name}: ${ratio.toFixed(1)} times (goal ${mostRatio})`);
  if (!(ratio <= mostRatio)) process.exitCode = 1;
}

async function stopScans(): Promise<void> {
  for (const scan of await take(heavy.scans.list({ state: ["QUEUED", "RUNNING"] }), 50)) await heavy.scans.cancel(scan.id).catch(() => {});
}
