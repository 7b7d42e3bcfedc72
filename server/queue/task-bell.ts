import { EventEmitter, once } from "node:events";

/** Wakes long polls of this process when a task is queued. Tasks that another server queued are found by looking once a second. */
export interface TaskBell {
  ring(): void;
  /** How often it was rung. */
  readonly rings: number;
  /** Resolves when rung, after a second at most, or when aborted. */
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
      const limit = AbortSignal.any([signal, AbortSignal.timeout(1000)]);
      await once(emitter, "ring", { signal: limit }).catch(() => {});
    },
  };
}
