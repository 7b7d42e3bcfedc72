import { randomBytes } from "node:crypto";
import type { Ownership, OwnershipLook } from "@periscan/contract/ownership.ts";
import { parseTarget } from "@periscan/contract/target-syntax.ts";
import { and, eq, inArray, isNull, lt, or, sql } from "drizzle-orm";
import { v7 as uuidv7 } from "uuid";
import type { Database, Transaction } from "../db/connect.ts";
import { ownership } from "../db/schema.ts";
import { ApiError, notFound } from "../errors/api-error.ts";
import type { Services } from "../services.ts";
import type { OwnershipSettings } from "../settings/ownership-settings.ts";
import { coversSubdomains, listRoots } from "./list-roots.ts";
import { describeWays, lookForProof } from "./look-for-proof.ts";

export type OwnershipRow = typeof ownership.$inferSelect;

/** A root is looked at by one at a time, and not again within this, so that nobody is asked in a storm in our name. */
const pauseSeconds = 5;
const lookSeconds = 60;
const dayMilliseconds = 24 * 3600_000;
/** A proof that was not found for so long has lapsed. */
const lapseDays = 3;
/** Looked at again after this: where it was found, and where it was not. */
const againMilliseconds = { found: dayMilliseconds, missing: dayMilliseconds / 24 };

const rootsOf = (target: string): string[] => {
  const parsed = parseTarget(target);
  return parsed.ok && parsed.targets[0] ? listRoots(parsed.targets[0].host) : [];
};

interface Asked {
  workspaceId: string;
  /** Canonical. */
  target: string;
  /** The target's own host, or a domain above it. */
  root?: string | undefined;
}

/** The root that is meant. Throws 400 where a proof of it would not cover the target. */
function chooseRoot({ target, root }: Asked): string {
  const roots = rootsOf(target);
  const [own = ""] = roots;
  if (root === undefined) return own;
  const parsed = parseTarget(root);
  const wanted = parsed.ok ? parsed.targets[0]?.text : undefined;
  if (wanted !== undefined && roots.includes(wanted)) return wanted;
  throw new ApiError(400, "ownership.root_invalid", `root: a proof of it would not cover ${target}. It may be: ${roots.join(", ")}.`, { field: "root" });
}

/** Begins the proof of the target's root, or finds the one that was begun: its token stays the same. */
export async function beginOwnership(db: Database, asked: Asked): Promise<void> {
  const root = chooseRoot(asked);
  const token = randomBytes(24).toString("base64url");
  await db.insert(ownership).values({ id: uuidv7(), workspaceId: asked.workspaceId, root, token }).onConflictDoNothing();
}

/** What is known of a target's ownership: the nearest root that is proven, else the nearest that was begun. */
export async function describeOwnership(db: Database, settings: OwnershipSettings, asked: Asked): Promise<Ownership> {
  const roots = meantRoots(asked);
  const begun = await findBegun(db, asked.workspaceId, roots);
  const row = begun.find(({ state }) => state === "verified") ?? begun[0];
  if (row) return present(row, settings);
  const [root = ""] = roots;
  return { root, state: "unverified", required: settings.required, covers_subdomains: coversSubdomains(root) };
}

const meantRoots = (asked: Asked): string[] => (asked.root === undefined ? rootsOf(asked.target) : [chooseRoot(asked)]);

/** Those of the roots whose proof was begun, in their order: the nearest first. */
async function findBegun(db: Database, workspaceId: string, roots: string[]): Promise<OwnershipRow[]> {
  const rows = await loadRows(db, workspaceId, roots);
  return roots.flatMap((root) => rows.get(root) ?? []);
}

async function loadRows(db: Database | Transaction, workspaceId: string, roots: string[]): Promise<Map<string, OwnershipRow>> {
  const rows = await db
    .select()
    .from(ownership)
    .where(and(eq(ownership.workspaceId, workspaceId), inArray(ownership.root, roots)));
  return new Map(rows.map((row) => [row.root, row]));
}

function present(row: OwnershipRow, settings: OwnershipSettings): Ownership {
  return {
    root: row.root,
    state: row.state,
    required: settings.required,
    covers_subdomains: coversSubdomains(row.root),
    token: row.token,
    ways: describeWays(row.root, row.token, settings),
    ...(row.verifiedBy ? { verified_by: row.verifiedBy } : {}),
    ...(row.verifiedAt ? { verified_at: row.verifiedAt.toISOString() } : {}),
    ...(row.checkedAt ? { checked_at: row.checkedAt.toISOString(), looks: row.looks } : {}),
    ...(row.reason === null ? {} : { reason: row.reason }),
  };
}

