import { startServer } from "../start-server.ts";
import { loopbackAllowed } from "./open-dispatcher.ts";

// A server in a process of its own, for tests that kill one: serve.ts DATABASE_URL DATA_FOLDER. It prints its address.

const [databaseUrl = "", dataFolder = ""] = process.argv.slice(2);
const { url } = await startServer({ databaseUrl, dataFolder, host: "127.0.0.1", port: 0, logLevel: "silent", outgoing: loopbackAllowed });
console.log(url);
