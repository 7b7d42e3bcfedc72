import type { EngineSamples } from "../../kit/samples.ts";
import { nmap, nmapUdp } from "../index.ts";
import { readNmapXml } from "../read-nmap-xml.ts";
import { type RunFacts, readOutcome } from "../read-outcome.ts";

/** Nmap 7.93 on hosts of test/hosts; the command of each stands in its file. `-n -v --stats-every 1s -oX -` are common to all. */
export const samples: EngineSamples = {
  read: (name, output) => readSample(name, output),
  files: [
    { name: "none", of: "a host whose 65,535 ports are all closed", engine: nmap, expected: [["198.18.30.1", "complete", []]] },
    { name: "one", of: "a host with SSH", engine: nmap, expected: [["198.18.30.2", "complete", ["tcp/22"]]] },
    {
      name: "many",
      of: "four hosts, one of which is not there",
      engine: nmap,
      expected: [
        ["198.18.30.77", "unreachable", []],
        ["198.18.30.3", "complete", ["tcp/21", "tcp/22", "tcp/25", "tcp/110", "tcp/143", "tcp/3306", "tcp/5900"]],
        ["198.18.30.2", "complete", ["tcp/22"]],
        ["198.18.30.1", "complete", []],
      ],
    },
    { name: "unreachable", of: "an address where no host is", engine: nmap, expected: [["198.18.30.77", "unreachable", []]] },
    { name: "timed-out", of: "12 ports that accept and stay silent, --host-timeout 15s", engine: nmap, expected: [["198.18.30.5", "partial", []]] },
    {
      name: "hostile",
      of: "banners with markup, control characters, 3,000 letters and a mark that reorders text",
      engine: nmap,
      expected: [["198.18.30.4", "complete", ["tcp/21", "tcp/23", "tcp/25"]]],
    },
    { name: "connect", of: "the host with SSH, without raw sockets", engine: nmap, expected: [["198.18.30.2", "complete", ["tcp/22"]]] },
    { name: "ipv6", of: "::1", engine: nmap, expected: [["::1", "complete", []]] },
    { name: "udp", of: "a host with two UDP services, 100 ports", engine: nmapUdp, expected: [["198.18.30.1", "complete", ["udp/53", "udp/123"]]] },
  ],
  folder: new URL(".", import.meta.url),
  extension: "xml",
};

async function* readSample(name: string, output: AsyncIterable<Uint8Array>) {
  const type = name === "udp" ? ("NMAP_UDP" as const) : ("NMAP" as const);
  const run: RunFacts = { type, options: { host_discovery: true, service_detection: true }, ports: "", usesConnect: name === "connect" };
  for await (const event of readNmapXml(output)) {
    if (event.kind === "scope") run.ports = event.services;
    if (event.kind === "host") yield { address: event.host.address, outcome: readOutcome(event.host, run) };
  }
}
