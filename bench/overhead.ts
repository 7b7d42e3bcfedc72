import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { stopScanner } from "@periscan/engines/openvas/use-scanner.ts";
import { addressOf, startHosts } from "../test/hosts/start-hosts.ts";
import { startTestPlatform, type TestPlatform } from "../test/platform.ts";
import { labPlugins } from "../test/targets/openvas/openvas-lab.ts";
import { startTlsServers } from "../test/targets/tls-servers.ts";
import { isSame, pickPorts, runPlainNmap, runPlatform } from "./compare-with-nmap.ts";
import { type EngineCase, listEngineCases } from "./engine-cases.ts";

// What the platform costs beside each engine: by the API, from the request to the final state, and by the engine alone. Nmap scans 8 hosts, all
// TCP ports; the others one target on loopback. Run as root: `node bench/overhead.ts [rounds]`.

const rounds = Number(process.argv[2] ?? 3);
const network = 42;
const goal = "goal: at most 1.10 times the engine alone, plus 2 s";

process.env.PERISCAN_OPENVAS_FEED = labPlugins;
await using platform = await startTestPlatform({ environment: { PERISCAN_OPENVAS_FEED: labPlugins } });
console.log(`type              alone      platform   less 2 s   (${goal})`);
await measureNmap();
const tls = await startTlsServers([{ address: "127.0.0.1", port: 0 }]);
const site = createServer((_request, response) => response.writeHead(200, { "content-type": "text/html" }).end("<p>Shop</p><a href=/a>a</a>")).listen(
  0,
  "127.0.0.1",
);
await once(site, "listening");
try {
  const places = { tlsPort: tls.ports[0] ?? 0, sitePort: (site.address() as AddressInfo).port };
  for (const each of listEngineCases(places)) await measureEngine(each);
} finally {
  site.close();
  site.closeAllConnections();
  await tls[Symbol.asyncDispose]();
  await stopScanner();
}

async function measureNmap(): Promise<void> {
  const hosts = Array.from({ length: 8 }, (_, index) => ({ address: addressOf(network, index + 1), tcp: pickPorts(6, 65_535) }));
  const targets = hosts.map(({ address }) => address);
  await using _hosts = await startHosts({ network, hosts });
  for (let round = 0; round < rounds; round++) {
    const plain = await runPlainNmap(targets, {});
    const shared = await runPlatform(platform, targets, {});
    report("NMAP", plain.seconds, shared.seconds, isSame(plain, shared) ? `${plain.open.length} open ports, the same in both` : "NOT THE SAME PORTS");
    if (!isSame(plain, shared)) process.exitCode = 1;
  }
}

async function measureEngine(each: EngineCase): Promise<void> {
  // Once before: a first run reads files that the later ones find in memory, and starts OpenVAS's scanner.
  await each.runBare();
  await scanOnce(platform, each);
  for (let round = 0; round < rounds; round++) {
    const alone = await time(each.runBare);
    report(each.type, alone, await time(() => scanOnce(platform, each)), `alone: ${each.bareName}`);
  }
}

async function scanOnce({ client }: TestPlatform, { type, target, options }: EngineCase): Promise<void> {
  const { id } = await client.scans.create({ type, targets: [target], options });
  const ended = await client.waitForScan(id, { intervalMilliseconds: 100 });
  if (ended.state !== "SUCCEEDED") throw new Error(`${type} is not whole: ${JSON.stringify(ended.error)}`);
}

async function time(action: () => Promise<void>): Promise<number> {
  const startedAt = performance.now();
  await action();
  return (performance.now() - startedAt) / 1000;
}

function report(type: string, alone: number, shared: number, note: string): void {
  const ratio = (shared - 2) / alone;
  if (ratio > 1.1) process.exitCode = 1;
  console.log(`${type.padEnd(16)}  ${`${alone.toFixed(2)} s`.padEnd(9)}  ${`${shared.toFixed(2)} s`.padEnd(9)}  ${ratio.toFixed(2).padEnd(8)}   ${note}`);
}
