/** The pauses after each failed try, in seconds; the last try is made at the end of the twelve hours. */
const pausesSeconds = [5, 60, 300, 900, 1800, 3600, 7200, 14_400];
const limitSeconds = 12 * 3600;

/** Each pause is up to a fifth shorter or longer, so that what failed together is not tried together again. */
const jitter = 0.2;

interface Tried {
  /** So many tries have failed, at least one. */
  tries: number;
  firstTriedAt: Date;
  now: Date;
  /** From 0 to below 1. */
  random: number;
}

/** When a delivery is tried again after a failure; undefined once twelve hours have passed since its first try. */
export function findNextTry({ tries, firstTriedAt, now, random }: Tried): Date | undefined {
  const end = firstTriedAt.getTime() + limitSeconds * 1000;
  if (now.getTime() >= end) return undefined;
  const pause = pausesSeconds[tries - 1] ?? limitSeconds;
  return new Date(Math.min(end, now.getTime() + pause * (1 - jitter + 2 * jitter * random) * 1000));
}

/** From this many failed tries in a row on, a receiver is left alone for a while, whatever waits for it. */
export const pauseAfterFailures = 5;
const longestPauseSeconds = 300;

/** How long a receiver is left alone after so many failed tries in a row; then one delivery is tried. */
export function findReceiverPause({ failures, now, random }: { failures: number; now: Date; random: number }): Date | null {
  if (failures < pauseAfterFailures) return null;
  const pause = Math.min(longestPauseSeconds, 5 * 2 ** (failures - pauseAfterFailures));
  return new Date(now.getTime() + pause * (1 - jitter + 2 * jitter * random) * 1000);
}

/** What nobody has tried for so long, because the receiver never answered, is given up. */
export const giveUpAfterSeconds = limitSeconds;
