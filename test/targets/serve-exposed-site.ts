import { startListener, type TargetListener } from "./exposed-site.ts";

// The exposed sites and services as a program. Gets the listeners as JSON in its first argument, says `ready`, and ends when its parent
// closes its standard input.
const listeners = JSON.parse(process.argv[2] ?? "[]") as TargetListener[];
await Promise.all(listeners.map((listener) => startListener(listener)));
console.log("ready");
process.stdin.resume().once("close", () => process.exit(0));
