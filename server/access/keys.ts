import { createHash, randomBytes } from "node:crypto";
import { and, desc, eq, isNull, lt, or, sql } from "drizzle-orm";
import { v7 as uuidv7 } from "uuid";
import { connect, type Database } from "../db/connect.ts";
import { apiKey, workerToken, workspace } from "../db/schema.ts";
import { SettingsError } from "../errors/settings-error.ts";
import { type KeyUse, takeRequest } from "./limit-requests.ts";
import { readNetworks } from "./networks.ts";

export interface KeyListing {
  id: string;
  kind: "api" | "worker";
  name: string;
  workspace?: string;
  /** Of a worker's token: where alone it may be used. */
  networks?: string[];
  prefix: string;
  created_at: string;
  last_used_at?: string;
  revoked_at?: string;
}

export interface Keys {
  /** Makes the workspace where it is new. The key is shown here once and kept only as a hash. */
  createApiKey(input: { name: string; workspace?: string }): Promise<{ id: string; key: string }>;
  /** For the worker of that name alone; with `networks`, only from there. */
  createWorkerToken(input: { name: string; networks?: string[] | undefined }): Promise<{ id: string; token: string }>;
  /** For the platform's own worker, which alone may scan loopback. */
  createEmbeddedToken(): Promise<{ id: string; token: string }>;
  /** Whether this API key is known and not revoked. */
  isLiveKey(key: string): Promise<boolean>;
  /** Whether this is the live token of a platform's own worker. */
  isEmbeddedToken(token: string): Promise<boolean>;
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
    createEmbeddedToken: () => insertWorkerToken(db, { name: embeddedWorker, isEmbedded: true }),
    isLiveKey: async (key) => (await useApiKey(db, hashSecret(key), 0)) !== undefined,
    isEmbeddedToken: async (token) => (await useWorkerToken(db, hashSecret(token)))?.isEmbedded === true,
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

/** What the platform's own worker is called, and no other. */
const embeddedWorker = "embedded worker";

async function createWorkerToken(db: Database, { name, networks }: { name: string; networks?: string[] | undefined }): Promise<{ id: string; token: string }> {
  if (name === embeddedWorker) throw new SettingsError(`${embeddedWorker} is what the platform's own worker is called: give another name.`);
  return insertWorkerToken(db, { name, networks: networks && readNetworks(networks) });
}

interface NewWorkerToken {
  name: string;
  networks?: string[] | undefined;
  isEmbedded?: boolean;
}

async function insertWorkerToken(db: Database, { name, networks = undefined, isEmbedded = false }: NewWorkerToken): Promise<{ id: string; token: string }> {
  const id = uuidv7();
  const token = `pw_${randomBytes(32).toString("base64url")}`;
  await db.insert(workerToken).values({ id, name, prefix: token.slice(0, 9), hash: hashSecret(token), networks: networks ?? null, isEmbedded });
  return { id, token };
}

async function listKeys(db: Database): Promise<KeyListing[]> {
  const keys = await db.select().from(apiKey).innerJoin(workspace, eq(workspace.id, apiKey.workspaceId)).orderBy(desc(apiKey.id));
  const tokens = await db.select().from(workerToken).orderBy(desc(workerToken.id));
  return [
    ...keys.map(({ api_key, workspace }) => present("api", api_key, { workspace: workspace.name })),
    ...tokens.map((token) => present("worker", token, token.networks ? { networks: token.networks } : {})),
  ];
}

type SecretRow = Omit<typeof workerToken.$inferSelect, "networks" | "isEmbedded">;

function present(kind: KeyListing["kind"], row: SecretRow, of: Pick<KeyListing, "workspace" | "networks">): KeyListing {
  return {
    id: row.id,
    kind,
    name: row.name,
    ...of,
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

/** The live worker token with this hash; undefined where there is none. */
export async function useWorkerToken(db: Database, hash: Buffer): Promise<typeof workerToken.$inferSelect | undefined> {
  const [row] = await db
    .select()
    .from(workerToken)
    .where(and(eq(workerToken.hash, hash), isNull(workerToken.revokedAt)));
  if (row) await noteUse(db, workerToken, row);
  return row;
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
