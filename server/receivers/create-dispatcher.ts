import { and, asc, eq, lte, sql } from "drizzle-orm";
import { delivery, event, receiver } from "../db/schema.ts";

import { countAttempt } from "../http/metrics.ts";
import { takeMails } from "../limits/quotas.ts";

import type { Services } from "../services.ts";
import { recordAttempt } from "./record-attempt.ts";
import { pauseAfterFailures } from "./retry-schedule.ts";
import { countMails, type ReceiverRow, tryDelivery } from "./try-delivery.ts";

/** Receivers that one server serves at once, and deliveries of one receiver that are under way at once. */
const maxLanes = 256;
const maxTriesOfLane = 8;
const batchSize = 50;

/** A lane starts no try after so long; each takes 15 s at most (a mail 30 s), so that it ends within its lease. */
const laneSeconds = 25;
const leaseSeconds = 60;

export interface DispatcherSettings {
  /** What time it is. */
  clock?: () => Date;
  /** From 0 to below 1; spreads retries. */
  random?: () => number;
}

export interface Dispatcher {
  /** Takes the receivers for which something is due and that no server serves, and delivers to them in the background. Answers how many it took. */
  takeDue(): Promise<number>;
  /** The same until nothing is due and all of it has ended. */
  runDue(): Promise<void>;
  /** Ends what is under way; it stays waiting. */
  stop(): Promise<void>;
}

/**
 * Delivers what waits in the outbox. Each receiver is a lane of its own, held by one server at a time with a lease: a slow or dead one keeps
 * nobody waiting but itself, and a server that dies loses nothing, because what it had not recorded is tried again.
 */
export function createDispatcher(services: Services, { clock = () => new Date(), random = Math.random }: DispatcherSettings = {}): Dispatcher {
  const lanes = new Set<Promise<void>>();
  const stopping = new AbortController();

  async function takeDue(): Promise<number> {
    if (stopping.signal.aborted || lanes.size >= maxLanes) return 0;
    const taken = await leaseReceivers(services, clock(), maxLanes - lanes.size);
    for (const row of taken) {
      const lane = runLane({ services, clock, random, signal: stopping.signal }, row)
        .catch((error) => services.log.warn({ err: error, receiverId: row.id }, "deliveries failed; they are tried again"))
        .finally(() => lanes.delete(lane));
      lanes.add(lane);
    }
    return taken.length;
  }

  return {
    takeDue,
    runDue: async () => {
      while ((await takeDue()) > 0 || lanes.size > 0) await Promise.all(lanes);
    },
    stop: async () => {
      stopping.abort(new Error("the server stops"));
      await Promise.all(lanes);
    },
  };
}

/** Whether something is due for a receiver that no server serves. */
export const isDeliveryDue = sql`exists (
  select 1 from receiver where enabled and coalesce(lease_until <= now(), true) and coalesce(paused_until <= now(), true)
    and exists (select 1 from delivery where delivery.receiver_id = receiver.id and delivery.state = 'WAITING' and delivery.next_at <= now()))`;

/** The longest unserved first, so that no crowd of receivers keeps another one out. */
async function leaseReceivers({ db }: Services, now: Date, limit: number): Promise<ReceiverRow[]> {
  const instant = sql`${now.toISOString()}::timestamptz`;
  const due = db
    .select({ id: receiver.id })
    .from(receiver)
    .where(
      sql`${receiver.enabled} and coalesce(${receiver.leaseUntil} <= ${instant}, true) and coalesce(${receiver.pausedUntil} <= ${instant}, true)
        and exists (select 1 from ${delivery} where ${delivery.receiverId} = ${receiver.id} and ${delivery.state} = 'WAITING' and ${delivery.nextAt} <= ${instant})`,
    )
    .orderBy(sql`${receiver.servedAt} nulls first`)
    .limit(limit)
    .for("no key update", { skipLocked: true });
  return db
    .update(receiver)
    .set({ leaseUntil: sql`${instant} + make_interval(secs => ${leaseSeconds})`, servedAt: now })
    .where(sql`${receiver.id} in (${due})`)
    .returning();
}

interface LaneContext {
  services: Services;
  clock: () => Date;
  random: () => number;
  signal: AbortSignal;
}

