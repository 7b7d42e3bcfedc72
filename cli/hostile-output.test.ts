import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { format } from "node:util";
import { startTestServer, type TestServer } from "@periscan/server/testing/start-test-server.ts";
import { Command } from "commander";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { addReportCommands } from "./commands/reports.ts";
import { addResultsCommand } from "./commands/results.ts";
import { addRisksCommand } from "./commands/risks.ts";
import { addScanCommand } from "./commands/scan.ts";
import { addScansCommand } from "./commands/scans.ts";
import { addSchedulesCommand } from "./commands/schedules.ts";
import { addSourcesCommand } from "./commands/sources.ts";
import { addTargetsCommand } from "./commands/targets.ts";
import { addWebhooksCommand } from "./commands/webhooks.ts";
import { cleanOutput, guardConsole } from "./print.ts";
import { reportError } from "./report-error.ts";

// A server whose every text tries to steer the terminal, in front of one that answers with the sample data.

const hostile = "\u001b[2J\u001b]0;title\u0007\u009b31m\u0085\u202e\u2066\u200f\r\nINJECTED\u2028\b";
/** What commands need as it is to come to their printing at all; in the second round these are hostile too. */
const kept =
  /^(id|state|type|status|kind|outcome|change|content_type|result_id|target_id|.*_at|.*threat_level|.*scan_type|next_page_token|protocol|source_type|verified_by|report_format)$/;

let server: TestServer;
let front: Server;
let folder: string;
let isWhole = false;
const lines: string[] = [];
beforeAll(async () => {
  process.env.NO_COLOR = "1";
  for (const name of ["log", "error"] as const) vi.spyOn(console, name).mockImplementation((...values: unknown[]) => void lines.push(format(...values)));
  guardConsole();
  server = await startTestServer();
  folder = mkdtempSync(join(tmpdir(), "periscan-hostile-"));
  front = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = chunks.length > 0 ? { body: Buffer.concat(chunks) } : {};
    const headers = { "x-hostedscan-api-key": "test-data-key", "content-type": "application/json" };
    const answer = await fetch(new URL(request.url ?? "", server.url), { method: request.method ?? "GET", headers, ...body });
    const type = answer.headers.get("content-type") ?? "";
    const said = await answer.text();
    response.writeHead(answer.status, { "content-type": type, "content-disposition": `attachment; filename="file.json"` });
    response.end(type.startsWith("application/json") && said !== "" ? JSON.stringify(spoil(JSON.parse(said))) : said + hostile);
  });
  front.listen(0, "127.0.0.1");
  await once(front, "listening");
});
afterAll(async () => {
  front.closeAllConnections();
  front.close();
  rmSync(folder, { recursive: true, force: true });
  await server[Symbol.asyncDispose]();
});

function spoil(value: unknown, name = ""): unknown {
  if (typeof value === "string") return !isWhole && kept.test(name) ? value : `${value}${hostile}`;
  if (Array.isArray(value)) return value.map((each) => spoil(each, name));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, spoil(inner, key)]));
}

/** A command line as the program runs it, in this process: what it would have written. */
async function run(args: string[], add: Adder, environment: Record<string, string> = {}): Promise<string> {
  Object.assign(process.env, { PERISCAN_SERVER: addressOf(front), PERISCAN_API_KEY: "test-data-key" }, environment);
  const program = new Command("periscan").exitOverride();
  add(program);
  lines.length = 0;
  try {
    await program.parseAsync(args, { from: "user" });
  } catch (error) {
    reportError(error);
  }
  process.exitCode = undefined;
  return lines.join("\n");
}

type Adder = (program: Command) => void;

const addressOf = (of: Server): string => `http://127.0.0.1:${(of.address() as AddressInfo).port}`;

