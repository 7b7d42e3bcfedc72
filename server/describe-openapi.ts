import pino from "pino";
import { buildApp } from "./app.ts";
import { printDescription } from "./describe-api.ts";
import type { Services } from "./services.ts";

/** The API's description as `openapi.json` keeps it. Needs neither a database nor a queue: the routes only close over the services. */
export async function describeOpenApi(): Promise<string> {
  const app = await buildApp({ log: pino({ level: "silent" }), http: { corsOrigins: [], sampleData: true } } as unknown as Services);
  await app.ready();
  try {
    return printDescription(app.swagger());
  } finally {
    await app.close();
  }
}
