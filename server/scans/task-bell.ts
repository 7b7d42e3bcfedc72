import { EventEmitter, once } from "node:events";

/** Wakes long polls of this process when a task is queued. Tasks that another server queued are found by looking once a second. */
export interface TaskBell {
  ring(): void;
  /** Resolves when rung, after a second at most, or when aborted. */
  wait(signal: AbortSignal): Promise<void>;
}

export function createTaskBell(): TaskBell {
  const emitter = new EventEmitter();
  emitter.setMaxListeners(0);
  return {
    ring: () => emitter.emit("ring"),
    wait: async (signal) => {
      const limit = AbortSignal.any([signal, AbortSignal.timeout(1000)]);
      await once(emitter, "ring", { signal: limit }).catch(() => {});
    },
  };
}
