import { closeSync, fstatSync, openSync, statSync } from "node:fs";

export interface BuildHolds {
  /** Keeps the folder open, so that no install takes it for one that nobody uses. Does nothing where it is not there, or cannot be opened. */
  hold(folder: string): void;
  release(): void;
}

/** The engines' builds that a worker may start at any moment: an install of a newer version looks for who has an older one open. */
export function createBuildHolds(): BuildHolds {
  const held = new Map<string, number>();
  return {
    hold(folder) {
      const before = held.get(folder);
      try {
        // One that was removed and installed anew is another folder.
        if (before !== undefined && fstatSync(before).ino === statSync(folder).ino) return;
        held.set(folder, openSync(folder, "r"));
        if (before !== undefined) closeSync(before);
      } catch {
        // The engine's own probe says what is missing.
      }
    },
    release() {
      for (const fd of held.values()) closeSync(fd);
      held.clear();
    },
  };
}
