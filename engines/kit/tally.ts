/**
 * What became of the results that a file holds, for an import. Each result that the reader meets is counted once with `read`. It then becomes a detection
 * of its own, or is joined to another detection (`join`), or is left out with a reason (`leaveOut`). So
 * `results = detections + joined + left out` holds for every file, and a test holds every reader to it.
 */
export interface Tally {
  /** Counts results of the file: what its format calls a result, a hit, an alert, an open port. */
  read(count?: number): void;
  /** Counts results that another detection speaks for as well, such as a second sight of the same place. */
  join(count?: number): void;
  /** Counts results that do not become a detection. The reason is for a person, and the same for all results of its kind. */
  leaveOut(reason: string, count?: number): void;
  /** The counts so far. */
  counts(): TallyCounts;
}

export interface TallyCounts {
  results: number;
  joined: number;
  left_out: { reason: string; count: number }[];
}

/** More different reasons than this are counted together: a reason is a kind, and a file has few kinds. */
const mostReasons = 50;
const otherReasons = "for other reasons";

export function createTally(): Tally {
  let results = 0;
  let joined = 0;
  const leftOut = new Map<string, number>();
  return {
    read: (count = 1) => {
      results += count;
    },
    join: (count = 1) => {
      joined += count;
    },
    leaveOut: (reason, count = 1) => {
      const key = leftOut.has(reason) || leftOut.size < mostReasons ? reason : otherReasons;
      leftOut.set(key, (leftOut.get(key) ?? 0) + count);
    },
    counts: () => ({ results, joined, left_out: [...leftOut].map(([reason, count]) => ({ reason, count })) }),
  };
}
