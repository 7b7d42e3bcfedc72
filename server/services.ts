import type { PgBoss } from "pg-boss";
import type { Logger } from "pino";
import type { Database } from "./db/connect.ts";
import type { FileStore } from "./file-store.ts";
import type { HttpSettings } from "./http-settings.ts";
import type { TaskBell } from "./scans/task-bell.ts";
import type { Secrets } from "./secrets.ts";

/** What the operations stand on; made once by `startServer`. */
export interface Services {
  db: Database;
  boss: PgBoss;
  files: FileStore;
  /** Encrypts what must be readable again: logins of targets. */
  secrets: Secrets;
  /** Wakes the workers' long polls. */
  bell: TaskBell;
  /** Whether loopback may be scanned: only while we listen on loopback alone. */
  allowLoopback: boolean;
  http: HttpSettings;
  log: Logger;
}
