import { expect, test } from "vitest";
import { addressOf, startHosts, whyNoHosts } from "../hosts/start-hosts.ts";
import { findProcesses, isNmap, isWorker, kill, startTestPlatform, until } from "../platform.ts";

const network = 23;

/** Ports that accept and never say a word keep Nmap's service detection busy for minutes. */
const silentHosts = Array.from({ length: 4 }, (_, index) => ({
  address: addressOf(network, index + 1),
  tcp: Object.fromEntries(Array.from({ length: 30 }, (_, port) => [1000 + port, ""])),
}));

test.skipIf(whyNoHosts()).each([{ workerLives: true }, { workerLives: false }])(
  "a cancelled scan is final in the answer itself and its Nmap is gone within ten seconds (worker alive: $workerLives)",
  async ({ workerLives }) => {
    await using _hosts = await startHosts({ network, hosts: silentHosts });
    await using platform = await startTestPlatform();
    const { id } = await platform.client.scans.create({ type: "NMAP", targets: silentHosts.map(({ address }) => address), options: { ports: "1000-1029" } });
    const nmaps = () => findProcesses(platform.dataFolder, isNmap);
    await until(() => nmaps().length > 0, { what: "Nmap's start" });
    if (!workerLives) for (const { pid } of findProcesses(platform.dataFolder, isWorker)) kill(pid);
    const cancelled = await platform.client.scans.cancel(id);
    expect(cancelled).toMatchObject({ state: "FAILED", error: { code: "scan.cancelled" } });
    await until(() => nmaps().length === 0, { seconds: 10, what: "Nmap's end" });
    expect((await platform.client.scans.get(id)).state).toBe("FAILED");
  },
);
