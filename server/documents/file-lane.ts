import { setTimeout as sleep } from "node:timers/promises";
import type { Job, PgBoss } from "pg-boss";
import type { Logger } from "pino";
import type { FileJob } from "../queue/file-job.ts";
import { type FileQueue, retryLimit } from "../queue/start-queue.ts";
import type { FileMaker } from "./file-maker.ts";

interface Lane {
  boss: PgBoss;
  log: Logger;
  queue: FileQueue;
  maker: FileMaker;
  /** After the last try. */
  fail(job: FileJob): Promise<void>;
}

/** How long the lane rests where it found nothing: longer each time, so that a server that waits costs little. */
const restMilliseconds = { first: 200, longest: 1000 };
const touchMilliseconds = 3000;
/** What is being made when the server stops has so long to be done; then it is made by another server, or after the start. */
const stopMilliseconds = 3000;

/**
 * Makes the files of one queue, one at a time, until the answer is called. Workspaces take turns: none is served again while another waits that was not served
 * since, so one with a thousand files to be made and one with a single file alternate.
 */
export function startFileLane(lane: Lane): () => Promise<void> {
  const stopping = new AbortController();
  const turns = createTurns(lane);
  const run = async () => {
    for (let rest = restMilliseconds.first; !stopping.signal.aborted; ) {
      try {
        const job = await turns.next();
        if (job) await makeFiles(lane, job, stopping.signal);
        else await sleep(rest);
        rest = job ? restMilliseconds.first : Math.min(rest * 1.5, restMilliseconds.longest);
      } catch (error) {
        lane.log.warn({ err: error, queue: lane.queue }, "the queue of files cannot be reached; it is looked at again in a second");
        await sleep(1000);
      }
    }
  };
  const running = run();
  return async () => {
    stopping.abort();
    await Promise.race([running, sleep(stopMilliseconds)]);
    await lane.maker.stop();
    await running;
  };
}

/** The jobs of a queue, workspace by workspace: those that were served in this round are passed over until none else waits. */
function createTurns({ boss, queue }: Lane): { next(): Promise<Job<FileJob> | undefined> } {
  const served = new Set<string>();
  const take = async () => (await boss.fetch<FileJob>(queue, { ignoreGroups: [...served] }))[0];
  return {
    next: async () => {
      let job = await take();
      if (!job && served.size > 0) {
        served.clear();
        job = await take();
      }
      if (job) served.add(job.data.workspaceId);
      return job;
    },
  };
}

async function makeFiles({ boss, log, queue, maker, fail }: Lane, job: Job<FileJob>, stopping: AbortSignal): Promise<void> {
  const { kind, ofId } = job.data;
  // Without it another server takes the job for lost after ten seconds.
  const touching = setInterval(() => boss.touch(queue, job).catch(() => {}), touchMilliseconds);
  try {
    await maker.make(kind, ofId);
  } catch (error) {
    const last = job.retryCount >= retryLimit && !stopping.aborted;
    log.error({ err: error, queue, job: job.data, last }, "a file could not be made");
    if (last) await fail(job.data);
    await boss.fail(queue, job, error as Error);
    return;
  } finally {
    clearInterval(touching);
  }
  await boss.complete(queue, job);
}
