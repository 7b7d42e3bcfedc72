import { readNmapXml } from "@periscan/engines/nmap/read-nmap-xml.ts";
import { readOutcome } from "@periscan/engines/nmap/read-outcome.ts";

// Reads 200 MB of Nmap's XML, 5,000 hosts of 140 open ports each, as fast as it is made, and measures the memory meanwhile:
// `node --expose-gc bench/parse.ts`.

const hostCount = 5000;
const goalBytes = 200e6;

const port = (number: number) =>
  `<port protocol="tcp" portid="${number}"><state state="open" reason="syn-ack" reason_ttl="64"/><service name="http" product="nginx" version="1.24.0" extrainfo="Debian &lt;x&gt;" method="probed" conf="10"><cpe>cpe:/a:igor_sysoev:nginx:1.24.0</cpe></service></port>\n`;
const ports = Array.from({ length: Math.round(goalBytes / hostCount / port(10_000).length) }, (_, index) => port(10_000 + index)).join("");

async function* makeXml(): AsyncIterable<Uint8Array> {
  yield Buffer.from(
    '<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE nmaprun>\n<nmaprun scanner="nmap">\n<scaninfo type="syn" protocol="tcp" numservices="65535" services="1-65535"/>\n',
  );
  for (let index = 0; index < hostCount; index++) {
    const host = Buffer.from(
      `<host starttime="1" endtime="2"><status state="up" reason="echo-reply" reason_ttl="64"/>\n<address addr="10.0.${index >> 8}.${index & 255}" addrtype="ipv4"/>\n<ports><extraports state="closed" count="65000"></extraports>\n${ports}</ports>\n</host>\n`,
    );
    for (let start = 0; start < host.length; start += 65_536) yield host.subarray(start, start + 65_536);
  }
  yield Buffer.from('<runstats><finished time="2" elapsed="1" exit="success"/><hosts up="5000" down="0" total="5000"/>\n</runstats>\n</nmaprun>\n');
}

let bytes = 0;
let peak = 0;
async function* measured(): AsyncIterable<Uint8Array> {
  for await (const piece of makeXml()) {
    bytes += piece.byteLength;
    peak = Math.max(peak, process.memoryUsage.rss());
    yield piece;
  }
}

globalThis.gc?.();
const before = process.memoryUsage.rss();
const startedAt = performance.now();
const run = { type: "NMAP" as const, options: { host_discovery: true, service_detection: true }, ports: "", usesConnect: false };
let hosts = 0;
let detections = 0;
let succeeded = false;
for await (const event of readNmapXml(measured())) {
  if (event.kind === "scope") run.ports = event.services;
  if (event.kind === "finished") succeeded = event.succeeded;
  if (event.kind !== "host") continue;
  hosts += 1;
  detections += readOutcome(event.host, run).detections.length;
}
const seconds = (performance.now() - startedAt) / 1000;
const speed = bytes / 1e6 / seconds;
const grown = (peak - before) / 1e6;
console.log(
  `${(bytes / 1e6).toFixed(0)} MB, ${hosts} hosts, ${detections} open ports in ${seconds.toFixed(1)} s: ${speed.toFixed(0)} MB/s (goal 40), ${grown.toFixed(0)} MB above the start (goal under 150)`,
);
process.exitCode = succeeded && hosts === hostCount && speed >= 40 && grown < 150 ? 0 : 1;
