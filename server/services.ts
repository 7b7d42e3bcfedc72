import type { PgBoss } from "pg-boss";
import type { Logger } from "pino";
import type { AddressGuard } from "./access/address-guard.ts";
import type { Secrets } from "./access/secrets.ts";
import type { Database } from "./db/connect.ts";
import type { FileStore } from "./files/file-store.ts";
import type { Mailer } from "./outgoing/mailer.ts";
import type { OutgoingPolicy } from "./outgoing/outgoing-policy.ts";
import type { TaskBell } from "./queue/task-bell.ts";
import type { TaskPicker } from "./queue/task-picker.ts";
import type { HttpSettings } from "./settings/http-settings.ts";
import type { OwnershipSettings } from "./settings/ownership-settings.ts";

/** What the operations stand on; made once by `startServer`. */
export interface Services {
  db: Database;
  boss: PgBoss;
  files: FileStore;
  /** Encrypts what must be readable again: logins of targets, secrets and addresses of webhooks. */
  secrets: Secrets;
  /** Wakes the workers' long polls. */
  bell: TaskBell;
  picker: TaskPicker;
  /** Against whoever tries keys. */
  guard: AddressGuard;
  /** Of one API key, where its workspace has no number of its own; 0 is no limit. */
  requestsPerMinute: number;
  /** The addresses of proxies whose X-Forwarded-For is believed. */
  trustedProxies: string[];
  /** Where we listen, and whether only programs of this machine can reach us there. */
  host: string;
  isLocalAlone: boolean;
  /** Whether the platform's own worker may scan loopback; no other ever does. */
  allowLoopback: boolean;
  /** Where requests to addresses that users give may go. */
  outgoing: OutgoingPolicy;
  /** Whether targets must be proven to be their workspace's own. */
  ownership: OwnershipSettings;
  /** Absent where the operator has set no mail server. */
  mailer: Mailer | undefined;
  /** The server's address as people reach it, for links in messages. */
  publicUrl: string | undefined;
  /** The largest file that may be imported. */
  maxImportBytes: number;
  http: HttpSettings;
  log: Logger;
}
