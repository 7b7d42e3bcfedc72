import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Outcome } from "@periscan/contract/outcome.ts";
import { startTlsServers, type TlsServerSettings, type TlsServers } from "../../test/targets/tls-servers.ts";
import type { EngineEvent, PinnedTarget, RunContext } from "../kit/engine.ts";
import { pinForTest, runForTest, serviceForTest, testEnginesFolder } from "../kit/testing.ts";
import { SslyzeOptions } from "./options.ts";
import { runner } from "./runner.ts";

export const address = "127.0.0.1";
/** What the certificates of the test's servers are for. */
export const serverName = "tls.test";

/** Installs the engine where it is missing. */
export async function installForTest(): Promise<void> {
  const context = { enginesFolder: testEnginesFolder, signal: new AbortController().signal, say: () => {} };
  if (!(await runner.probe(context)).ready) await runner.install(context);
}

/** Servers whose authority the worker is told of, as long as they run. */
export async function serve(list: Partial<TlsServerSettings>[]): Promise<TlsServers> {
  const servers = await startTlsServers(list.map((each) => ({ address, port: 0, ...each })));
  return { ...servers, [Symbol.asyncDispose]: trust(servers) };
}

/** Tells the worker of the servers' authority; answers what ends both. */
export function trust(servers: { authority: string } & AsyncDisposable): () => Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "periscan-sslyze-test-"));
  process.env.PERISCAN_CA_FILE = join(folder, "authority.pem");
  writeFileSync(process.env.PERISCAN_CA_FILE, servers.authority);
  return async () => {
    delete process.env.PERISCAN_CA_FILE;
    rmSync(folder, { recursive: true, force: true });
    await servers[Symbol.asyncDispose]();
  };
}

const nmapNames: Record<string, string> = { postgres: "postgresql" };

/** A server of the test as a target; where it speaks STARTTLS, an earlier scan has seen which service it is. */
export function pinServer(port: number, { startTls }: Partial<TlsServerSettings> = {}): PinnedTarget {
  const pinned = pinForTest(`${serverName}:${port}`, address);
  if (startTls === undefined) return pinned;
  return { ...pinned, known: [serviceForTest(port, { name: nmapNames[startTls] ?? startTls })] };
}

export const scan = (targets: PinnedTarget[], given = {}, change: Partial<RunContext> = {}): Promise<EngineEvent[]> =>
  runForTest(runner, { type: "SSLYZE", options: SslyzeOptions.parse(given), targets }, change);

export const outcomesOf = (events: EngineEvent[]) => events.filter((event) => event.kind === "outcome");

export const risksOf = ({ detections }: Outcome): string[] => detections.map(({ key }) => key.split("/")[2] ?? "");

export function outcomeOf(events: EngineEvent[], { targetId }: PinnedTarget): Outcome {
  const [event, ...more] = outcomesOf(events).filter((each) => each.targetId === targetId);
  if (!event || more.length > 0) throw new Error(`${targetId} has ${event ? "more than one outcome" : "no outcome"}`);
  return event.outcome;
}

/** The SSLyze processes of this machine that look at a port. */
export function findProcesses(port: number): number[] {
  return readdirSync("/proc").flatMap((name) => {
    try {
      const words = readFileSync(`/proc/${name}/cmdline`, "utf8").split("\0");
      return words.includes("sslyze") && words.some((word) => word.includes(`:${port}{`)) ? [Number(name)] : [];
    } catch {
      return [];
    }
  });
}
