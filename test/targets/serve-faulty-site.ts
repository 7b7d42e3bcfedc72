import { type FaultySite, startFaultySite } from "./faulty-site.ts";

// The faulty and the well-made site as a program. Gets the sites as JSON in its first argument, says `ready`, and ends when its parent closes
// its standard input.
const sites = JSON.parse(process.argv[2] ?? "[]") as FaultySite[];
await Promise.all(sites.map((site) => startFaultySite(site)));
console.log("ready");
process.stdin.resume().once("close", () => process.exit(0));
