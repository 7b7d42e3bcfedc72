import { readdirSync, readFileSync } from "node:fs";

/** How well the worker itself kept up while it scanned. */
export interface Load {
  /** The longest time for which the worker's own loop, through which every connection goes, did not get on. */
  stoodStillSeconds: number;
  /** How long Nuclei's threads ran, and how long they were ready and waited for a processor. */
  ranSeconds: number;
  waitedSeconds: number;
}

const tickSeconds = 0.2;

export interface LoadMeter {
  /** Looks at the process once more; its threads count until they are gone. */
  look(pid: number): void;
  read(): Load;
  stop(): void;
}

/** Measures from now on until it is stopped. */
export function startLoadMeter(): LoadMeter {
  const threads = new Map<string, [ran: number, waited: number]>();
  let last = performance.now();
  let longest = 0;
  const note = () => {
    const now = performance.now();
    longest = Math.max(longest, (now - last) / 1000 - tickSeconds);
    last = now;
  };
  const ticking = setInterval(note, tickSeconds * 1000);
  const sum = (index: 0 | 1) => [...threads.values()].reduce((total, times) => total + times[index], 0);
  return {
    look: (pid) => {
      for (const [thread, times] of readThreads(pid)) threads.set(thread, times);
    },
    read: () => {
      note();
      return { stoodStillSeconds: Math.max(0, longest), ranSeconds: sum(0), waitedSeconds: sum(1) };
    },
    stop: () => clearInterval(ticking),
  };
}

/** By thread, the seconds that it ran and those that it waited (proc(5), /proc/PID/schedstat: nanoseconds); none where the system does not tell. */
export function readThreads(pid: number): [string, [ran: number, waited: number]][] {
  try {
    return readdirSync(`/proc/${pid}/task`).map((thread) => {
      const [ran = 0, waited = 0] = readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "utf8").split(" ").map(Number);
      return [`${pid} ${thread}`, [ran / 1e9, waited / 1e9]];
    });
  } catch {
    return [];
  }
}

/** A sentence where the worker was so late that an answer may have come in time, and counts as missing all the same; undefined where it kept up. */
export function describeOverload({ stoodStillSeconds, ranSeconds, waitedSeconds }: Load, timeoutSeconds: number): string | undefined {
  const facts = [
    ...(stoodStillSeconds >= timeoutSeconds / 2 ? [`stood still for ${stoodStillSeconds.toFixed(1)} s`] : []),
    ...(waitedSeconds >= timeoutSeconds / 2 && waitedSeconds > ranSeconds
      ? [`let Nuclei wait for a processor for ${waitedSeconds.toFixed(1)} s, which ran for ${ranSeconds.toFixed(1)} s`]
      : []),
  ];
  if (facts.length === 0) return undefined;
  return `The worker's machine had too much to do: it ${facts.join(", and ")}. So answers may be missing that the target gave. Scan again when it has less to do, or start the worker with fewer --slots.`;
}