const steering = /(?![\n\t])[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/u;

async function idOf(noun: string, matches: (row: Record<string, unknown>) => boolean = () => true): Promise<string> {
  const { body } = await server.api<{ data: Record<string, unknown>[] }>("GET", `/v1/${noun}`, undefined, { "x-hostedscan-api-key": "test-data-key" });
  return String(body.data.find(matches)?.id);
}

describe.each([["texts alone", false] as const, ["every string", true] as const])("where %s are hostile", (_, whole) => {
  test("nothing of it reaches the terminal, as text or as JSON, on standard output or standard error", async () => {
    isWhole = whole;
    const ended = await idOf("scans", ({ state, type }) => state === "SUCCEEDED" && type === "NMAP");
    const [risk, target, schedule] = [await idOf("risks"), await idOf("targets"), await idOf("schedules")];
    const output = ["--output", folder];
    const commands: [Adder, ...string[]][] = [
      [addScansCommand, "scans"],
      [addScanCommand, "scan", "show", ended],
      [addScanCommand, "scan", "NMAP", "127.0.0.1", ...output],
      [addScanCommand, "scan", "NMAP", "127.0.0.1", "--no-wait"],
      [addRisksCommand, "risks"],
      [addRisksCommand, "risks", "history", risk],
      [addTargetsCommand, "targets"],
      [addTargetsCommand, "targets", "show", target],
      [addTargetsCommand, "targets", "verify", target],
      [addSchedulesCommand, "schedules"],
      [addSchedulesCommand, "schedules", "show", schedule],
      [addReportCommands, "reports"],
      [addSourcesCommand, "sources", "list"],
      [addResultsCommand, "results", "get", ended, ...output],
      [addWebhooksCommand, "webhooks"],
      [addScanCommand, "scan", "show", "none"],
    ];
    const shown: string[] = [];
    for (const [add, ...plain] of commands)
      for (const args of [plain, [...plain, "--json"]]) {
        const written = await run(args, add);
        shown.push(written);
        expect(steering.exec(written)?.[0], `${args.join(" ")}: ${JSON.stringify(written.slice(0, 2000))}`).toBeUndefined();
        expect(written, args.join(" ")).not.toMatch(/^INJECTED/m);
      }
    // They came to their printing.
    expect(shown.filter((lines) => lines.includes("INJECTED")).length).toBeGreaterThan(whole ? 8 : 20);
  });
});

test("where colours are shown nothing but colours passes", () => {
  const shown = cleanOutput(`\u001b[31mred\u001b[39m ${hostile}`, true);
  expect(shown).toContain("\u001b[31mred\u001b[39m");
  expect(shown.replaceAll(/\p{Cc}\[[0-9;]+m/gu, "")).not.toMatch(steering);
});

test("a key goes to no other address than the one that was given", async () => {
  const keys: unknown[] = [];
  const other = createServer((request, response) => {
    keys.push(request.headers["x-hostedscan-api-key"]);
    response.end('{"data":[]}');
  });
  other.listen(0, "127.0.0.1");
  await once(other, "listening");
  const to = addressOf(other);
  const redirecting = createServer((request, response) => response.writeHead(307, { location: `${to}${request.url}` }).end());
  redirecting.listen(0, "127.0.0.1");
  await once(redirecting, "listening");
  const environment = { PERISCAN_SERVER: addressOf(redirecting), PERISCAN_TARGETS: "192.0.2.1" };
  expect(await run(["scans"], addScansCommand, environment)).toContain(`redirects to ${to}, and the API key is not sent there`);
  const script = spawn(process.execPath, [fileURLToPath(new URL("../integrations/github/scan.mjs", import.meta.url))], {
    env: { ...process.env, ...environment, PERISCAN_API_KEY: "test-data-key" },
    stdio: ["ignore", "ignore", "pipe"],
  });
  const [said, [code]] = await Promise.all([text(script.stderr), once(script, "close")]);
  expect([code, said]).toEqual([2, expect.stringContaining(`redirects to ${to}`)]);
  expect(keys).toEqual([]);
  for (const each of [other, redirecting]) each.close();
});