/** Looks for the proof now. Throws 404 where it was not begun, 429 where somebody looks or has just looked. */
export async function verifyOwnership(services: Services, asked: Asked, now: Date): Promise<void> {
  const [row] = await findBegun(services.db, asked.workspaceId, meantRoots(asked));
  if (!row) throw notFound("ownership");
  const taken = await services.db
    .update(ownership)
    .set({ lookingUntil: new Date(now.getTime() + lookSeconds * 1000) })
    .where(
      and(
        eq(ownership.id, row.id),
        or(isNull(ownership.lookingUntil), lt(ownership.lookingUntil, now)),
        or(isNull(ownership.checkedAt), lt(ownership.checkedAt, new Date(now.getTime() - pauseSeconds * 1000))),
      ),
    )
    .returning();
  if (!taken[0]) throw new ApiError(429, "ownership.too_soon", `${row.root} was looked at a moment ago; try again in ${pauseSeconds} s.`);
  await lookAt(services, taken[0], now);
}

/** Whether a proof is due to be looked at again, and nobody looks. */
export const isProofDue = sql`exists (select 1 from ownership where next_look_at <= now() and (looking_until is null or looking_until < now()))`;

/** Looks at the roots whose proof is due to be looked at again. Answers how many. */
export async function recheckOwnerships(services: Services, now: Date, signal?: AbortSignal): Promise<number> {
  const due = services.db
    .select({ id: ownership.id })
    .from(ownership)
    .where(and(sql`next_look_at <= ${now.toISOString()}`, or(isNull(ownership.lookingUntil), lt(ownership.lookingUntil, now))))
    .orderBy(ownership.nextLookAt)
    .limit(8)
    .for("update", { skipLocked: true });
  const rows = await services.db
    .update(ownership)
    .set({ lookingUntil: new Date(now.getTime() + lookSeconds * 1000) })
    .where(inArray(ownership.id, due))
    .returning();
  await Promise.all(rows.map((row) => lookAt(services, row, now, signal)));
  return rows.length;
}

/** Whoever has set `lookingUntil` is the only one here. */
async function lookAt(services: Services, row: OwnershipRow, now: Date, signal?: AbortSignal): Promise<void> {
  const looks = await lookForProof(services, row, signal);
  await services.db
    .update(ownership)
    .set(judge(row, looks, now))
    .where(eq(ownership.id, row.id));
}

function judge(row: OwnershipRow, looks: OwnershipLook[], now: Date): Partial<OwnershipRow> {
  const seen = { looks, checkedAt: now, lookingUntil: null };
  const after = (milliseconds: number) => new Date(now.getTime() + milliseconds);
  const found = looks.find((each) => each.found);
  if (found) return { ...seen, state: "verified", verifiedBy: found.way, verifiedAt: now, reason: null, nextLookAt: after(againMilliseconds.found) };
  const summary = `The proof was found at none of ${looks.length} places. At ${looks[0]?.place}: ${looks[0]?.reason}`;
  const lapsesAt = (row.verifiedAt?.getTime() ?? 0) + lapseDays * dayMilliseconds;
  if (row.state === "verified" && now.getTime() < lapsesAt)
    return { ...seen, reason: `${summary} It lapses at ${new Date(lapsesAt).toISOString()}.`, nextLookAt: after(againMilliseconds.missing) };
  return { ...seen, state: "failed", reason: summary, nextLookAt: null };
}

interface Candidate {
  id: string;
  target: string;
}

/** Why these targets may not be scanned, by their ids: where the operator asks for a proof, those that are not proven. */
export async function findUnproven(tx: Transaction, settings: OwnershipSettings, workspaceId: string, targets: Candidate[]): Promise<Map<string, string>> {
  if (!settings.required || targets.length === 0) return new Map();
  const roots = new Map(targets.map(({ id, target }) => [id, rootsOf(target)]));
  const rows = await loadRows(tx, workspaceId, [...new Set([...roots.values()].flat())]);
  const isProven = (id: string) => (roots.get(id) ?? []).some((root) => rows.get(root)?.state === "verified");
  return new Map(targets.filter(({ id }) => !isProven(id)).map(({ id }) => [id, explain(id, roots.get(id)?.[0] ?? "")]));
}

const explain = (id: string, host: string): string =>
  `It is not proven that ${host} is yours, which this server asks for. Prove it with POST /v1/targets/${id}/ownership, or \`periscan targets verify ${id}\`.`;
