import { spawn } from "node:child_process";
import { parseTarget } from "@periscan/contract/target-syntax.ts";
import { nmap } from "@periscan/engines/nmap/index.ts";
import { readNmapXml } from "@periscan/engines/nmap/read-nmap-xml.ts";
import { buildArguments } from "@periscan/engines/nmap/run.ts";
import { all, type TestPlatform } from "../test/platform.ts";

export interface Timed {
  seconds: number;
  /** Each open port as `192.0.2.1:443`, sorted. */
  open: string[];
}

/** One plain Nmap over all targets, with the flags that the platform uses. */
export async function runPlainNmap(targets: string[], given: Record<string, unknown>): Promise<Timed> {
  const options = nmap.options.parse(given);
  const pinned = targets.map((text) => ({ targetId: text, address: text, target: readTarget(text), known: [] }));
  const task = { type: nmap.type, options, targets: pinned };
  const args = buildArguments({
    task,
    options: options as Parameters<typeof buildArguments>[0]["options"],
    addresses: targets,
    packetsPerSecond: Number.POSITIVE_INFINITY,
    privilege: { raw: true, flag: undefined },
  });
  const startedAt = performance.now();
  const child = spawn("nmap", args, { stdio: ["ignore", "pipe", "inherit"] });
  const open: string[] = [];
  for await (const event of readNmapXml(child.stdout)) {
    if (event.kind === "host") open.push(...event.host.ports.filter(({ state }) => state === "open").map(({ number }) => `${event.host.address}:${number}`));
  }
  return { seconds: (performance.now() - startedAt) / 1000, open: open.sort() };
}

function readTarget(text: string) {
  const parsed = parseTarget(text);
  if (!parsed.ok || !parsed.targets[0]) throw new Error(`${text} is no target`);
  return parsed.targets[0];
}

/** The same through the API: from the request to the final state, as a client sees it. */
export async function runPlatform({ client }: TestPlatform, targets: string[], options: Record<string, unknown>): Promise<Timed> {
  const startedAt = performance.now();
  const { id } = await client.scans.create({ type: nmap.type, targets, options });
  const ended = await client.waitForScan(id, { intervalMilliseconds: 100 });
  const seconds = (performance.now() - startedAt) / 1000;
  if (ended.state !== "SUCCEEDED" || ended.skipped_targets.length > 0)
    throw new Error(`the scan is not whole: ${JSON.stringify(ended.error ?? ended.skipped_targets)}`);
  const risks = await all(client.risks.list({ scan_id: [id], status: ["OPEN"] }));
  return { seconds, open: risks.map(({ target, risk_definition }) => `${target}:${risk_definition.additional_info.port}`).sort() };
}

/** Random ports, a few on each host, each with a greeting. */
export function pickPorts(count: number, highest: number): Record<number, string> {
  return Object.fromEntries(Array.from({ length: count }, () => [1 + Math.floor(Math.random() * highest), "220 ready\r\n"]));
}

export const isSame = (a: Timed, b: Timed): boolean => JSON.stringify(a.open) === JSON.stringify(b.open);
