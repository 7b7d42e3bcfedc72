import { closeSync, fstatSync, openSync, statSync } from "node:fs";

export interface BuildHolds {
  /** Keeps the folder open, so that no install takes it for one that nobody uses. Does nothing where it is not there. */
  hold(folder: string): void;
  release(): void;
}

/** The engines' builds that a worker may start at any moment: an install of a newer version looks for who has an older one open. */
export function createBuildHolds(): BuildHolds {
  const held = new Map<string, number>();
  return {
    hold(folder) {
      const inode = statSync(folder, { throwIfNoEntry: false })?.ino;
      const before = held.get(folder);
      // One that was removed and installed anew is another folder.
      if (inode === undefined || (before !== undefined && fstatSync(before).ino === inode)) return;
      if (before !== undefined) closeSync(before);
      held.set(folder, openSync(folder, "r"));
    },
    release() {
      for (const fd of held.values()) closeSync(fd);
      held.clear();
    },
  };
}
