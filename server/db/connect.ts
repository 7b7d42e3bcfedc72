import { fileURLToPath } from "node:url";
import { sql } from "drizzle-orm";
import { drizzle, type NodePgDatabase } from "drizzle-orm/node-postgres";
import { migrate } from "drizzle-orm/node-postgres/migrator";
import pg from "pg";
import * as schema from "./schema.ts";

export type Database = NodePgDatabase<typeof schema>;
export type Transaction = Parameters<Parameters<Database["transaction"]>[0]>[0];

/** A number of our own for the advisory lock that migrations hold. */
const migrationLock = 7401;

export interface Connection {
  db: Database;
  close(): Promise<void>;
}

/** Opens a pool and applies the committed migrations; safe when several processes do it at once. `onError` hears of connections that broke. */
export async function connect(databaseUrl: string, onError: (error: Error) => void, maxConnections = 20): Promise<Connection> {
  const pool = new pg.Pool({ connectionString: databaseUrl, max: maxConnections, connectionTimeoutMillis: 10_000 });
  // Without a listener an idle connection's error ends the process.
  pool.on("error", onError);
  // Nor is one listened to that a transaction has taken: what it asks fails anyway.
  pool.on("connect", (client) => client.on("error", onError));
  try {
    await migrateDatabase(pool);
  } catch (error) {
    await pool.end();
    throw error;
  }
  return { db: drizzle(pool, { schema }), close: () => pool.end() };
}

/** drizzle takes no lock of its own, so two processes that start at once would collide. */
async function migrateDatabase(pool: pg.Pool): Promise<void> {
  const client = await pool.connect();
  try {
    const db = drizzle(client);
    await db.execute(sql`select pg_advisory_lock(${migrationLock})`);
    await migrate(db, { migrationsFolder: fileURLToPath(new URL("migrations", import.meta.url)) });
    await db.execute(sql`select pg_advisory_unlock(${migrationLock})`);
  } finally {
    client.release(true);
  }
}

/** The PostgreSQL error code behind a drizzle error, such as `23505`. */
export function sqlState(error: unknown): string | undefined {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  return cause instanceof Error && "code" in cause && typeof cause.code === "string" ? cause.code : undefined;
}
