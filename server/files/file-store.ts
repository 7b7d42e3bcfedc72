import { randomUUID } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { glob, mkdir, open, readdir, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { ApiError } from "../errors/api-error.ts";

/** Files of scans below one folder. A name is made of our own ids, so that it never holds what a client sent. */
export interface FileStore {
  /** Whole or not at all, and on the disk when it resolves. A full disk is an ApiError 507. */
  write(name: string, content: AsyncIterable<Uint8Array | string> | Readable): Promise<void>;
  /** Whole, or from `start` to `end`, both included. */
  read(name: string, range?: { start: number; end: number }): Readable;
  /** Size in bytes, or undefined where there is no such file. */
  size(name: string): Promise<number | undefined>;
  /** The files right in a folder, those of writes under way or cut off among them. */
  list(name: string): Promise<{ name: string; changedAt: Date }[]>;
  /** Removes what writes left of files of scans and reports whose process was killed: nobody has written to it since then. Answers how many it removed. */
  sweepParts(before: Date): Promise<number>;
  /** A file or a folder; nothing happens where there is none. */
  remove(name: string): Promise<void>;
}

export function createFileStore(folder: string): FileStore {
  const path = (name: string) => join(folder, name);
  return {
    write: (name, content) => writeWhole(path(name), content),
    read: (name, range = { start: 0, end: Number.POSITIVE_INFINITY }) => createReadStream(path(name), range),
    size: async (name) => (await unlessMissing(stat(path(name))))?.size,
    list: (name) => listFiles(folder, name),
    sweepParts: (before) => sweepParts(folder, before),
    remove: (name) => rm(path(name), { recursive: true, force: true }),
  };
}

async function listFiles(folder: string, name: string): Promise<{ name: string; changedAt: Date }[]> {
  const entries = (await unlessMissing(readdir(join(folder, name)))) ?? [];
  const found = await Promise.all(
    entries.map(async (entry) => {
      const facts = await unlessMissing(stat(join(folder, name, entry)));
      return facts?.isFile() ? [{ name: `${name}/${entry}`, changedAt: facts.mtime }] : [];
    }),
  );
  return found.flat();
}

async function sweepParts(folder: string, before: Date): Promise<number> {
  let removed = 0;
  for await (const name of glob("{results,reports,native}/*/*.part", { cwd: folder })) {
    const facts = await unlessMissing(stat(join(folder, name)));
    if (!facts || facts.mtime >= before) continue;
    await rm(join(folder, name), { force: true });
    removed += 1;
  }
  return removed;
}

const unlessMissing = <T>(looking: Promise<T>): Promise<T | undefined> =>
  looking.catch((error) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });

async function writeWhole(path: string, content: AsyncIterable<Uint8Array | string> | Readable): Promise<void> {
  const fresh = `${path}.${randomUUID()}.part`;
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    await pipeline(content, createWriteStream(fresh, { mode: 0o600, flush: true }));
    await rename(fresh, path);
    await flushFolder(dirname(path));
  } catch (error) {
    await rm(fresh, { force: true });
    if (isFull(error)) throw new ApiError(507, "storage.full", "The server's disk is full: free space in its data folder, then try again.", { cause: error });
    throw error;
  }
}

/** Without it a power cut can lose the rename. */
async function flushFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

const isFull = (error: unknown) => error instanceof Error && "code" in error && (error.code === "ENOSPC" || error.code === "EDQUOT");
