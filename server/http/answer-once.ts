import { createHash } from "node:crypto";
import { and, eq, gt, lte, sql } from "drizzle-orm";
import type { FastifyReply, FastifyRequest } from "fastify";
import { z } from "zod";
import type { Database, Transaction } from "../db/connect.ts";
import { keptAnswer } from "../db/schema.ts";
import { ApiError } from "../errors/api-error.ts";

/** So long a key answers the same again. */
const keptHours = 24;

/** The headers of an operation that `answerOnce` answers; the others pass. */
export const OnceHeaders = z.looseObject({
  "idempotency-key": z
    .string()
    .max(255)
    .regex(/^[\x21-\x7e]+$/, "give 1 to 255 printable ASCII characters without blanks, such as a UUID")
    .optional()
    .describe(`Makes the request safe to repeat: for ${keptHours} hours the same key answers the same again, and nothing is done twice.`),
});

interface Asked {
  request: FastifyRequest;
  reply: FastifyReply;
  /** What was asked, as JSON has it; a file stands for itself by its hash. */
  of: unknown;
}

/**
 * Does what `make` does in one transaction and answers what it answers; once for each `Idempotency-Key` of the workspace, and then that answer again. A `make` that
 * throws leaves nothing, so the key is free. Throws 409 while another request with the key is under way, and 400 where the key was given with another request.
 */
export async function answerOnce<T>(db: Database, { request, reply, of }: Asked, make: (tx: Transaction) => Promise<T>): Promise<T> {
  const key = request.headers["idempotency-key"] as string | undefined;
  if (key === undefined) return db.transaction(make);
  const { workspaceId } = request;
  const requestHash = createHash("sha256")
    .update(`${request.method} ${request.routeOptions.url} ${JSON.stringify(of)}`)
    .digest();
  return db.transaction(async (tx) => {
    await lockKey(tx, reply, `${workspaceId} ${key}`);
    const [kept] = await tx
      .select()
      .from(keptAnswer)
      .where(and(eq(keptAnswer.workspaceId, workspaceId), eq(keptAnswer.key, key), gt(keptAnswer.createdAt, tooOld)));
    if (kept && !kept.requestHash.equals(requestHash))
      throw new ApiError(400, "idempotency.key_reused", "This Idempotency-Key was sent with another request; take a new one.", { field: "idempotency-key" });
    if (kept) {
      reply.header("idempotency-replayed", "true");
      return kept.answer as T;
    }
    const answer = await make(tx);
    const row = { requestHash, answer, createdAt: sql`now()` };
    await tx
      .insert(keptAnswer)
      .values({ workspaceId, key, ...row })
      .onConflictDoUpdate({ target: [keptAnswer.workspaceId, keptAnswer.key], set: row });
    return answer;
  });
}

/** Held until the transaction ends, however it ends: a server that dies leaves no key that is in progress for ever. */
async function lockKey(tx: Transaction, reply: FastifyReply, name: string): Promise<void> {
  const { rows } = await tx.execute<{ locked: boolean }>(sql`select pg_try_advisory_xact_lock(hashtextextended(${name}, 0)) as locked`);
  if (rows[0]?.locked) return;
  reply.header("retry-after", "1");
  throw new ApiError(409, "idempotency.in_progress", "A request with this Idempotency-Key is still under way; try again in a moment.", {
    field: "idempotency-key",
  });
}

const tooOld = sql`now() - make_interval(hours => ${keptHours})`;

/** Deletes the answers whose keys are old enough to be used anew. */
export async function forgetAnswers(db: Database): Promise<void> {
  await db.delete(keptAnswer).where(lte(keptAnswer.createdAt, tooOld));
}
