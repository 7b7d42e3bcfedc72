import { eq, sql } from "drizzle-orm";
import { receiver } from "../db/schema.ts";
import { ApiError } from "../errors/api-error.ts";
import type { Services } from "../services.ts";
import { encryptSecret, makeSigningSecret } from "./receiver-secrets.ts";
import { findReceiver, type Owned } from "./receivers.ts";
import { lockReceiver } from "./record-attempt.ts";
import type { ReceiverRow } from "./try-delivery.ts";

/**
 * Gives a webhook a new signing secret; the old one signs too for `overlapSeconds`. Throws 404, and 409 while an earlier rotation lasts, because
 * its receiver may know only the oldest secret; an overlap of 0 ends that one as well.
 */
export async function rotateSecret({ db, secrets }: Services, owned: Owned, overlapSeconds: number): Promise<{ row: ReceiverRow; secret: string }> {
  const secret = makeSigningSecret();
  return db.transaction(async (tx) => {
    await findReceiver(tx, owned);
    const known = await lockReceiver(tx, owned.id);
    if (overlapSeconds > 0 && known?.previousSecretUntil && known.previousSecretUntil > new Date())
      throw new ApiError(
        409,
        "webhook.rotating",
        `A rotation lasts until ${known.previousSecretUntil.toISOString()}: end it first (DELETE /v1/webhooks/${owned.id}/previous-secret).`,
      );
    const previous =
      overlapSeconds === 0
        ? { previousSecret: null, previousSecretUntil: null }
        : { previousSecret: known?.secret ?? null, previousSecretUntil: new Date(Date.now() + overlapSeconds * 1000) };
    const change = { secret: encryptSecret(secrets, owned.id, secret), ...previous, updatedAt: sql`now()` };
    const [row] = await tx.update(receiver).set(change).where(eq(receiver.id, owned.id)).returning();
    if (!row) throw new Error("the webhook vanished under its lock");
    return { row, secret };
  });
}
