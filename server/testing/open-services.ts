import { join } from "node:path";
import pino from "pino";
import { openSecrets } from "../access/secrets.ts";
import { connect } from "../db/connect.ts";
import { createFileStore } from "../files/file-store.ts";
import { openMailer } from "../outgoing/mailer.ts";
import { readOutgoingPolicy } from "../outgoing/outgoing-policy.ts";
import { startQueue } from "../queue/start-queue.ts";
import { createTaskBell } from "../queue/task-bell.ts";
import type { Services } from "../services.ts";
import { readHttpSettings } from "../settings/http-settings.ts";
import { readLimitSettings } from "../settings/limit-settings.ts";
import { readOwnershipSettings } from "../settings/ownership-settings.ts";
import { createTaskPicker } from "../tasks/pick-task.ts";

export interface OpenServices extends Services, AsyncDisposable {}

/** What a server of its own stands on, without the server: for what one does by the clock, at a time that the test says. */
export async function openServices({ databaseUrl, folder }: { databaseUrl: string; folder: string }): Promise<OpenServices> {
  const log = pino({ level: "silent" });
  const { db, close } = await connect(databaseUrl, () => {});
  const boss = await startQueue(databaseUrl, log);
  const bell = createTaskBell();
  return {
    ...{ db, boss, bell, log, ...readLimitSettings({ requestsPerMinute: 0 }) },
    files: createFileStore(join(folder, "files")),
    secrets: openSecrets(folder),
    picker: createTaskPicker(db, bell),
    allowLoopback: true,
    host: "127.0.0.1",
    isLocalAlone: true,
    http: readHttpSettings({}),
    outgoing: readOutgoingPolicy({}),
    ownership: readOwnershipSettings({}),
    mailer: openMailer({}),
    publicUrl: undefined,
    maxImportBytes: 1024 ** 2,
    [Symbol.asyncDispose]: async () => {
      await boss.stop({ graceful: false });
      await close();
    },
  };
}
