import { type Command, InvalidArgumentError, Option } from "commander";
import { ensureDataFolder } from "../data-folder.ts";
import { openLogFile } from "../log-file.ts";
import { readLogLevel } from "../log-level.ts";
import { readCount } from "../read-count.ts";
import { readImportLimit } from "../read-import-limit.ts";
import { readServer } from "../session.ts";
import { UserError } from "../user-error.ts";

interface Listen {
  host: string;
  port: number;
}

interface Work {
  server?: string;
  token?: string;
  name?: string;
  slots?: number;
  memory?: number;
  rate?: number;
}

/** `up`, and its parts on machines of their own: `serve` and `work`. */
export function addRoleCommands(program: Command): void {
  program
    .command("up")
    .description("Run everything here: embedded PostgreSQL, the server, a worker. Ctrl-C ends it whole.")
    .addOption(portOption())
    .addOption(hostOption())
    .option("--log", "write the whole log to standard error too, as JSON lines; `periscan logs` shows what is kept")
    .addHelpText(
      "after",
      exampleOf(
        "periscan up --port 7700",
        "The first API key is in DATA/api-key. Loopback can be scanned only while --host is a loopback address, or with PERISCAN_ALLOW_LOOPBACK=1.",
      ),
    )
    .action(up);
  program
    .command("serve")
    .description("Run a server alone, on the PostgreSQL that DATABASE_URL names. Any number may share it.")
    .addOption(portOption())
    .addOption(hostOption())
    .addHelpText("after", exampleOf("DATABASE_URL=postgresql://periscan@db.example/periscan periscan serve --host 0.0.0.0"))
    .action(serve);
  program
    .command("work")
    .description("Run a worker alone: it takes tasks from a server and scans from where it stands. It opens no port.")
    .option("--server <url>", "the server's address (PERISCAN_SERVER)")
    .option("--token <token>", "the worker's token, from `periscan key create NAME --worker` (better in PERISCAN_WORKER_TOKEN: others see a command line)")
    .option("--name <name>", "its name, where it is to be checked: a token is for the worker of one name")
    .option("--slots <n>", "tasks at once (default 8)", readCount)
    .option("--memory <megabytes>", "most memory of all engines together (default 4096, or half of a smaller machine's)", readCount)
    .option("--rate <packets>", "most packets a second of all tasks together (default: no limit)", readCount)
    .addHelpText("after", exampleOf("PERISCAN_WORKER_TOKEN=pw_… periscan work --server https://periscan.example --slots 16"))
    .action(work);
}

const exampleOf = (line: string, note = "") => `\nExample:\n  ${line}\n${note === "" ? "" : `\n${note}\n`}`;

const portOption = () => new Option("--port <n>", "port to listen on").default(7700).argParser(readPort);
const hostOption = () => new Option("--host <address>", "address to listen on").default("127.0.0.1");

function readPort(text: string): number {
  const port = Number(text);
  if (!/^\d+$/.test(text) || port > 65_535) throw new InvalidArgumentError("give a port from 0 to 65535; 0 takes a free one");
  return port;
}

async function up({ host, port, log }: Listen & { log?: boolean }): Promise<void> {
  const { startPlatform } = await import("../start-platform.ts");
  const stopped = waitForStop();
  const dataFolder = ensureDataFolder();
  const platform = await startPlatform({ dataFolder, host, port, logLevel: readLogLevel("info"), log: keepLog(dataFolder, log === true) });
  console.log(`Periscan is ready at ${platform.url}`);
  console.log(`  API documentation  ${platform.url}/docs`);
  console.log(`  API key            ${platform.keyFile}`);
  console.log("  Ctrl-C stops it; what runs is taken up again at the next start.");
  await stopped;
  await platform.stop();
  process.exit(0);
}

/** The log goes to its file; to standard error what a person must see, or all of it. */
function keepLog(dataFolder: string, isLoud: boolean): { write(lines: string): void } {
  const file = openLogFile(dataFolder);
  return {
    write: (lines) => {
      file.write(lines);
      if (isLoud || !/^\{"level":[123]0,/.test(lines)) process.stderr.write(lines);
    },
  };
}

async function serve({ host, port }: Listen): Promise<void> {
  const { DATABASE_URL: databaseUrl } = process.env;
  if (!databaseUrl)
    throw new UserError("`serve` needs DATABASE_URL, such as postgresql://user:password@host/periscan. `periscan up` brings its own.", { exitCode: 2 });
  const { startServer } = await import("@periscan/server/start-server.ts");
  const { explainDatabase } = await import("../explain-database.ts");
  const { explainListen } = await import("../explain-listen.ts");
  const stopped = waitForStop();
  const settings = { databaseUrl, host, port, dataFolder: ensureDataFolder(), logLevel: readLogLevel("info"), ...readImportLimit() };
  const server = await startServer(settings).catch((cause) => {
    throw explainDatabase(explainListen(cause, settings));
  });
  console.log(`Periscan is ready at ${server.url}`);
  await stopped;
  await server.stop();
  process.exit(0);
}

async function work({ server, token, name, slots, memory, rate }: Work): Promise<void> {
  const environment = {
    PERISCAN_SERVER: server,
    PERISCAN_WORKER_TOKEN: token,
    PERISCAN_WORKER_NAME: name,
    PERISCAN_WORKER_SLOTS: slots,
    PERISCAN_WORKER_MEMORY_MB: memory,
    PERISCAN_WORKER_RATE: rate,
    PERISCAN_DATA: ensureDataFolder(),
  };
  for (const [variable, value] of Object.entries(environment)) if (value !== undefined) process.env[variable] = `${value}`;
  if (!process.env.PERISCAN_SERVER || !process.env.PERISCAN_WORKER_TOKEN)
    throw new UserError(
      "A worker needs --server and --token (or PERISCAN_SERVER and PERISCAN_WORKER_TOKEN). `periscan key create NAME --worker` on the server makes a token.",
      { exitCode: 2 },
    );
  readServer(process.env.PERISCAN_SERVER);
  readLogLevel("info");
  await import("@periscan/worker/main.ts");
}

/** Resolves at SIGTERM or Ctrl-C, also while the platform is starting. A second signal ends the process at once. */
function waitForStop(): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  let asked = false;
  const stop = () => {
    if (asked) process.exit(1);
    asked = true;
    resolve();
  };
  process.on("SIGTERM", stop);
  process.on("SIGINT", stop);
  return promise;
}
