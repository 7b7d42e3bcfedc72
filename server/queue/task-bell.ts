import { EventEmitter, once } from "node:events";

/** Wakes the long polls of this process when a task may be taken. The server's upkeep rings it for tasks that another server queued. */
export interface TaskBell {
  ring(): void;
  /** How often it was rung. */
  readonly rings: number;
  /** Resolves when rung, or when aborted. */
  wait(signal: AbortSignal): Promise<void>;
}

export function createTaskBell(): TaskBell {
  const emitter = new EventEmitter();
  emitter.setMaxListeners(0);
  let rings = 0;
  return {
    ring: () => {
      rings += 1;
      emitter.emit("ring");
    },
    get rings() {
      return rings;
    },
    wait: async (signal) => {
      await once(emitter, "ring", { signal }).catch(() => {});
    },
  };
}
