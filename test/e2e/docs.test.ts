import { execFile, spawn } from "node:child_process";
import { createHmac } from "node:crypto";
import { copyFileSync, cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, request } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { Risk } from "@periscan/contract/risk.ts";
import type { Scan } from "@periscan/contract/scan.ts";
import type { Target } from "@periscan/contract/target.ts";
import { scanTypes } from "@periscan/contract/words.ts";
import { runTask } from "@periscan/worker/run-task.ts";
import { createServerClient } from "@periscan/worker/server-client.ts";
import pino from "pino";
import { afterAll, beforeAll, expect, test } from "vitest";
import { describedOperations } from "../../server/testing/read-openapi.ts";
import { keepWorking, startTestServer, type TestServer } from "../../server/testing/start-test-server.ts";
import { installSdk } from "../install-sdk.ts";
import { until } from "../platform.ts";

const run = promisify(execFile);
const root = new URL("../../", import.meta.url);
const documents = [
  "README.md",
  "sdk/README.md",
  ...readdirSync(new URL("docs", root))
    .filter((name) => name.endsWith(".md"))
    .map((name) => `docs/${name}`),
];
const readDocument = (path: string): string => readFileSync(new URL(path, root), "utf8");
/** The blocks of a document that are programs. */
const programs = (path: string): string[] => [...readDocument(path).matchAll(/```(?:js|ts)\n([\s\S]*?)```/g)].map(([, code]) => code ?? "");
const page = readDocument("docs/api.md");
const examples = (language: string): string[] =>
  [...page.matchAll(/<!-- example -->\n```(\w+)\n([\s\S]*?)```/g)].flatMap(([, found, code]) => (found === language ? [code ?? ""] : []));

