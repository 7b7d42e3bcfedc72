import { maxTargetsPerScan } from "@periscan/contract/scan.ts";
import { and, arrayOverlaps, eq, or, sql } from "drizzle-orm";
import { v7 as uuidv7 } from "uuid";
import type { Database, Transaction } from "../db/connect.ts";
import { isOneOf } from "../db/is-one-of.ts";
import { target } from "../db/schema.ts";
import { ApiError, notFound } from "../errors/api-error.ts";
import { checkTargetAllowance } from "../limits/workspace-limit.ts";
import { isId } from "../page.ts";

export type TargetRow = typeof target.$inferSelect;

/** The rows of these canonical texts, in their order; the unknown ones are made. Throws 400 where the workspace may not have so many. */
export async function ensureTargets(tx: Transaction, workspaceId: string, texts: string[]): Promise<TargetRow[]> {
  if (texts.length === 0) return [];
  // Sorted, so that two requests with the same new targets cannot wait for each other.
  const values = [...texts].sort().map((text) => ({ id: uuidv7(), target: text }));
  // One parameter for all of them: drizzle takes a second for three each of 4,096 rows, in which nobody else is answered.
  const made = await tx.execute(sql`
    insert into target (id, workspace_id, target)
    select id, ${workspaceId}, target from jsonb_to_recordset(${JSON.stringify(values)}::jsonb) as row(id uuid, target text) order by target
    on conflict do nothing`);
  if (made.rowCount) await checkTargetAllowance(tx, workspaceId);
  const rows = await tx
    .select()
    .from(target)
    .where(and(eq(target.workspaceId, workspaceId), sql`${target.target} = any(${sql.param(texts)}::text[])`));
  const byText = new Map(rows.map((row) => [row.target, row]));
  return texts.flatMap((text) => byText.get(text) ?? []);
}

/** The workspace's target with this id. Throws 404. */
export async function requireTarget(db: Database | Transaction, id: string, workspaceId: string): Promise<TargetRow> {
  const [row] = isId(id)
    ? await db
        .select()
        .from(target)
        .where(and(eq(target.id, id), eq(target.workspaceId, workspaceId)))
    : [];
  if (!row) throw notFound("target");
  return row;
}

interface NewRow {
  workspaceId: string;
  /** Canonical. */
  text: string;
  /** Gives a target that is there already the label and tags, instead of refusing it. */
  upsert: boolean;
  label?: string;
  tags?: string[];
}

/** Makes the row of a target. However many requests name one target at once, in whichever spelling, there is one row. Throws 409 with its id where it is there already. */
export async function addTarget(db: Database, { workspaceId, text, upsert, ...described }: NewRow): Promise<TargetRow> {
  const values = { id: uuidv7(), workspaceId, target: text, ...described };
  const key = [target.workspaceId, target.target];
  return db.transaction(async (tx) => {
    const insert = tx.insert(target).values(values);
    // The target set to itself, so that an upsert without label and tags gives the row back too.
    const set = { target: text, ...described };
    const [row] = await (upsert ? insert.onConflictDoUpdate({ target: key, set }) : insert.onConflictDoNothing({ target: key })).returning();
    if (!row) throw await describeExisting(tx, workspaceId, text);
    if (row.id === values.id) await checkTargetAllowance(tx, workspaceId);
    return row;
  });
}

async function describeExisting(tx: Transaction, workspaceId: string, text: string): Promise<ApiError> {
  const [row] = await tx
    .select({ id: target.id })
    .from(target)
    .where(and(eq(target.workspaceId, workspaceId), eq(target.target, text)));
  const name = row ? ` (id ${row.id})` : "";
  return new ApiError(409, "target.exists", `${text} is a target already${name}; use ?upsert to get it, and to change its label and tags.`, {
    field: "target",
  });
}

/**
 * The rows with these ids, and those with one of these tags. An id that is not the workspace's own is a 404 that names it; where the tags
 * alone are more than a scan may have, it throws 400 without loading them.
 */
export async function findRequestedTargets(tx: Transaction, workspaceId: string, wanted: { ids: string[]; tags: string[] }): Promise<TargetRow[]> {
  const ids = wanted.ids.filter(isId);
  const ours = eq(target.workspaceId, workspaceId);
  const byId =
    ids.length === 0
      ? []
      : await tx
          .select()
          .from(target)
          .where(and(ours, isOneOf(target.id, ids)));
  const known = new Map(byId.map((row) => [row.id, row]));
  const listed = wanted.ids.map((id, index) => {
    const row = known.get(id);
    if (!row) throw notFound("target", `target_ids[${index}]`);
    return row;
  });
  if (wanted.tags.length === 0) return listed;
  const isTagged = arrayOverlaps(target.tags, wanted.tags);
  const tagged = await tx
    .select()
    .from(target)
    .where(and(ours, isTagged))
    .orderBy(target.id)
    .limit(maxTargetsPerScan + 1);
  if (tagged.length > maxTargetsPerScan) throw describeTooMany(await tx.$count(target, and(ours, or(isTagged, isOneOf(target.id, ids)))));
  return [...listed, ...tagged];
}

/** What refuses a scan of so many targets. */
export const describeTooMany = (count: number): ApiError =>
  new ApiError(400, "request.invalid", `A scan has at most ${maxTargetsPerScan} targets; these are ${count}.`, { field: "targets" });
