import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Outcome } from "@periscan/contract/outcome.ts";
import { afterEach, beforeAll, expect, onTestFinished, vi } from "vitest";
import { startListener } from "../../test/targets/exposed-site.ts";
import type { EngineEvent, PinnedTarget, RunContext } from "../kit/engine.ts";
import { pinForTest, runForTest, testEnginesFolder } from "../kit/testing.ts";
import { nuclei } from "./index.ts";
import { findNuclei } from "./install.ts";

/** Installs Nuclei where it is missing, and takes back after each test what it stubbed. */
export function useNuclei(): void {
  beforeAll(async () => {
    const runner = await nuclei.load();
    const context = { enginesFolder: testEnginesFolder, signal: new AbortController().signal, say: () => {} };
    if (!(await findNuclei(testEnginesFolder))) await runner.install(context);
  }, 1_200_000);
  afterEach(() => vi.unstubAllEnvs());
}

export interface Scanned {
  outcomes: { targetId: string; outcome: Outcome; native: string }[];
  events: EngineEvent[];
  args: string[][];
}

export async function scan(targets: PinnedTarget[], given: object = {}, change: Partial<RunContext> = {}): Promise<Scanned> {
  const args: string[][] = [];
  const log: RunContext["log"] = (message, fields) => {
    if (message === "nuclei starts") args.push(fields?.args as string[]);
    change.log?.(message, fields);
  };
  const events = await runForTest(await nuclei.load(), { type: "NUCLEI", options: nuclei.options.parse(given), targets }, { ...change, log });
  const outcomes = events.flatMap((event) =>
    event.kind === "outcome" ? [{ targetId: event.targetId, outcome: event.outcome, native: Buffer.from(event.native ?? "").toString() }] : [],
  );
  return { outcomes, events, args };
}

export async function scanOne(...args: Parameters<typeof scan>): Promise<Scanned & { outcome: Outcome; native: string }> {
  const scanned = await scan(...args);
  expect(scanned.outcomes).toHaveLength(args[0].length);
  const [first] = scanned.outcomes;
  if (!first) throw new Error("no outcome");
  return { ...scanned, outcome: first.outcome, native: first.native };
}

/** A listener that the test's end closes. */
export async function serve(what: { site?: string; service?: string }, seen: string[] = [], address = "127.0.0.1") {
  const listener = await startListener({ address, port: 0, ...what }, seen);
  onTestFinished(() => listener.close());
  return listener;
}

export async function serveTcp(onConnection: (socket: net.Socket) => void, address = "127.0.0.1", at = 0) {
  const sockets = new Set<net.Socket>();
  const server = net.createServer((socket) => {
    sockets.add(socket.on("error", () => {}));
    onConnection(socket);
  });
  await once(server.listen(at, address), "listening");
  onTestFinished(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return { server, sockets, port: (server.address() as net.AddressInfo).port };
}

export async function findClosedPort(): Promise<number> {
  const server = net.createServer();
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as net.AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

export const siteAt = (port: number, path = "/") => pinForTest(`http://shop.example:${port}${path}`, "127.0.0.1");
export const keysOf = ({ detections }: Outcome) => detections.map(({ detail }) => (detail as { template: string }).template).sort();
export const id = (template: string) => `periscan-${template}`;
export const few = { template_ids: ["git-config", "env-file", "metrics-open", "security-txt", "phpinfo"].map(id) };

/** A folder of templates that the test writes. */
export function useTemplates(files: Record<string, string>): string {
  const folder = mkdtempSync(join(tmpdir(), "periscan-templates-test-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, `${name}.yaml`), text);
  vi.stubEnv("PERISCAN_NUCLEI_TEMPLATES", folder);
  return folder;
}

export const makeTemplate = (name: string, body: string, severity = "low") =>
  `id: ${name}\ninfo:\n  name: ${name}\n  author: test\n  severity: ${severity}\n  description: A test.\n${body}`;
export const anyPage = (path: string, more = "") =>
  `http:\n  - method: GET\n    path:\n      - "${path}"\n${more}    matchers:\n      - type: word\n        words: ["Shop"]\n`;

/** The processes of Nuclei that the run started, by its log; afterwards each of them must be gone. */
export function watchProcesses(onStart: (pid: number) => void = () => {}) {
  const pids: number[] = [];
  const log: RunContext["log"] = (_message, fields) => {
    if (typeof fields?.pid !== "number") return;
    pids.push(fields.pid);
    onStart(fields.pid);
  };
  const expectGone = () => {
    expect(pids.length).toBeGreaterThan(0);
    for (const pid of pids) expect(existsSync(`/proc/${pid}`), `process ${pid}`).toBe(false);
  };
  return { log, expectGone };
}
