import { createWriteStream } from "node:fs";
import { mkdir, rename, rm } from "node:fs/promises";
import { basename, dirname, resolve } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { ReadableStream as WebStream } from "node:stream/web";
import type { ResultContentType, Scan } from "@periscan/contract/scan.ts";
import type { Client } from "@periscan/sdk/client.ts";
import { UserError } from "./user-error.ts";

export const formats = {
  xml: "application/xml",
  json: "application/json",
  html: "text/html",
  pdf: "application/pdf",
} satisfies Record<string, ResultContentType>;

/** Downloads every file of an ended scan into the folder and answers their paths. */
export async function saveResults(client: Client, scan: Pick<Scan, "results">, folder: string): Promise<string[]> {
  const paths: string[] = [];
  for (const { result_id } of scan.results) paths.push(await saveResult(client, result_id, folder));
  return paths;
}

/** Downloads one file, under the name that the server gives it. */
export async function saveResult(client: Client, resultId: string, folder: string): Promise<string> {
  const { fileName, body } = await client.results.download(resultId);
  return saveFile(body, resolve(folder, basename(fileName)), "Name another folder: --output FOLDER. `periscan results get` fetches the files again.");
}

/** Writes a file, which appears whole or not at all, and answers its path. `mend` is for a person where it cannot be written. */
export async function saveFile(body: ReadableStream<Uint8Array>, path: string, mend: string): Promise<string> {
  const part = `${path}.part`;
  try {
    await mkdir(dirname(path), { recursive: true });
    await pipeline(Readable.fromWeb(body as WebStream), createWriteStream(part));
    await rename(part, path);
    return path;
  } catch (cause) {
    await rm(part, { force: true });
    if (!(cause instanceof Error && "syscall" in cause && "code" in cause)) throw cause;
    throw new UserError(`${path} cannot be written (${cause.code}). ${mend}`, { cause });
  }
}
