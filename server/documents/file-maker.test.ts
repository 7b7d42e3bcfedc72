import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { sql } from "drizzle-orm";
import pino from "pino";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Connection, openDatabase } from "../db/connect.ts";
import { claimSome, finishTask, getScan, startScan, startTestServer, type TestServer, tcpOutcome } from "../testing/start-test-server.ts";
import { createFileMaker, type FileMaker } from "./file-maker.ts";

let server: TestServer;
let connection: Connection;
beforeAll(async () => {
  server = await startTestServer();
  connection = openDatabase(server.databaseUrl, () => {}, 1);
});
afterAll(async () => {
  await connection.close();
  await server[Symbol.asyncDispose]();
});

const openMaker = (filesFolder: string, memoryMegabytes?: number): FileMaker =>
  createFileMaker({
    databaseUrl: server.databaseUrl,
    filesFolder,
    log: pino({ level: "silent" }),
    ...(memoryMegabytes === undefined ? {} : { memoryMegabytes }),
  });

/** A scan whose JSON is to be made again. */
async function prepareScan(target: string): Promise<string> {
  const { id } = await startScan(server, { type: "NMAP", targets: [target] });
  await finishTask(server, await claimSome(server), tcpOutcome({ ports: "1-100", open: [22] }));
  for (const { result_id } of (await getScan(server, id)).results) expect((await server.api("GET", `/v1/results/${result_id}`)).status).toBe(200);
  await connection.db.execute(sql`update result set state = 'pending' where scan_id = ${id} and kind = 'json'`);
  return id;
}

async function isMade(scanId: string): Promise<boolean> {
  const { rows } = await connection.db.execute(sql`select 1 from result where scan_id = ${scanId} and state <> 'ready'`);
  return rows.length === 0;
}

test("what takes more memory than its thread may have is not made, and costs nothing else", async () => {
  const scanId = await prepareScan("10.20.0.1");
  const small = openMaker(join(server.folder, "files"), 4);
  await expect(small.make("results", scanId)).rejects.toMatchObject({ code: "ERR_WORKER_OUT_OF_MEMORY" });
  // Another thread, and again not enough.
  await expect(small.make("results", scanId)).rejects.toMatchObject({ code: "ERR_WORKER_OUT_OF_MEMORY" });
  expect(await isMade(scanId)).toBe(false);
  const maker = openMaker(join(server.folder, "files"));
  await maker.make("results", scanId);
  expect(await isMade(scanId)).toBe(true);
  await maker.stop();
});

test("why a file could not be made comes back from the thread, which makes the next one", async () => {
  const scanId = await prepareScan("10.20.0.2");
  const blocked = join(server.folder, "blocked");
  writeFileSync(blocked, "a file where a folder should be");
  const maker = openMaker(blocked);
  await expect(maker.make("results", scanId)).rejects.toThrow(/EEXIST|ENOTDIR/);
  rmSync(blocked);
  await maker.make("results", scanId);
  expect(await isMade(scanId)).toBe(true);
  await maker.stop();
});

test("a maker that is stopped answers whoever waits", async () => {
  const scanId = await prepareScan("10.20.0.3");
  const maker = openMaker(join(server.folder, "files"));
  const making = maker.make("results", scanId);
  const refused = expect(making).rejects.toThrow("ended without a word");
  await maker.stop();
  await refused;
});
