import { is } from "drizzle-orm";
import { PgTransaction } from "drizzle-orm/pg-core";
import type { Database, Transaction } from "./connect.ts";

/** Reads that do not need each other, at once; in a transaction one after the other, for they share its connection. */
export async function readTogether<T extends unknown[]>(db: Database | Transaction, ...reads: { [K in keyof T]: () => Promise<T[K]> }): Promise<T> {
  if (!is(db, PgTransaction)) return Promise.all(reads.map((read) => read())) as Promise<T>;
  const answers: unknown[] = [];
  for (const read of reads) answers.push(await read());
  return answers as T;
}
