import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type Client, ConnectionError, createClient } from "@periscan/sdk/client.ts";
import { ensureDataFolder, findDataFolder } from "./data-folder.ts";
import { readLogLevel } from "./log-level.ts";
import { findRuntime, RuntimeTakenError } from "./runtime-file.ts";
import { readSettings } from "./settings.ts";
import type { PlatformSettings } from "./start-platform.ts";
import { UserError } from "./user-error.ts";
import { untilInterrupted, watchInterrupts } from "./watch-interrupts.ts";

/** A client of a platform, and the platform itself where nobody else runs it. */
export interface Session {
  client: Client;
  /** Where the platform runs: elsewhere (PERISCAN_SERVER), in another process on this data folder, or in this process until it is closed. */
  platform: "remote" | "running" | "own";
  close(): Promise<void>;
}

const startingSeconds = 60;

/** The platform of PERISCAN_SERVER or the configuration, else the one that runs on the data folder, else one of our own. */
export async function openSession(settings: { quiet?: boolean } = {}): Promise<Session> {
  const { server: chosen, apiKey: key } = readSettings();
  const [server, apiKey] = [chosen.value, key.value];
  if (server) {
    if (!apiKey && chosen.from !== "PERISCAN_SERVER") throw new UserError(`${chosen.from} has a server and no api_key: add its key.`, { exitCode: 2 });
    if (!apiKey) throw new UserError("PERISCAN_SERVER is set, and PERISCAN_API_KEY is not: set it to a key of that server.", { exitCode: 2 });
    // `fetch` would say of such a key that the server cannot be reached.
    if (!/^[\x21-\x7e]+$/.test(apiKey.trim())) throw new UserError("PERISCAN_API_KEY has characters that no key has.", { exitCode: 2 });
    return { client: createClient({ server: readServer(server), apiKey }), platform: "remote", close: async () => {} };
  }
  const dataFolder = findDataFolder();
  for (;;) {
    const url = await findRunningServer(dataFolder);
    if (url)
      return { client: createClient({ server: url, apiKey: apiKey ?? readKey(join(dataFolder, "api-key")) }), platform: "running", close: async () => {} };
    try {
      return await startOwn(settings);
    } catch (error) {
      // Another command was quicker: its platform serves us too.
      if (!(error instanceof RuntimeTakenError)) throw error;
    }
  }
}

async function startOwn({ quiet = false }: { quiet?: boolean }): Promise<Session> {
  const { startPlatform } = await import("./start-platform.ts");
  const settings: PlatformSettings = { dataFolder: ensureDataFolder(), host: "127.0.0.1", port: 0, logLevel: readLogLevel("fatal") };
  if (!quiet && process.stderr.isTTY) console.error("Starting Periscan for this command (`periscan up` keeps it running) …");
  const platform = await startPlatform(settings);
  return { client: createClient({ server: platform.url, apiKey: readKey(platform.keyFile) }), platform: "own", close: platform.stop };
}

/** Runs `action` with a client, and ends what was started for it, also at Ctrl-C. */
export async function withClient<T>(action: (client: Client) => Promise<T>): Promise<T> {
  const interrupted = watchInterrupts();
  const session = await openSession();
  try {
    return await untilInterrupted(interrupted, () => action(session.client));
  } finally {
    await session.close();
  }
}

/** The address of the platform that runs on the folder, once it has one; undefined where none runs. */
async function findRunningServer(dataFolder: string): Promise<string | undefined> {
  const until = performance.now() + startingSeconds * 1000;
  for (;;) {
    const runtime = findRuntime(dataFolder);
    if (!runtime || runtime.url) return runtime?.url;
    if (performance.now() > until)
      throw new UserError(`Periscan (process ${runtime.pid}) has been starting for ${startingSeconds} s; see what it says, or stop it.`);
    await sleep(100);
  }
}

/** A server's address as a user gave it. Throws a UserError where it is none. */
export function readServer(text: string): string {
  if (URL.canParse(text) && /^https?:\/\//i.test(text)) return text;
  throw new UserError(`The server's address (PERISCAN_SERVER) must begin with http:// or https://, such as https://periscan.example; it is ${text}`, {
    exitCode: 2,
  });
}

function readKey(file: string): string {
  try {
    return readFileSync(file, "utf8").trim();
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new UserError(`The API key in ${file} cannot be read (${code}). Use the account that started Periscan, or set PERISCAN_API_KEY.`, { cause });
  }
}

/**
 * Does `action` again on another session when the platform went away under it: another command may have run it and ended. Only for what is
 * safe to repeat.
 */
export async function withLiveSession<T>(first: Session, action: (session: Session) => Promise<T>): Promise<{ value: T; session: Session }> {
  let session = first;
  for (;;) {
    try {
      return { value: await action(session), session };
    } catch (error) {
      if (!(error instanceof ConnectionError) || session.platform !== "running") throw error;
      session = await openSession({ quiet: true });
    }
  }
}
