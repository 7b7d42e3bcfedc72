import { addressOf, startHosts } from "../test/hosts/start-hosts.ts";
import { startTestPlatform } from "../test/platform.ts";
import { isSame, pickPorts, runPlainNmap, runPlatform } from "./compare-with-nmap.ts";

// What the platform costs beside the engine: 8 hosts, all TCP ports, by the API and by one plain Nmap with the same flags. Run as root:
// `node bench/overhead.ts [rounds]`.

const rounds = Number(process.argv[2] ?? 3);
const network = 42;
const hosts = Array.from({ length: 8 }, (_, index) => ({ address: addressOf(network, index + 1), tcp: pickPorts(6, 65_535) }));
const targets = hosts.map(({ address }) => address);

await using _hosts = await startHosts({ network, hosts });
await using platform = await startTestPlatform();
let worst = 0;
for (let round = 0; round < rounds; round++) {
  const plain = await runPlainNmap(targets, {});
  const shared = await runPlatform(platform, targets, {});
  const ratio = (shared.seconds - 2) / plain.seconds;
  worst = Math.max(worst, ratio);
  const same = isSame(plain, shared) ? `${plain.open.length} open ports, the same in both` : "NOT THE SAME PORTS";
  if (!isSame(plain, shared)) process.exitCode = 1;
  console.log(
    `plain nmap ${plain.seconds.toFixed(1)} s, platform ${shared.seconds.toFixed(1)} s: ${(shared.seconds / plain.seconds).toFixed(2)}, less 2 s ${ratio.toFixed(2)} (goal 1.10); ${same}`,
  );
}
if (worst > 1.1) process.exitCode = 1;
