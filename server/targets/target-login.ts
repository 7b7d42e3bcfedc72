import type { TargetLogin } from "@periscan/contract/target.ts";
import { inArray } from "drizzle-orm";
import type { Database, Transaction } from "../db/connect.ts";
import { targetLogin } from "../db/schema.ts";
import type { Secrets } from "../secrets.ts";

/** Keeps the target's login, in the place of one that it had. */
export async function saveLogin(db: Database, secrets: Secrets, { targetId, login }: { targetId: string; login: TargetLogin }): Promise<void> {
  const row = { kind: login.kind, name: login.name, value: secrets.encrypt(login.value, targetId) };
  await db
    .insert(targetLogin)
    .values({ targetId, ...row })
    .onConflictDoUpdate({ target: targetLogin.targetId, set: row });
}

/** The logins of these targets, by the target's id. */
export async function loadLogins(tx: Transaction, secrets: Secrets, targetIds: string[]): Promise<Map<string, TargetLogin>> {
  if (targetIds.length === 0) return new Map();
  const rows = await tx.select().from(targetLogin).where(inArray(targetLogin.targetId, targetIds));
  return new Map(rows.map(({ targetId, kind, name, value }) => [targetId, { kind, name, value: secrets.decrypt(value, targetId) }]));
}

/** Why these targets cannot be scanned with their login, by the target's id. A scan that was to use it never goes on without it. */
export async function findTargetsWithoutLogin(tx: Transaction, targetIds: string[]): Promise<Map<string, string>> {
  if (targetIds.length === 0) return new Map();
  const found = await tx.select({ id: targetLogin.targetId }).from(targetLogin).where(inArray(targetLogin.targetId, targetIds));
  const known = new Set(found.map(({ id }) => id));
  return new Map(targetIds.filter((id) => !known.has(id)).map((id) => [id, `The target has no login. Set one with PUT /v1/targets/${id}/auth.`]));
}
