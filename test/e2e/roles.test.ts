import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { createClient } from "@periscan/sdk/client.ts";
import { openKeys } from "@periscan/server/access/keys.ts";
import { startEmbeddedPostgres } from "@periscan/server/db/embedded-postgres.ts";
import { expect, test } from "vitest";
import { addressOf, guardNetworks, startHosts, whyNoHosts } from "../hosts/start-hosts.ts";
import { cliFile, makeDataFolder } from "../platform.ts";

const network = 26;
const hosts = Array.from({ length: 16 }, (_, index) => ({ address: addressOf(network, index + 1), tcp: { [100 + index]: "220 ready\r\n" } }));

test.skipIf(whyNoHosts())("two servers that start at once on an empty database share it, and two workers share a scan", async () => {
  const unguard = guardNetworks();
  await using _hosts = await startHosts({ network, hosts });
  const folder = makeDataFolder();
  const postgres = await startEmbeddedPostgres({ folder: join(folder, "postgres"), unsafeFast: true });
  const children: ChildProcess[] = [];
  const start = (args: string[], environment: Record<string, string>): ChildProcess => {
    const env = { ...process.env, PERISCAN_DATA: folder, PERISCAN_LOG_LEVEL: "warn", ...environment };
    const child = spawn(process.execPath, [cliFile, ...args], { env, stdio: ["ignore", "pipe", "inherit"] });
    children.push(child);
    return child;
  };
  const serve = async (): Promise<string> => {
    const child = start(["serve", "--port", "0"], { DATABASE_URL: postgres.url });
    for await (const line of createInterface({ input: child.stdout as never })) {
      const url = /^Periscan is ready at (\S+)$/.exec(line)?.[1];
      if (url) return url;
    }
    throw new Error("serve ended before it was ready");
  };
  try {
    const [one, two] = await Promise.all([serve(), serve()]);
    const keys = await openKeys(postgres.url);
    const { key } = await keys.createApiKey({ name: "test" });
    for (const [name, server] of [["worker-1", one] as const, ["worker-2", two] as const]) {
      const { token } = await keys.createWorkerToken({ name });
      start(["work", "--server", server, "--name", name, "--slots", "1"], { PERISCAN_WORKER_TOKEN: token });
    }
    await keys.close();
    const client = createClient({ server: one, apiKey: key });
    const { id } = await client.scans.create({ type: "NMAP", targets: hosts.map(({ address }) => address), options: { ports: "1-3000" } });
    const ended = await createClient({ server: two, apiKey: key }).waitForScan(id);
    expect(ended).toMatchObject({ state: "SUCCEEDED", skipped_targets: [] });
    expect(ended.risks.new_open).toHaveLength(16);
    expect(await findWorkersOf(postgres.url, id)).toEqual(["worker-1", "worker-2"]);
  } finally {
    for (const child of children.reverse()) {
      if (child.exitCode !== null) continue;
      const gone = once(child, "exit");
      child.kill("SIGTERM");
      await gone;
    }
    await postgres.stop();
    rmSync(folder, { recursive: true, force: true });
    unguard();
  }
});

async function findWorkersOf(databaseUrl: string, scanId: string): Promise<string[]> {
  const { default: pg } = await import("pg");
  const connection = new pg.Client({ connectionString: databaseUrl });
  await connection.connect();
  try {
    const { rows } = await connection.query("select distinct worker_name from task where scan_id = $1 order by worker_name", [scanId]);
    return rows.map(({ worker_name }) => worker_name);
  } finally {
    await connection.end();
  }
}
