import { and, eq, gt, gte, isNull, lt, sql } from "drizzle-orm";
import type { Database, Transaction } from "../db/connect.ts";
import { delivery, deliveryAttempt, receiver } from "../db/schema.ts";
import { findNextTry, findReceiverPause, giveUpAfterSeconds, pauseAfterFailures } from "./retry-schedule.ts";
import type { Attempt, ReceiverRow } from "./try-delivery.ts";

export type DeliveryRow = typeof delivery.$inferSelect;

export interface Recorded {
  receiver: ReceiverRow;
  delivery: DeliveryRow;
  attempt: Attempt;
  startedAt: Date;
  durationMilliseconds: number;
  random: () => number;
}

/**
 * Writes down how a try went, and what follows from it for the delivery and its receiver. Answers the receiver's failed tries in a row; at least
 * `pauseAfterFailures` where it is gone for good.
 */
export async function recordAttempt(db: Database, recorded: Recorded): Promise<number> {
  const { attempt, startedAt: at, durationMilliseconds } = recorded;
  return db.transaction(async (tx) => {
    const lane = await lockReceiver(tx, recorded.receiver.id);
    const [known] = await tx.select().from(delivery).where(eq(delivery.id, recorded.delivery.id)).for("update");
    // What was deleted meanwhile has nothing to be written to.
    if (!lane || !known) return pauseAfterFailures;
    const { status = null, error = null, answer = null } = attempt;
    await tx.insert(deliveryAttempt).values({ deliveryId: known.id, at, durationMilliseconds, status, error, answer });
    return attempt.delivered ? recordSuccess(tx, { lane, known, at }) : recordFailure(tx, recorded, { lane, known });
  });
}

/** The receiver's row is the lock of its deliveries: whatever changes several of them takes it first, so none can wait in a circle. */
export async function lockReceiver(tx: Transaction, id: string): Promise<ReceiverRow | undefined> {
  const [row] = await tx.select().from(receiver).where(eq(receiver.id, id)).for("no key update");
  return row;
}

async function recordSuccess(tx: Transaction, { lane, known, at }: { lane: ReceiverRow; known: DeliveryRow; at: Date }): Promise<number> {
  await tx.update(delivery).set({ state: "DELIVERED", reason: null, endedAt: at }).where(eq(delivery.id, known.id));
  if (lane.failures === 0) return 0;
  await tx.update(receiver).set({ failures: 0, failingSince: null, pausedUntil: null }).where(eq(receiver.id, lane.id));
  // It is back: what waits out a pause because of the outage need not. What failed before it has a fault of its own.
  if (lane.failures >= pauseAfterFailures && lane.failingSince)
    await tx
      .update(delivery)
      .set({ nextAt: at })
      .where(and(eq(delivery.receiverId, lane.id), eq(delivery.state, "WAITING"), gt(delivery.nextAt, at), gte(delivery.firstTriedAt, lane.failingSince)));
  return 0;
}

async function recordFailure(tx: Transaction, { attempt, startedAt: now, random }: Recorded, { lane, known }: { lane: ReceiverRow; known: DeliveryRow }) {
  const firstTriedAt = known.firstTriedAt ?? now;
  const tries = known.tries + 1;
  const nextAt = attempt.gone ? undefined : findNextTry({ tries, firstTriedAt, now, random: random() });
  const ending = nextAt ? { nextAt } : { state: "FAILED" as const, endedAt: now };
  // One that ended meanwhile, because a person disabled the receiver or another server delivered it, stays as it is.
  if (known.state === "WAITING")
    await tx
      .update(delivery)
      .set({ tries, firstTriedAt, reason: null, ...ending })
      .where(eq(delivery.id, known.id));
  const failures = lane.failures + 1;
  const failingSince = lane.failingSince ?? now;
  await tx
    .update(receiver)
    .set({ failures, failingSince, pausedUntil: findReceiverPause({ failures, now, random: random() }) })
    .where(eq(receiver.id, lane.id));
  if (attempt.gone) await disableReceiver(tx, lane.id, { reason: "The receiver answered 410 Gone.", now });
  else await giveUpUntried(tx, { ...lane, failingSince }, now);
  return attempt.gone ? Math.max(failures, pauseAfterFailures) : failures;
}

/** A receiver that has not taken anything for twelve hours: what has waited behind that for as long is not kept waiting for ever. */
async function giveUpUntried(tx: Transaction, { id, failingSince }: ReceiverRow, now: Date): Promise<void> {
  const limit = new Date(now.getTime() - giveUpAfterSeconds * 1000);
  if (!failingSince || failingSince > limit) return;
  await tx
    .update(delivery)
    .set({ state: "FAILED", endedAt: now, reason: "Not tried: the receiver took nothing for twelve hours." })
    .where(and(eq(delivery.receiverId, id), eq(delivery.state, "WAITING"), isNull(delivery.firstTriedAt), lt(delivery.createdAt, limit)));
}

const disabledReason = (reason = "the receiver was disabled.") => `Not tried any more: ${reason}`;

/** Fails what a change that was under way while its receiver was disabled has left waiting for it. Answers how many. */
export async function failForDisabled(db: Database, now: Date): Promise<number> {
  const { rowCount } = await db
    .update(delivery)
    .set({ state: "FAILED", endedAt: now, reason: disabledReason() })
    .where(and(eq(delivery.state, "WAITING"), sql`${delivery.receiverId} in (select id from receiver where not enabled)`));
  return rowCount ?? 0;
}

/** Nothing more goes to it; what waits is failed and can be replayed once it is enabled. `reason` is absent where a person did it. */
export async function disableReceiver(tx: Transaction, id: string, { reason, now }: { reason?: string; now: Date }): Promise<void> {
  await tx
    .update(receiver)
    .set({ enabled: false, disabledReason: reason ?? null, pausedUntil: null })
    .where(eq(receiver.id, id));
  await tx
    .update(delivery)
    .set({ state: "FAILED", endedAt: now, reason: disabledReason(reason) })
    .where(and(eq(delivery.receiverId, id), eq(delivery.state, "WAITING")));
}