/** Serves one receiver: what is due, in the order of events and retries after them, until nothing is, the receiver is failing, or its time is over. */
async function runLane(context: LaneContext, leased: ReceiverRow): Promise<void> {
  const { db } = context.services;
  const until = performance.now() + laneSeconds * 1000;
  let { failures } = leased;
  const mayGoOn = () => failures < pauseAfterFailures && performance.now() < until && !context.signal.aborted;
  try {
    do {
      const isProbing = failures >= pauseAfterFailures;
      const due = await (isProbing ? findProbes : findDue)(context, leased.id);
      if (due.length === 0) return;
      await runInOrder(due, async (each) => {
        const lane = await findLane(context, each);
        if (lane) failures = await deliver(context, lane, each);
        return isProbing || mayGoOn();
      });
    } while (mayGoOn());
  } finally {
    await db.update(receiver).set({ leaseUntil: null }).where(eq(receiver.id, leased.id));
  }
}

type Due = Awaited<ReturnType<typeof findDue>>[number];

const dueColumns = { delivery, type: event.type, subjectId: event.subjectId, body: event.body };

const isDue = ({ clock }: LaneContext, receiverId: string) =>
  and(eq(delivery.receiverId, receiverId), eq(delivery.state, "WAITING"), lte(delivery.nextAt, clock()), receiver.enabled);

/** What was tried least first: events that a receiver refuses do not stand before those that it never saw. */
const findDue = (context: LaneContext, receiverId: string) =>
  context.services.db
    .select(dueColumns)
    .from(delivery)
    .innerJoin(event, eq(event.id, delivery.eventId))
    .innerJoin(receiver, eq(receiver.id, delivery.receiverId))
    .where(isDue(context, receiverId))
    .orderBy(asc(delivery.tries), asc(delivery.sequence))
    .limit(batchSize);

/**
 * What a receiver that has been failing is asked with, whether it is back: one delivery of each type, the one that was tried least. It may refuse one type, or one event, and
 * take all others: these do not wait behind that.
 */
const findProbes = (context: LaneContext, receiverId: string) =>
  context.services.db
    .selectDistinctOn([event.type], dueColumns)
    .from(delivery)
    .innerJoin(event, eq(event.id, delivery.eventId))
    .innerJoin(receiver, eq(receiver.id, delivery.receiverId))
    .where(isDue(context, receiverId))
    .orderBy(event.type, asc(delivery.tries), asc(delivery.sequence));

/** The receiver as it is at this try: it may have been disabled, moved, or given another secret. Undefined where the delivery is not to be made any more. */
async function findLane({ services: { db } }: LaneContext, { delivery: { id } }: Due): Promise<ReceiverRow | undefined> {
  const [found] = await db
    .select({ receiver })
    .from(delivery)
    .innerJoin(receiver, eq(receiver.id, delivery.receiverId))
    .where(and(eq(delivery.id, id), eq(delivery.state, "WAITING"), receiver.enabled));
  return found?.receiver;
}

/** Events of one scan or risk one after the other, those of different ones side by side. Starts no more once `run` answers false. */
async function runInOrder(due: Due[], run: (each: Due) => Promise<boolean>): Promise<void> {
  const subjects = [...Map.groupBy(due, ({ subjectId, delivery: { id } }) => subjectId ?? id).values()];
  let goOn = true;
  const work = async () => {
    for (let subject = subjects.shift(); subject && goOn; subject = subjects.shift())
      for (const each of subject) {
        if (!goOn) return;
        if (!(await run(each))) goOn = false;
      }
  };
  await Promise.all(Array.from({ length: maxTriesOfLane }, work));
}

/** It is no try, and says nothing of the receiver: its workspace has no mail left for now. */
async function postpone(db: Services["db"], { lane, row, nextAt }: { lane: ReceiverRow; row: Due["delivery"]; nextAt: Date }): Promise<number> {
  await db
    .update(delivery)
    .set({ nextAt, reason: "The workspace's mails of this hour are used up: this one waits until there is room." })
    .where(and(eq(delivery.id, row.id), eq(delivery.state, "WAITING")));
  return lane.failures;
}

/** Answers the receiver's failed tries in a row. A try that the server's stop cut short does not count. */
async function deliver({ services, clock, random, signal }: LaneContext, lane: ReceiverRow, { delivery: row, type, body }: Due): Promise<number> {
  const startedAt = clock();
  const mails = countMails(services, lane);
  const wait = mails === 0 ? 0 : await takeMails(services.db, lane.workspaceId, { mails, now: startedAt });
  if (wait > 0) return postpone(services.db, { lane, row, nextAt: new Date(startedAt.getTime() + wait * 1000) });
  const begun = performance.now();
  const attempt = await tryDelivery(services, lane, { eventType: type, body }, { now: startedAt, signal });
  if (signal.aborted && !attempt.delivered) return 0;
  countAttempt(lane.kind, attempt.delivered);
  const durationMilliseconds = Math.round(performance.now() - begun);
  return recordAttempt(services.db, { receiver: lane, delivery: row, attempt, startedAt, durationMilliseconds, random });
}
