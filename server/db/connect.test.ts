import { existsSync } from "node:fs";
import { sql } from "drizzle-orm";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startTestServer, type TestServer } from "../testing/start-test-server.ts";
import { type Connection, connect, type Database, type Transaction } from "./connect.ts";

let server: TestServer;
let connection: Connection;
const broken: Error[] = [];
beforeAll(async () => {
  server = await startTestServer();
  connection = await connect(server.databaseUrl, (error) => broken.push(error), 1);
});
afterAll(async () => {
  await connection.close();
  await server[Symbol.asyncDispose]();
});

const askPid = async (db: Database | Transaction): Promise<number> => {
  const { rows } = await db.execute<{ pid: number }>(sql`select pg_backend_pid() as pid`);
  return rows[0]?.pid ?? 0;
};

/** Waits without giving the process a turn, so that it cannot have heard of the end. */
function endUnheard(pid: number): void {
  process.kill(pid, "SIGTERM");
  while (existsSync(`/proc/${pid}`));
}

test("a connection that breaks between two statements of a transaction fails that transaction alone", async () => {
  const lost = connection.db.transaction(async (tx) => {
    endUnheard(await askPid(tx));
    // The break is told to the connection before anybody asks it something again.
    await expect.poll(() => broken.length).toBeGreaterThan(0);
    return askPid(tx);
  });
  await expect(lost).rejects.toThrow();
  expect(await connection.db.transaction(askPid)).toBeGreaterThan(0);
});

test("a connection that is found broken as a transaction begins goes, and makes room for another", async () => {
  endUnheard(await askPid(connection.db));
  await expect(connection.db.transaction(askPid)).rejects.toThrow();
  expect(await connection.db.transaction(askPid)).toBeGreaterThan(0);
});

test("a database that a later release made is refused, and left as it is", async () => {
  const { rows } = await connection.db.execute(sql`insert into drizzle.__drizzle_migrations (hash, created_at) values ('later', 9999999999999) returning id`);
  await expect(connect(server.databaseUrl, () => {}, 1)).rejects.toThrow("made by a later release");
  await connection.db.execute(sql`delete from drizzle.__drizzle_migrations where id = ${rows[0]?.id}`);
  await (await connect(server.databaseUrl, () => {}, 1)).close();
});
