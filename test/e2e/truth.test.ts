import { execFileSync } from "node:child_process";
import type { ScanType } from "@periscan/contract/scan.ts";
import { expect, test } from "vitest";
import { addressOf, startHosts, whyNoHosts } from "../hosts/start-hosts.ts";
import { all, startTestPlatform, type TestPlatform } from "../platform.ts";

const network = 22;
const address = addressOf(network, 1);

/** Of Nmap's 1,000 most common UDP ports. */
const commonUdpPorts = [53, 67, 69, 111, 123, 137, 161, 177, 500, 514, 520, 623, 1434, 1645, 1900, 2049, 3283, 4500, 5060, 49152];

const pick = <T>(items: T[], count: number): T[] =>
  items
    .map((item) => ({ item, order: Math.random() }))
    .sort((a, b) => a.order - b.order)
    .slice(0, count)
    .map(({ item }) => item);

const sorted = (ports: number[]) => ports.toSorted((a, b) => a - b);

async function findOpenPorts(platform: TestPlatform, type: ScanType, options = {}): Promise<number[]> {
  const { id } = await platform.client.scans.create({ type, targets: [address], options });
  const ended = await platform.client.waitForScan(id);
  expect(ended).toMatchObject({ state: "SUCCEEDED", skipped_targets: [] });
  const risks = await all(platform.client.risks.list({ scan_id: [id] }));
  expect(risks.length).toBe(ended.risks.new_open.length);
  return sorted(risks.map(({ risk_definition }) => risk_definition.additional_info.port as number));
}

function runPlainNmap(...args: string[]): number[] {
  const output = execFileSync("nmap", ["-n", "-oG", "-", ...args, address], { encoding: "utf8" });
  return sorted([...output.matchAll(/(\d+)\/open\//g)].map(([, port]) => Number(port)));
}

test.skipIf(whyNoHosts())("the risks of a host are exactly its open ports, TCP and UDP, as a plain Nmap sees them too", async () => {
  const tcp = sorted(
    pick(
      Array.from({ length: 65_535 }, (_, index) => index + 1),
      200,
    ),
  );
  const udp = sorted(pick(commonUdpPorts, 5));
  const greeted = (ports: number[], text: string) => Object.fromEntries(ports.map((port) => [port, text]));
  await using _hosts = await startHosts({ network, hosts: [{ address, tcp: greeted(tcp, "220 ready\r\n"), udp: greeted(udp, "ready") }] });
  await using platform = await startTestPlatform();
  expect(await findOpenPorts(platform, "NMAP")).toEqual(tcp);
  expect(runPlainNmap("-sS", "-p-", "-T4")).toEqual(tcp);
  // Asking what a UDP service is takes Nmap minutes where it answers with nothing that Nmap knows.
  expect(await findOpenPorts(platform, "NMAP_UDP", { service_detection: false })).toEqual(udp);
  expect(runPlainNmap("-sU", "--top-ports", "1000", "-T4")).toEqual(udp);
});
