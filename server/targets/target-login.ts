import type { KnownTargetLogin, RecordedLogin, TargetLogin } from "@periscan/contract/target.ts";
import type { Engine } from "@periscan/engines/kit/engine.ts";
import { inArray, sql } from "drizzle-orm";
import type { Database, Transaction } from "../db/connect.ts";
import { targetLogin } from "../db/schema.ts";
import type { Secrets } from "../secrets.ts";

type LoginRow = typeof targetLogin.$inferSelect;

export const presentLogin = ({ kind, name, updatedAt }: LoginRow): KnownTargetLogin => ({ kind, name, updated_at: updatedAt.toISOString() });

/** Keeps the target's login, in the place of one that it had. */
export async function saveLogin(
  db: Database,
  secrets: Secrets,
  { targetId, login }: { targetId: string; login: TargetLogin | RecordedLogin },
): Promise<LoginRow> {
  const secret = login.kind === "recording" ? JSON.stringify(login.recording) : login.value;
  const row = { kind: login.kind, name: login.name, value: secrets.encrypt(secret, targetId), updatedAt: sql`now()` };
  const [saved] = await db
    .insert(targetLogin)
    .values({ targetId, ...row })
    .onConflictDoUpdate({ target: targetLogin.targetId, set: row })
    .returning();
  return saved as LoginRow;
}

/** The logins of these targets, by the target's id. */
export async function loadLogins(tx: Transaction, secrets: Secrets, targetIds: string[]): Promise<Map<string, TargetLogin>> {
  if (targetIds.length === 0) return new Map();
  const rows = await tx.select().from(targetLogin).where(inArray(targetLogin.targetId, targetIds));
  const sent = rows.flatMap(({ targetId, kind, name, value }) =>
    kind === "recording" ? [] : [{ targetId, kind, name, value: secrets.decrypt(value, targetId) }],
  );
  return new Map(sent.map(({ targetId, ...login }) => [targetId, login]));
}

/** Why these targets cannot be scanned with their login, by the target's id. A scan that was to use it never goes on without it. */
export async function findTargetsWithoutLogin(tx: Transaction, engine: Engine, targetIds: string[]): Promise<Map<string, string>> {
  if (targetIds.length === 0) return new Map();
  if (!engine.usesLogin) return new Map(targetIds.map((id) => [id, `${engine.type} cannot use a login. Scan it without use_authentication.`]));
  const found = await tx.select({ id: targetLogin.targetId, kind: targetLogin.kind }).from(targetLogin).where(inArray(targetLogin.targetId, targetIds));
  const kinds = new Map(found.map(({ id, kind }) => [id, kind]));
  const explain = (id: string): string | undefined => {
    if (!kinds.has(id)) return `The target has no login. Set one with PUT /v1/targets/${id}/auth.`;
    if (kinds.get(id) !== "recording") return undefined;
    return `The target's login is a recording, which ${engine.type} cannot replay. It can use a header or a cookie: set one with PUT /v1/targets/${id}/auth.`;
  };
  return new Map(targetIds.flatMap((id) => (explain(id) === undefined ? [] : [[id, explain(id) ?? ""]])));
}
