import { mkdtempSync, rmSync } from "node:fs";
import type { Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Observation } from "@periscan/contract/outcome.ts";
import { afterAll, beforeAll, expect, test } from "vitest";
import { pinForTest, runForTest, serviceForTest } from "../kit/testing.ts";
import { readCoverage } from "./coverage.ts";
import { Options } from "./options.ts";
import { runner } from "./runner.ts";
import { recordedAnswer, serveOsp } from "./testing.ts";

const folder = mkdtempSync(join(tmpdir(), "periscan-openvas-run-test-"));
const socket = join(folder, "fake.sock");

/** The TCP ports that each scan sees, one scan after the other, and what each was asked for. */
let sights: number[][] = [];
let asked: string[] = [];

let server: Server;
beforeAll(async () => {
  server = await serveOsp(socket, answer);
  process.env.PERISCAN_OPENVAS = socket;
});
afterAll(() => {
  delete process.env.PERISCAN_OPENVAS;
  server.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Of a scanner whose scans are over at once, and see what they are told to. */
function answer(request: string): string {
  const [, name = ""] = /^<(\w+)/.exec(request) ?? [];
  const id = /scan_id="([^"]*)"/.exec(request)?.[1] ?? "";
  if (name === "start_scan") {
    asked.push(/<ports>T:([\d,-]*)/.exec(request)?.[1] ?? "");
    return `<start_scan_response status="200" status_text="OK"><id>${id}</id></start_scan_response>`;
  }
  if (name === "delete_scan") return '<delete_scan_response status="200" status_text="OK"/>';
  if (name !== "get_scans") return recordedAnswer(name);
  const tell = (port: string, oid: string, title: string) =>
    `<result name="${title}" severity="" host="192.0.2.1" hostname="" test_id="${oid}" port="${port}" qod="" uri="" type="Log Message">seen</result>`;
  const ports = (sights[asked.length - 1] ?? []).map((port) => tell(`${port}/tcp`, "1.3.6.1.4.1.32473.1.2", ""));
  const results = [tell("", "", "HOST_START"), ...ports, tell("", "", "HOST_END")].join("");
  return (
    `<get_scans_response status="200" status_text="OK"><scan id="${id}" target="" progress="100" status="finished" start_time="0" end_time="0">` +
    `<progress><count_dead>0</count_dead></progress><results>${results}</results></scan></get_scans_response>`
  );
}

/** What the scan tells whose port scan sees the first ports, and whose second look the others. */
async function scan(first: number[], second: number[], known: Observation[] = []) {
  [sights, asked] = [[first, second], []];
  const target = { ...pinForTest("192.0.2.1"), known };
  const events = await runForTest(runner, { type: "OPENVAS", options: Options.parse({ ports: "1-60000" }), targets: [target] }, { enginesFolder: folder });
  const [outcome] = events.flatMap((event) => (event.kind === "outcome" ? [event.outcome] : []));
  if (!outcome) throw new Error("there is no outcome");
  return { outcome, closes: (...ports: string[]) => ports.filter((port) => readCoverage(outcome.coverage)(port)) };
}

const known = [
  serviceForTest(443, { key: "443/tcp", scope: "443/tcp" }),
  serviceForTest(8443),
  serviceForTest(53, { protocol: "udp" }),
  serviceForTest(65_000),
];

test("known ports that the port scan did not see are looked at again, beside all that it saw", async () => {
  const { outcome, closes } = await scan([22, 80], [22, 80], known);
  expect(asked).toEqual(["1-60000", "22,80,443,8443"]);
  // They refused, or were silent, twice.
  expect(outcome).toMatchObject({ kind: "complete", notes: [] });
  expect(closes("22/tcp", "443/tcp", "8443/tcp")).toHaveLength(3);
});

test("a known port that the port scan missed makes the outcome partial, and nothing of it closes", async () => {
  const { outcome, closes } = await scan([22], [22, 443, 8443], known);
  expect(outcome).toMatchObject({ kind: "partial", reason: expect.stringContaining("TCP ports 443, 8443") });
  expect(closes("22/tcp", "443/tcp", "8443/tcp")).toEqual(["22/tcp"]);
});

test("where the port scan saw nothing at all, known ports are looked at again too", async () => {
  const { outcome, closes } = await scan([], [443], known);
  expect(outcome.kind).toBe("partial");
  expect(closes("22/tcp", "443/tcp")).toEqual([]);
});

test("each port that dies during the scan keeps its risks, though another one answers still", async () => {
  const { outcome, closes } = await scan([22, 80], [22]);
  expect(outcome).toMatchObject({ kind: "complete", notes: [expect.stringContaining("TCP port 80")] });
  expect(closes("22/tcp", "80/tcp")).toEqual(["22/tcp"]);
});

test("the second look takes as many ports as there are", async () => {
  const many = Array.from({ length: 900 }, (_, index) => serviceForTest(20_001 + 2 * index));
  expect((await scan([22], [22], many)).outcome.kind).toBe("complete");
  expect(asked[1]?.split(",")).toHaveLength(901);
});