let server: TestServer;
let stopWorking: () => Promise<void>;
let folder: string;
beforeAll(async () => {
  // The addresses of the examples are those of no one; nothing is sent there.
  server = await startTestServer({ outgoing: { allowHttp: false, allowPrivate: true, dnsServers: ["127.0.0.1:9"] }, delivers: false });
  folder = mkdtempSync(join(tmpdir(), "periscan-docs-"));
  const stops = [keepWorking(server), keepImporting(server, folder)];
  stopWorking = async () => {
    await Promise.all(stops.map((stop) => stop()));
  };
  copyFileSync(new URL("../../engines/nmap/samples/one.xml", import.meta.url), join(folder, "office.xml"));
  await installSdk(folder);
});
afterAll(async () => {
  await stopWorking();
  await server[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

/** Reads imports as a worker does whose engine has no room now. */
function keepImporting({ url, workerToken: token }: TestServer, workFolder: string): () => Promise<void> {
  const client = createServerClient({ server: url, token });
  const stopping = new AbortController();
  const limits = { packetsPerSecond: 0, outputBytes: 0 };
  const context = { client, enginesFolder: workFolder, workFolder, limits, log: pino({ level: "silent" }), stopping: stopping.signal };
  const read = async () => {
    while (!stopping.signal.aborted) {
      const claim = { worker: { version: "0" }, engines: scanTypes.map((type) => ({ type, ready: true })), fitting: [], imports: true, wait_seconds: 1 };
      const task = await client.claim(claim, stopping.signal).catch(() => null);
      if (task) await runTask(task, context);
    }
  };
  const reading = read();
  return async () => {
    stopping.abort();
    await reading;
  };
}

/** Passes everything on to the server, and notes which operations were asked for. */
async function startWitness() {
  const seen = new Set<string>();
  const witness = createServer((incoming, outgoing) => {
    const { method = "", url = "", headers } = incoming;
    const path = url.split("?")[0] ?? "";
    const operation = describedOperations.find((each) => each.method === method && new RegExp(`^${each.path.replaceAll(/\{\w+\}/g, "[^/]+")}$`).test(path));
    if (operation) seen.add(operation.name);
    const onward = request(new URL(url, server.url), { method, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(outgoing);
    });
    incoming.pipe(onward);
  });
  await new Promise<void>((resolve) => witness.listen(0, "127.0.0.1", resolve));
  // The sample data stands for the service that one moves from.
  const hostedScan = { HOSTEDSCAN_SERVER: server.url, HOSTEDSCAN_API_KEY: "test-data-key" };
  return {
    seen,
    environment: {
      ...process.env,
      PERISCAN_SERVER: `http://127.0.0.1:${(witness.address() as AddressInfo).port}`,
      PERISCAN_API_KEY: server.apiKey,
      ...hostedScan,
    },
    [Symbol.dispose]() {
      witness.closeAllConnections();
      witness.close();
    },
  };
}

const documented = describedOperations.filter(({ isPublic }) => !isPublic).map(({ name }) => name);

test("every curl example does what the page says, and every operation has one", async () => {
  using witness = await startWitness();
  const script = join(folder, "examples.sh");
  writeFileSync(script, `set -euo pipefail\n${examples("sh").join("\n")}\nhead -c 5 scan.pdf; tail -c 6 scan.pdf; echo "$STATE"\n`);
  const { stdout } = await run("bash", ["-x", script], { cwd: folder, env: witness.environment }).catch((error) => expect.fail(error.stderr));
  expect(stdout).toMatch(/%PDF-\n?%%EOF\n?SUCCEEDED\n$/);
  expect(documented.filter((name) => !witness.seen.has(name))).toEqual([]);
});

test("every SDK example does what the page says, and every operation has one but the older paths of a file and of reports", async () => {
  using witness = await startWitness();
  const program = join(folder, "examples.js");
  writeFileSync(program, examples("js").join("\n"));
  await run(process.execPath, [program], { cwd: folder, env: witness.environment }).catch((error) => expect.fail(error.stderr));
  expect(documented.filter((name) => !witness.seen.has(name))).toEqual(["GET /v1/scans/results/{id}", "POST /v1/report", "GET /v1/report/{id}"]);
});

test("every line of the documents with the SDK stands in a program, and each of those type-checks with the packed package alone", async () => {
  for (const path of documents) {
    const count = (text: string) => text.match(/@periscan\/sdk["'/]/g)?.length ?? 0;
    expect(count(programs(path).join("")), path).toBe(count(readDocument(path)));
  }
  for (const needed of ["@types/node", "undici-types"])
    cpSync(new URL(`node_modules/${needed}`, root), join(folder, "node_modules", needed), { recursive: true });
  // The page of the API is one program, in its order.
  const whole = [examples("js").join("\n"), ...documents.filter((path) => path !== "docs/api.md").flatMap(programs)];
  const names = whole.map((code, index) => {
    writeFileSync(join(folder, `checked-${index}.js`), code);
    return `checked-${index}.js`;
  });
  const compilerOptions = { target: "es2022", module: "nodenext", allowJs: true, checkJs: true, noEmit: true, types: ["node"] };
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, files: names }));
  await run(process.execPath, [fileURLToPath(new URL("sdk/node_modules/typescript/bin/tsc", root)), "--project", folder]).catch(({ stdout }) =>
    expect.fail(stdout),
  );
});

test("the first program of the SDK's page runs, and the receiver of the webhooks' page takes what is signed and nothing else", async () => {
  const write = (name: string, code = "") => {
    writeFileSync(join(folder, name), code);
    return join(folder, name);
  };
  const first = write("first.js", programs("sdk/README.md")[0]?.replace("http://127.0.0.1:7700", server.url));
  expect((await run(process.execPath, [first], { cwd: folder })).stdout.split("\n").length).toBeGreaterThan(5);
  const secret = "the secret of the receiver";
  const receiver = spawn(process.execPath, [write("receiver.js", programs("docs/webhooks.md")[0])], { cwd: folder, env: { WEBHOOK_SECRET: secret } });
  const body = JSON.stringify({ id: "e1", type: "ping", data: {} });
  const timestamp = `${Date.now()}`;
  const send = (key: string) => {
    const signature = createHmac("sha256", key).update(`${timestamp}.${body}`).digest("hex");
    const headers = { "x-hostedscan-timestamp": timestamp, "x-hostedscan-signature": signature };
    return fetch("http://127.0.0.1:8080/", { method: "POST", headers, body }).then(({ status }) => status);
  };
  try {
    expect(await until(() => send(secret).catch(() => undefined))).toBe(204);
    expect(await send("another secret")).toBe(400);
  } finally {
    receiver.kill();
  }
});

test("targets, finished scans and accepted risks of the old service are there afterwards, once, however often it is run", async () => {
  const list = async <T>(path: string, headers?: Record<string, string>) => (await server.api<{ data: T[] }>("GET", path, undefined, headers)).body.data;
  const old = { "x-hostedscan-api-key": "test-data-key" };
  const [theirTargets, theirScans, theirRisks] = [
    await list<Target>("/v1/targets", old),
    await list<Scan>("/v1/scans", old),
    await list<Risk>("/v1/risks", old),
  ];
  const count = async () => [(await list("/v1/targets")).length, (await list("/v1/risks")).length, (await list("/v1/scans")).length];
  const before = await count();
  const script = join(folder, "again.sh");
  writeFileSync(script, `set -euo pipefail\n${examples("sh").at(-1)}`);
  using witness = await startWitness();
  await run("bash", ["-x", script], { cwd: folder, env: witness.environment }).catch((error) => expect.fail(error.stderr));
  expect(await count()).toEqual(before);

  const ours = await list<Target>("/v1/targets");
  for (const { target, label, tags } of theirTargets) expect(ours, target).toContainEqual(expect.objectContaining({ target, label, tags }));
  const imported = (await list<Scan>("/v1/scans")).filter(({ source_id }) => source_id !== undefined);
  const finished = theirScans.filter(({ state }) => state === "SUCCEEDED");
  expect(imported.map(({ type, state }) => `${type} ${state}`).sort()).toEqual(finished.map(({ type }) => `${type} SUCCEEDED`).sort());
  const accepted = theirRisks.filter(({ is_accepted }) => is_accepted).map(({ target, accepted_by: [by] }) => [target, by?.note]);
  const kept = (await list<Risk>("/v1/risks")).filter(({ is_accepted }) => is_accepted).map(({ target, accepted_by: [by] }) => [target, by?.note]);
  expect(kept).toEqual(accepted);
  // Where an engine's file names its target otherwise than the list of targets does, the risk stands at that one.
  const nameRisk = ({ risk_definition: { scan_type, title } }: Risk) => `${scan_type} ${title}`;
  const known = new Set((await list<Risk>("/v1/risks")).map(nameRisk));
  expect(theirRisks.filter((risk) => risk.status === "OPEN" && !known.has(nameRisk(risk))).map(nameRisk)).toEqual([]);
});
