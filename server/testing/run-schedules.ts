import { once } from "node:events";
import { runDueSchedules } from "../schedules/run-due.ts";
import { openServices } from "./open-services.ts";

/** A server's scheduler as a process of its own, which a test may kill: once told to begin, it makes what is due at a given time until nothing is left. */
const [databaseUrl = "", folder = "", now = ""] = process.argv.slice(2);
await using services = await openServices({ databaseUrl, folder });
console.log("ready");
await once(process.stdin, "data");
while ((await runDueSchedules(services, new Date(now))) > 0);
process.stdin.destroy();
