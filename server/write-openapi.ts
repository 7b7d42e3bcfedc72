import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import pino from "pino";
import { buildApp } from "./app.ts";
import type { Services } from "./services.ts";

// The routes only close over the services: describing them needs neither a database nor a queue.
const app = await buildApp({ log: pino({ level: "silent" }) } as Services);
await app.ready();
writeFileSync(fileURLToPath(new URL("../openapi.json", import.meta.url)), `${JSON.stringify(app.swagger(), null, 2)}\n`);
await app.close();
