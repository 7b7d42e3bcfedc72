import { join } from "node:path";
import { ensureDataFolder } from "./data-folder.ts";
import { explainDatabase } from "./explain-database.ts";
import { findRuntime, takeRuntime } from "./runtime-file.ts";
import { untilInterrupted, watchInterrupts } from "./watch-interrupts.ts";

/** Runs `action` on the installation's database: DATABASE_URL, else the embedded one, which is started for it where it does not run. */
export async function withDatabase<T>(action: (databaseUrl: string) => Promise<T>): Promise<T> {
  if (process.env.DATABASE_URL)
    return action(process.env.DATABASE_URL).catch((cause) => {
      throw explainDatabase(cause);
    });
  const dataFolder = ensureDataFolder();
  const options = { folder: join(dataFolder, "postgres") };
  const { startEmbeddedPostgres } = await import("@periscan/server/db/embedded-postgres.ts");
  if (findRuntime(dataFolder)) return action((await startEmbeddedPostgres(options)).url);
  const interrupted = watchInterrupts();
  const runtime = takeRuntime(dataFolder);
  try {
    const postgres = await startEmbeddedPostgres(options);
    try {
      return await untilInterrupted(interrupted, () => action(postgres.url));
    } finally {
      await postgres.stop();
    }
  } finally {
    runtime.release();
  }
}
