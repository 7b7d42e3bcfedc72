import { setTimeout as sleep } from "node:timers/promises";
import type { Scan } from "@periscan/contract/scan.ts";
import { expect, test } from "vitest";
import { addressOf, startHosts, whyNoHosts } from "../hosts/start-hosts.ts";
import { all, findPostgres, findProcesses, isNmap, isWorker, kill, startTestPlatform, type TestPlatform, until } from "../platform.ts";

/** `PERISCAN_KILL_ROUNDS=20` for the long form. */
const rounds = Number(process.env.PERISCAN_KILL_ROUNDS ?? 4);

const network = 24;
const hosts = Array.from({ length: 12 }, (_, index) => ({
  address: addressOf(network, index + 1),
  tcp: Object.fromEntries(Array.from({ length: 5 }, (_, port) => [100 + 37 * index + 211 * port, "220 ready\r\n"])),
}));
const request = { type: "NMAP" as const, targets: hosts.map(({ address }) => address), options: { ports: "1-3000" } };

const victims: Record<string, (platform: TestPlatform) => void> = {
  worker: ({ dataFolder }) => {
    for (const { pid } of findProcesses(dataFolder, isWorker)) kill(pid);
  },
  server: ({ process }) => kill(process.pid ?? 0),
  postgres: ({ dataFolder }) => kill(findPostgres(dataFolder) ?? 0),
  all: (platform) => {
    for (const name of ["postgres", "worker", "server"]) victims[name]?.(platform);
  },
};

/** Reads the scan's end however often the platform is away meanwhile. */
const waitForEnd = (platform: TestPlatform, id: string, context: string): Promise<Scan> =>
  until(
    async () => {
      const scan = await platform.client.scans.get(id).catch(() => undefined);
      return (scan?.state === "SUCCEEDED" || scan?.state === "FAILED") && scan;
    },
    { seconds: 180, what: `${context}: the end of scan ${id}` },
  );

async function readNative(platform: TestPlatform, scan: Scan): Promise<string> {
  const file = scan.results.find(({ content_type }) => content_type === "application/xml");
  const { body } = await platform.client.results.download(file?.result_id ?? "");
  return new Response(body).text();
}

test.skipIf(whyNoHosts())(
  `a scan whose worker, server or database is killed ends as if nothing had happened (${rounds} rounds)`,
  async () => {
    await using _hosts = await startHosts({ network, hosts, delayMilliseconds: 20 });
    await using platform = await startTestPlatform();
    const undisturbed = await platform.client.waitForScan((await platform.client.scans.create(request)).id);
    expect(undisturbed).toMatchObject({ state: "SUCCEEDED", skipped_targets: [] });
    const seconds = (Date.parse(undisturbed.finished_at ?? "") - Date.parse(undisturbed.started_at ?? "")) / 1000;
    const expected = new Set(undisturbed.risks.new_open.map(({ risk_id }) => risk_id));
    expect(expected.size).toBe(60);

    for (let round = 0; round < rounds; round++) {
      const victim = Object.keys(victims)[round % 4] ?? "worker";
      const delay = Math.random() * seconds * 1000;
      const context = `round ${round}: ${victim} killed after ${Math.round(delay)} ms`;
      const { id } = await platform.client.scans.create(request);
      await sleep(delay);
      victims[victim]?.(platform);
      if (victim === "server" || victim === "all") await platform.start();
      const ended = await waitForEnd(platform, id, context);
      expect(ended, context).toMatchObject({ state: "SUCCEEDED", skipped_targets: [], risks: { new_open: [], closed: [] } });
      expect(new Set(ended.risks.still_open.map(({ risk_id }) => risk_id)), context).toEqual(expected);
      expect((await all(platform.client.risks.list())).length, context).toBe(expected.size);
      const native = await readNative(platform, ended);
      for (const { address } of hosts) expect(native.split(`<address addr="${address}"`).length - 1, `${context}: ${address}`).toBe(1);
      await until(() => findProcesses(platform.dataFolder, isNmap).length === 0, { seconds: 10, what: `${context}: the end of every Nmap` });
    }
  },
  rounds * 180_000,
);
