import { createHash, randomBytes } from "node:crypto";
import { and, desc, eq, isNull, lt, or, sql } from "drizzle-orm";
import { v7 as uuidv7 } from "uuid";
import { connect, type Database } from "./db/connect.ts";
import { apiKey, workerToken, workspace } from "./db/schema.ts";
import { type KeyUse, takeRequest } from "./limits/limit-requests.ts";

export interface KeyListing {
  id: string;
  kind: "api" | "worker";
  name: string;
  workspace?: string;
  prefix: string;
  created_at: string;
  last_used_at?: string;
  revoked_at?: string;
}

export interface Keys {
  /** Makes the workspace where it is new. The key is shown here once and kept only as a hash. */
  createApiKey(input: { name: string; workspace?: string }): Promise<{ id: string; key: string }>;
  createWorkerToken(input: { name: string }): Promise<{ id: string; token: string }>;
  /** Whether this API key or worker token is known and not revoked. */
  isLive(secret: string): Promise<boolean>;
  list(): Promise<KeyListing[]>;
  /** False where there is no such key, or it was revoked before. */
  revoke(id: string): Promise<boolean>;
  close(): Promise<void>;
}

/** The keys of an installation, for the operator who holds its database. */
export async function openKeys(databaseUrl: string): Promise<Keys> {
  const { db, close } = await connect(databaseUrl, () => {});
  return {
    createApiKey: (input) => createApiKey(db, input),
    createWorkerToken: (input) => createWorkerToken(db, input),
    isLive: async (secret) => {
      const hash = hashSecret(secret);
      return (await useApiKey(db, hash, 0)) !== undefined || (await isWorkerToken(db, hash));
    },
    list: () => listKeys(db),
    revoke: (id) => revokeKey(db, id),
    close,
  };
}

async function createApiKey(db: Database, input: { name: string; workspace?: string }): Promise<{ id: string; key: string }> {
  const id = uuidv7();
  const key = `ps_${randomBytes(32).toString("base64url")}`;
  const workspaceId = await findOrCreateWorkspace(db, input.workspace ?? "default");
  await db.insert(apiKey).values({ id, workspaceId, name: input.name, prefix: key.slice(0, 9), hash: hashSecret(key) });
  return { id, key };
}

async function findOrCreateWorkspace(db: Database, name: string): Promise<string> {
  const [row] = await db
    .insert(workspace)
    .values({ id: uuidv7(), name })
    .onConflictDoUpdate({ target: workspace.name, set: { name } })
    .returning({ id: workspace.id });
  if (!row) throw new Error(`no workspace ${name}`);
  return row.id;
}

async function createWorkerToken(db: Database, input: { name: string }): Promise<{ id: string; token: string }> {
  const id = uuidv7();
  const token = `pw_${randomBytes(32).toString("base64url")}`;
  await db.insert(workerToken).values({ id, name: input.name, prefix: token.slice(0, 9), hash: hashSecret(token) });
  return { id, token };
}

async function listKeys(db: Database): Promise<KeyListing[]> {
  const keys = await db.select().from(apiKey).innerJoin(workspace, eq(workspace.id, apiKey.workspaceId)).orderBy(desc(apiKey.id));
  const tokens = await db.select().from(workerToken).orderBy(desc(workerToken.id));
  return [...keys.map(({ api_key, workspace }) => present("api", api_key, workspace.name)), ...tokens.map((token) => present("worker", token))];
}

function present(kind: KeyListing["kind"], row: typeof workerToken.$inferSelect, workspaceName?: string): KeyListing {
  return {
    id: row.id,
    kind,
    name: row.name,
    ...(workspaceName === undefined ? {} : { workspace: workspaceName }),
    prefix: row.prefix,
    created_at: row.createdAt.toISOString(),
    ...(row.lastUsedAt ? { last_used_at: row.lastUsedAt.toISOString() } : {}),
    ...(row.revokedAt ? { revoked_at: row.revokedAt.toISOString() } : {}),
  };
}

async function revokeKey(db: Database, id: string): Promise<boolean> {
  for (const table of [apiKey, workerToken]) {
    const rows = await db
      .update(table)
      .set({ revokedAt: sql`now()` })
      .where(and(eq(sql`${table.id}::text`, id), isNull(table.revokedAt)))
      .returning({ id: table.id });
    if (rows.length > 0) return true;
  }
  return false;
}

/** The live API key with this hash, and what its workspace's limit leaves it; undefined where there is none. */
export async function useApiKey(db: Database, hash: Buffer, requestsPerMinute: number): Promise<KeyUse | undefined> {
  const use = await takeRequest(db, hash, requestsPerMinute);
  if (use) await noteUse(db, apiKey, use);
  return use;
}

/** Whether this is a live worker token. */
export async function isWorkerToken(db: Database, hash: Buffer): Promise<boolean> {
  const [row] = await db
    .select({ id: workerToken.id, lastUsedAt: workerToken.lastUsedAt })
    .from(workerToken)
    .where(and(eq(workerToken.hash, hash), isNull(workerToken.revokedAt)));
  if (row) await noteUse(db, workerToken, row);
  return row !== undefined;
}

/** Once a minute at most: a write for each request would cost more than it tells. */
async function noteUse(db: Database, table: typeof apiKey | typeof workerToken, row: { id: string; lastUsedAt: Date | null }): Promise<void> {
  if (row.lastUsedAt && Date.now() - row.lastUsedAt.getTime() < 60_000) return;
  const stale = or(isNull(table.lastUsedAt), lt(table.lastUsedAt, sql`now() - interval '1 minute'`));
  await db
    .update(table)
    .set({ lastUsedAt: sql`now()` })
    .where(and(eq(table.id, row.id), stale));
}

/** Plain SHA-256 suffices: the secret is 256 random bits, so there is nothing to guess. */
export const hashSecret = (secret: string): Buffer => createHash("sha256").update(secret).digest();
