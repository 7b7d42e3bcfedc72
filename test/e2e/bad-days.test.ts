import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, rmSync, statfsSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Scan } from "@periscan/contract/scan.ts";
import { expect, test } from "vitest";
import { addressOf, startHosts, whyNoHosts } from "../hosts/start-hosts.ts";
import { findProcesses, isNmap, kill, makeDataFolder, startTestPlatform, type TestPlatform, until } from "../platform.ts";

const network = 25;
const address = addressOf(network, 1);
const host = { address, tcp: { 21: "220 ready\r\n", 22: "SSH-2.0-OpenSSH_9.2\r\n" } };
const silentHost = { address, tcp: Object.fromEntries(Array.from({ length: 40 }, (_, port) => [1000 + port, ""])) };
const noHosts = whyNoHosts();

async function scan(platform: TestPlatform, targets: string[], options = {}): Promise<Scan> {
  const { id } = await platform.client.scans.create({ type: "NMAP", targets, options: { ports: "1-1024", ...options } });
  return platform.client.waitForScan(id);
}

const reasonOf = ({ targets }: Scan, target: string) => targets.find((each) => each.target === target)?.reason ?? "";

test.skipIf(noHosts)("what cannot be scanned is named with its reason, and the rest is scanned", async () => {
  await using _hosts = await startHosts({ network, hosts: [host] });
  await using platform = await startTestPlatform();
  const nobody = addressOf(network, 99);
  const ended = await scan(platform, [address, nobody, "no-such-name.invalid", "169.254.169.254"]);
  expect(ended).toMatchObject({ state: "SUCCEEDED", risks: { new_open: [{}, {}] } });
  expect(ended.targets.map(({ target, outcome }) => [target, outcome])).toEqual([
    [address, "complete"],
    [nobody, "unreachable"],
    ["no-such-name.invalid", "skipped"],
    ["169.254.169.254", "skipped"],
  ]);
  expect(reasonOf(ended, nobody)).toContain("It did not answer");
  expect(reasonOf(ended, "no-such-name.invalid")).toContain("did not resolve");
  expect(reasonOf(ended, "169.254.169.254")).toContain("Refused by the target policy");
  expect(ended.skipped_targets).toHaveLength(3);

  const nothing = await scan(platform, ["no-such-name.invalid"]);
  expect(nothing).toMatchObject({ state: "FAILED", error: { code: "scan.nothing_to_scan", message: expect.stringContaining("did not resolve") } });
});

test.skipIf(noHosts)("a host that takes longer than its time is partial, never clean, and its reason says what to do", async () => {
  await using _hosts = await startHosts({ network, hosts: [silentHost] });
  await using platform = await startTestPlatform();
  const ended = await scan(platform, [address], { ports: "1000-1039", host_timeout_minutes: 1 });
  expect(ended).toMatchObject({ state: "FAILED", error: { code: "scan.incomplete" }, targets: [{ outcome: "partial" }] });
  expect(reasonOf(ended, address)).toContain("host_timeout_minutes");
});

test.skipIf(noHosts)("an Nmap that is killed is run again, and one that is always killed fails the scan and says so", async () => {
  await using hosts = await startHosts({ network, hosts: [silentHost] });
  await using platform = await startTestPlatform();
  const nmaps = () => findProcesses(platform.dataFolder, isNmap);
  const options = { ports: "1000-1039" };
  const once = await platform.client.scans.create({ type: "NMAP", targets: [address], options });
  const [first] = await until(() => nmaps().length > 0 && nmaps(), { what: "Nmap's start" });
  kill(first?.pid ?? 0);
  await hosts.replace([host]);
  expect(await platform.client.waitForScan(once.id)).toMatchObject({ state: "SUCCEEDED", targets: [{ outcome: "complete" }] });

  await hosts.replace([silentHost]);
  const always = await platform.client.scans.create({ type: "NMAP", targets: [address], options });
  const ended = await until(
    async () => {
      for (const { pid } of nmaps()) kill(pid);
      const seen = await platform.client.scans.get(always.id);
      return seen.state === "FAILED" && seen;
    },
    { seconds: 60, what: "the end of the scan" },
  );
  expect(ended).toMatchObject({ error: { code: "engine.killed", message: expect.stringContaining("killed") }, targets: [{ outcome: "skipped" }] });
});

test("without Nmap a scan is refused with the command that mends it", async () => {
  const dataFolder = makeDataFolder();
  // Everything that is on PATH but Nmap.
  const programs = join(dataFolder, "programs");
  mkdirSync(programs);
  for (const folder of ["/usr/bin", "/bin", "/usr/sbin", "/sbin"])
    for (const name of readdirSync(folder)) if (name !== "nmap") attempt(() => symlinkSync(join(folder, name), join(programs, name)));
  await using platform = await startTestPlatform({ dataFolder, environment: { PATH: programs } });
  const refusal = await until(
    () =>
      platform.client.scans.create({ type: "NMAP", targets: ["127.0.0.1"] }).then(
        ({ id }) => platform.client.scans.cancel(id).then(() => undefined),
        (error: Error) => error,
      ),
    { what: "the worker's first claim" },
  );
  expect(refusal).toMatchObject({ status: 400, code: "engine.missing", message: expect.stringContaining("./periscan engines install nmap") });
});

test.skipIf(noHosts)("on a full disk nothing is lost: what cannot be kept is refused with a reason, and with space the scan ends well", async () => {
  const disk = makeDataFolder();
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=400m,mode=755", "tmpfs", disk]);
  try {
    const dataFolder = join(disk, "data");
    mkdirSync(dataFolder);
    await using _hosts = await startHosts({ network, hosts: [host] });
    await using platform = await startTestPlatform({ dataFolder });
    const before = await scan(platform, [address]);
    expect(before.risks.new_open).toHaveLength(2);
    const filler = fill(dataFolder);
    const during = await until(
      () =>
        platform.client.scans.create({ type: "NMAP", targets: [address], options: { ports: "1-1024" } }).then(
          () => undefined,
          (error: Error) => error,
        ),
      { what: "a refusal" },
    );
    expect(during).toMatchObject({ message: expect.stringMatching(/disk|database/) });
    rmSync(filler);
    const after = await until(() => scan(platform, [address]).catch(() => undefined), { seconds: 120, what: "a scan with space" });
    expect(after).toMatchObject({ state: "SUCCEEDED", risks: { new_open: [], still_open: [{}, {}], closed: [] } });
    for (const { result_id } of after.results) await (await platform.client.results.download(result_id)).body.cancel();
    expect((await platform.client.scans.get(before.id)).state).toBe("SUCCEEDED");
  } finally {
    attempt(() => execFileSync("umount", ["--lazy", disk]));
    rmSync(disk, { recursive: true, force: true });
  }
});

/** Takes all the space that is left. */
function fill(folder: string): string {
  const file = join(folder, "filler");
  const { bavail, bsize } = statfsSync(folder);
  for (let bytes = bavail * bsize; bytes >= 4096; bytes = Math.floor(bytes / 2)) attempt(() => writeFileSync(file, Buffer.alloc(bytes), { flag: "a" }));
  return file;
}

function attempt(action: () => unknown): void {
  try {
    action();
  } catch {
    // What cannot be made or removed is not needed here.
  }
}
