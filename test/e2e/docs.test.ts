import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, request } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { describedOperations } from "../../server/testing/read-openapi.ts";
import { keepWorking, startTestServer, type TestServer } from "../../server/testing/start-test-server.ts";
import { installSdk } from "../install-sdk.ts";

const run = promisify(execFile);
const page = readFileSync(new URL("../../docs/api.md", import.meta.url), "utf8");
const examples = (language: string): string[] =>
  [...page.matchAll(/<!-- example -->\n```(\w+)\n([\s\S]*?)```/g)].flatMap(([, found, code]) => (found === language ? [code ?? ""] : []));

let server: TestServer;
let stopWorking: () => Promise<void>;
let folder: string;
beforeAll(async () => {
  // The addresses of the examples are those of no one; nothing is sent there.
  server = await startTestServer({ outgoing: { allowHttp: false, allowPrivate: true, dnsServers: ["127.0.0.1:9"] }, delivers: false });
  stopWorking = keepWorking(server);
  folder = mkdtempSync(join(tmpdir(), "periscan-docs-"));
  await installSdk(folder);
});
afterAll(async () => {
  await stopWorking();
  await server[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

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
  return {
    seen,
    environment: { ...process.env, PERISCAN_SERVER: `http://127.0.0.1:${(witness.address() as AddressInfo).port}`, PERISCAN_API_KEY: server.apiKey },
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
