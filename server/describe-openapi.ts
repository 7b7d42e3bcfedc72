import pino from "pino";
import { buildApp } from "./app.ts";
import { printDescription } from "./describe-api.ts";
import type { Services } from "./services.ts";

/** The API's description as `openapi.json` keeps it. Needs neither a database nor a queue: the routes only close over the services. */
export async function describeOpenApi(): Promise<string> {
  const http = { corsOrigins: [], sampleData: true, allowedHosts: [], metricsToken: undefined };
  const app = await buildApp({ log: pino({ level: "silent" }), host: "127.0.0.1", http } as unknown as Services);
  await app.ready();
  try {
    return printDescription(app.swagger());
  } finally {
    await app.close();
  }
}
