import { once } from "node:events";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { labPlugins, noHost, type OpenvasLab, startOpenvasLab } from "../../test/targets/openvas/openvas-lab.ts";
import type { EngineEvent, RunContext } from "../kit/engine.ts";
import { pinForTest, runForTest, testEnginesFolder } from "../kit/testing.ts";
import { covers } from "./coverage.ts";
import { openvas } from "./index.ts";
import { Options } from "./options.ts";
import { askOsp, type OspAddress } from "./osp-client.ts";
import { readOpenvasXml } from "./read-openvas-xml.ts";
import { runner } from "./run.ts";
import { stopScanner } from "./use-scanner.ts";

const isRoot = process.geteuid?.() === 0;
if (!isRoot) console.log("Skipped, because it needs root: the tests of the real OpenVAS scanner.");

const oid = (number: number) => `1.3.6.1.4.1.32473.1.${number}`;
const web = "HTTP/1.0 200 OK\r\nServer: Example/1.2.3 <b>\r\nContent-Length: 0\r\n\r\n";
const quiet = "HTTP/1.0 200 OK\r\nServer: quiet\r\nContent-Length: 0\r\n\r\n";

/** The index of the feed is kept in the engines' folder: a folder of the tests' own has none of another feed. */
const folder = mkdtempSync(join(tmpdir(), "periscan-openvas-test-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const settings = ["PERISCAN_OPENVAS", "PERISCAN_OPENVAS_FEED", "PERISCAN_OPENVAS_MEMORY_MB"] as const;
afterEach(() => {
  for (const name of settings) delete process.env[name];
});

async function scan(addresses: string[], given: object, change: Partial<RunContext> = {}): Promise<EngineEvent[]> {
  const options = Options.parse({ ports: "8070-8100", ...given });
  return runForTest(runner, { type: "OPENVAS", options, targets: addresses.map((address) => pinForTest(address)) }, { enginesFolder: folder, ...change });
}
const outcomes = (events: EngineEvent[]) => events.flatMap((event) => (event.kind === "outcome" ? [event] : []));
const brief = (events: EngineEvent[]) =>
  outcomes(events).map(({ targetId, outcome }) => [targetId, outcome.kind, outcome.detections.map(({ key }) => key).sort()]);

beforeAll(async () => {
  if (!isRoot) return;
  const { ready } = await runner.probe({ enginesFolder: testEnginesFolder });
  if (!ready) await runner.install({ enginesFolder: testEnginesFolder, signal: new AbortController().signal, say: () => {} });
}, 600_000);

describe.skipIf(!isRoot)("the real scanner", () => {
  let lab: OpenvasLab;
  beforeAll(async () => {
    lab = await startOpenvasLab({ enginesFolder: testEnginesFolder, signal: new AbortController().signal });
    await lab.serve([
      { address: "127.0.0.2", tcp: { 8080: web, 8081: quiet } },
      { address: "127.0.0.3", tcp: { 8080: quiet } },
      { address: "::1", tcp: { 8080: web } },
    ]);
  }, 120_000);
  afterAll(async () => lab?.[Symbol.asyncDispose]());
  const use = () => {
    process.env.PERISCAN_OPENVAS = lab.socket;
  };
  const address = (): OspAddress => ({ kind: "unix", path: lab.socket });

  test("finds what is there and nothing else, host by host, and its report reads back the same", async () => {
    use();
    const events = await scan(["127.0.0.2", "127.0.0.3", "::1", noHost], {});
    const found = new Map(brief(events).map(([target, ...rest]) => [target, rest]));
    expect(Object.fromEntries(found)).toEqual({
      "127.0.0.2": ["complete", [`${oid(3)}:8080/tcp`, `${oid(5)}:general/tcp`]],
      "127.0.0.3": ["complete", []],
      "::1": ["complete", [`${oid(3)}:8080/tcp`]],
      [noHost]: ["unreachable", []],
    });
    const progress = events.flatMap((event) => (event.kind === "progress" ? [event.fraction] : []));
    expect(progress).toEqual(progress.toSorted((a, b) => a - b));
    await expectReadBack(events);
  });
});

async function expectReadBack(events: EngineEvent[]): Promise<void> {
  const all = outcomes(events);
  const facts = {
    type: "OPENVAS" as const,
    engineVersion: "OpenVAS 1",
    startedAt: new Date(0),
    finishedAt: new Date(9000),
    reached: 3,
    unreached: 1,
    succeeded: true,
  };
  const file =
    openvas.native.head(facts) + all.map(({ native }) => Buffer.from(native ?? "").toString()).join(openvas.native.separator) + openvas.native.tail(facts);
  if (process.env.KEEP) writeFileSync(process.env.KEEP, file);
  const read = new Map<string, unknown>();
  for await (const each of readOpenvasXml(
    (async function* () {
      yield Buffer.from(file);
    })(),
  ))
    read.set(each.address, each.outcome);
  const expected = all.map(({ targetId, outcome: { observations: _, ...outcome } }) => [targetId, outcome] as const);
  expect(Object.fromEntries(read)).toEqual(Object.fromEntries(expected));
}
