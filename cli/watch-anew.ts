import { setTimeout as sleep } from "node:timers/promises";
import type { Client } from "@periscan/sdk/client.ts";
import { openSession } from "./session.ts";
import { watchInterrupts } from "./watch-interrupts.ts";

const pauseMilliseconds = 2000;

/** Reads and shows again and again, on a cleared screen where there is one, until Ctrl-C, which is no failure here, or until `show` answers that it was the last time. */
export async function watchAnew<T>(read: (client: Client) => Promise<T>, show: (value: T) => unknown): Promise<void> {
  const interrupted = watchInterrupts();
  const session = await openSession();
  try {
    while (!interrupted.aborted) {
      const value = await read(session.client);
      if (process.stdout.isTTY) process.stdout.write("\x1b[H\x1b[2J");
      if (show(value) === true) return;
      await sleep(pauseMilliseconds, undefined, { signal: interrupted }).catch(() => {});
    }
  } finally {
    await session.close();
  }
}
