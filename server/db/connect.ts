import { fileURLToPath } from "node:url";
import { sql } from "drizzle-orm";
import { readMigrationFiles } from "drizzle-orm/migrator";
import { drizzle, type NodePgDatabase } from "drizzle-orm/node-postgres";
import { migrate } from "drizzle-orm/node-postgres/migrator";
import pg from "pg";
import { SettingsError } from "../errors/settings-error.ts";

export type Database = NodePgDatabase;
export type Transaction = Parameters<Parameters<Database["transaction"]>[0]>[0];

/** A number of our own for the advisory lock that migrations hold. */
const migrationLock = 7401;

/** No transaction of ours waits for anything but the database. */
const idleInTransactionMilliseconds = 300_000;

export interface Connection {
  db: Database;
  /** The pool behind it, for what drizzle cannot say, such as a statement with a name. */
  pool: pg.Pool;
  close(): Promise<void>;
}

/** Opens a pool and applies the committed migrations; safe when several processes do it at once. `onError` hears of connections that broke. */
export async function connect(databaseUrl: string, onError: (error: Error) => void, maxConnections = 20): Promise<Connection> {
  const connection = openDatabase(databaseUrl, onError, maxConnections);
  try {
    await migrateDatabase(connection.pool);
  } catch (error) {
    await connection.close();
    throw error;
  }
  return connection;
}

/** The same of a database whose migrations are applied. */
export function openDatabase(databaseUrl: string, onError: (error: Error) => void, maxConnections: number): Connection {
  // A peer that lost its power says nothing: both sides look after each other, so that neither a query nor the locks of a transaction are held for hours.
  const pool = new pg.Pool({
    connectionString: databaseUrl,
    max: maxConnections,
    connectionTimeoutMillis: 10_000,
    // To open a connection costs more than a hundred statements that find nothing.
    idleTimeoutMillis: 300_000,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    idle_in_transaction_session_timeout: idleInTransactionMilliseconds,
  });
  // Each connection is listened to from its beginning. The pool listens to idle ones alone: one that broke between two statements of a transaction would end the process.
  let isClosing = false;
  pool.on("connect", (client) => client.on("error", (error) => isClosing || onError(error)));
  pool.on("error", () => {});
  return {
    pool,
    db: openDrizzle(pool),
    close: () => {
      // A connection that PostgreSQL ends while we end it is no news.
      isClosing = true;
      return pool.end();
    },
  };
}

function openDrizzle(pool: pg.Pool): Database {
  const db = drizzle(pool);
  // Its own never gives a connection back whose `begin` fails, as the connections of a database that was restarted do: the pool would run dry.
  db.transaction = async (run, config) => {
    const client = await pool.connect();
    try {
      return await drizzle(client).transaction(run, config);
    } finally {
      client.release();
    }
  };
  return db;
}

const migrations = { migrationsFolder: fileURLToPath(new URL("migrations", import.meta.url)) };

/** drizzle takes no lock of its own, so two processes that start at once would collide. Throws a SettingsError where a later release made the database. */
async function migrateDatabase(pool: pg.Pool): Promise<void> {
  const client = await pool.connect();
  try {
    const db = drizzle(client);
    await db.execute(sql`select pg_advisory_lock(${migrationLock})`);
    await refuseLater(db);
    await migrate(db, migrations);
    await db.execute(sql`select pg_advisory_unlock(${migrationLock})`);
  } finally {
    client.release(true);
  }
}

/** drizzle would take it for its own, and then statements fail, or worse, do not. */
async function refuseLater(db: Database): Promise<void> {
  const { rows: tables } = await db.execute<{ name: string | null }>(sql`select to_regclass('drizzle.__drizzle_migrations')::text as name`);
  if (!tables[0]?.name) return;
  const { rows } = await db.execute<{ last: string | null }>(sql`select max(created_at)::text as last from drizzle.__drizzle_migrations`);
  const own = Math.max(...readMigrationFiles(migrations).map(({ folderMillis }) => folderMillis));
  if (Number(rows[0]?.last ?? 0) > own)
    throw new SettingsError("The database was made by a later release of Periscan. Start that one, or restore a backup of before its first start.");
}

/** The PostgreSQL error code behind a drizzle error, such as `23505`. */
export function sqlState(error: unknown): string | undefined {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  return cause instanceof Error && "code" in cause && typeof cause.code === "string" ? cause.code : undefined;
}
