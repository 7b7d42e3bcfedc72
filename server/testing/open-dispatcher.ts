import pino from "pino";
import { openSecrets } from "../access/secrets.ts";
import { connect } from "../db/connect.ts";
import { openMailer } from "../outgoing/mailer.ts";
import type { OutgoingPolicy } from "../outgoing/outgoing-policy.ts";
import { createDispatcher } from "../receivers/create-dispatcher.ts";
import type { Services } from "../services.ts";
import type { TestServer } from "./start-test-server.ts";

/** Receivers of tests stand on loopback, without TLS. */
export const loopbackAllowed: OutgoingPolicy = { allowHttp: true, allowPrivate: true };

interface Settings {
  outgoing?: OutgoingPolicy;
  environment?: NodeJS.ProcessEnv;
}

/** A dispatcher as a second server has it on the test server's database, with a clock that the test moves on. */
export async function openDispatcher(server: TestServer, { outgoing = loopbackAllowed, environment = {} }: Settings = {}) {
  const { db, close } = await connect(server.databaseUrl, () => {});
  const secrets = openSecrets(server.folder);
  const mailer = openMailer(environment);
  const services = { db, secrets, outgoing, mailer, publicUrl: "https://periscan.example/", log: pino({ level: "silent" }) } as Services;
  let skippedMilliseconds = 0;
  const clock = () => new Date(Date.now() + skippedMilliseconds);
  const dispatcher = createDispatcher(services, { clock, random: () => 0.5 });
  return {
    ...dispatcher,
    db,
    clock,
    /** Moves the clock on, and delivers what is due then. */
    skip: async (seconds: number) => {
      skippedMilliseconds += seconds * 1000;
      await dispatcher.runDue();
    },
    async [Symbol.asyncDispose]() {
      await dispatcher.stop();
      await close();
    },
  };
}

export type TestDispatcher = Awaited<ReturnType<typeof openDispatcher>>;
