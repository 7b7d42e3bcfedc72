import { addressOf, startHosts } from "../test/hosts/start-hosts.ts";
import { startTestPlatform } from "../test/platform.ts";
import { isSame, pickPorts, runPlainNmap, runPlatform } from "./compare-with-nmap.ts";

// 32 hosts behind a way of 25 ms in each direction, 10,000 ports each: one Nmap waits for the network most of its time, the platform shares
// the hosts among several. Run as root: `node bench/sharding.ts`.

const network = 41;
const hosts = Array.from({ length: 32 }, (_, index) => ({ address: addressOf(network, index + 1), tcp: pickPorts(4, 10_000) }));
const targets = hosts.map(({ address }) => address);
const options = { ports: "1-10000", service_detection: false };

await using _hosts = await startHosts({ network, hosts, delayMilliseconds: 25 });
await using platform = await startTestPlatform();
const shared = await runPlatform(platform, targets, options);
const plain = await runPlainNmap(targets, options);
console.log(
  `plain nmap ${plain.seconds.toFixed(1)} s, platform ${shared.seconds.toFixed(1)} s: ${(plain.seconds / shared.seconds).toFixed(2)} times as fast (goal 4)`,
);
console.log(`${plain.open.length} open ports, ${isSame(plain, shared) ? "the same in both" : "NOT THE SAME"}`);
process.exitCode = isSame(plain, shared) && plain.seconds / shared.seconds >= 4 ? 0 : 1;
