import { Recording } from "@periscan/contract/recording.ts";
import type { KnownTargetLogin, RecordedLogin, TargetLogin } from "@periscan/contract/target.ts";
import type { Engine } from "@periscan/engines/kit/engine.ts";
import { sql } from "drizzle-orm";
import type { Secrets } from "../access/secrets.ts";
import type { Database, Transaction } from "../db/connect.ts";
import { isOneOf } from "../db/is-one-of.ts";
import { targetLogin } from "../db/schema.ts";

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
export async function loadLogins(tx: Transaction, secrets: Secrets, targetIds: string[]): Promise<Map<string, TargetLogin | RecordedLogin>> {
  if (targetIds.length === 0) return new Map();
  const rows = await tx.select().from(targetLogin).where(isOneOf(targetLogin.targetId, targetIds));
  return new Map(rows.map((row) => [row.targetId, decrypt(row, secrets)]));
}

function decrypt({ targetId, kind, name, value }: LoginRow, secrets: Secrets): TargetLogin | RecordedLogin {
  const secret = secrets.decrypt(value, targetId);
  return kind === "recording" ? { kind, name, recording: Recording.parse(JSON.parse(secret)) } : { kind, name, value: secret };
}

/** Why these targets cannot be scanned with their login, by the target's id. A scan that was to use it never goes on without it. */
export async function findTargetsWithoutLogin(
  tx: Transaction,
  { engine, secrets }: { engine: Engine; secrets: Secrets },
  targetIds: string[],
): Promise<Map<string, string>> {
  if (targetIds.length === 0) return new Map();
  if (!engine.usesLogin) return new Map(targetIds.map((id) => [id, `${engine.type} cannot use a login. Scan it without use_authentication.`]));
  const found = await tx.select().from(targetLogin).where(isOneOf(targetLogin.targetId, targetIds));
  const known = new Map(found.map((row) => [row.targetId, isReadable(row, secrets)]));
  const mend = (id: string) => `Set one with PUT /v1/targets/${id}/auth, or a recording with POST /v1/targets/${id}/auth/selenium.`;
  const why = (id: string) =>
    known.has(id) ? "The target's login cannot be read: the installation's secret-key is another one than it was set with." : "The target has no login.";
  return new Map(targetIds.filter((id) => !known.get(id)).map((id) => [id, `${why(id)} ${mend(id)}`]));
}

function isReadable(row: LoginRow, secrets: Secrets): boolean {
  try {
    decrypt(row, secrets);
    return true;
  } catch {
    return false;
  }
}
