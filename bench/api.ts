import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import http from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { parseArgs } from "node:util";
import { openKeys } from "@periscan/server/access/keys.ts";
import { startEmbeddedPostgres } from "@periscan/server/db/embedded-postgres.ts";
import pg from "pg";
import { connect } from "../server/db/connect.ts";
import { cliFile, stopProcess, waitForUrl } from "../test/platform.ts";
import { fillLists } from "./fill-lists.ts";
import { type Cell, findCells } from "./list-cells.ts";
import { readPlans } from "./read-plans.ts";

/**
 * How long the lists of a large workspace take: `node bench/api.ts [--risks N] [--targets N] [--keep FOLDER] [--only TEXT] [--requests N]`. Each list without filters, with each
 * filter and with each pair, its first page and its page 1,000 (the last where it has fewer), over HTTP. `--keep` keeps the data for another run.
 */
const { values: options } = parseArgs({
  options: {
    risks: { type: "string", default: "1000000" },
    targets: { type: "string", default: "100000" },
    keep: { type: "string" },
    only: { type: "string" },
    requests: { type: "string", default: "100" },
  },
});
const goalMilliseconds = 50;
const requestsPerCell = Number(options.requests);
const shown = 40;

const folder = options.keep ?? mkdtempSync(join(tmpdir(), "periscan-bench-"));
const isFilled = existsSync(join(folder, "postgres", "data"));
mkdirSync(folder, { recursive: true });
chmodSync(folder, 0o755);
const postgres = await startEmbeddedPostgres({ folder: join(folder, "postgres") });
const keys = await openKeys(postgres.url);
const { key } = await keys.createApiKey({ name: "bench", workspace: "bench" });
const pool = new pg.Pool({ connectionString: postgres.url, max: 1 });
const workspaceId: string = (await pool.query("select id from workspace where name = 'bench'")).rows[0].id;
if (!isFilled) {
  const { db, close } = await connect(postgres.url, () => {}, 1);
  await fillLists(db, { workspaceId, targets: Number(options.targets), risks: Number(options.risks) });
  await close();
}

interface Server {
  url: string;
  stop(): Promise<unknown>;
}

/** `periscan serve`, as a process of its own: what this one keeps in mind would be its garbage to collect. */
async function startServer(databaseUrl: string): Promise<Server> {
  const environment = { DATABASE_URL: databaseUrl, PERISCAN_DATA: folder, PERISCAN_LOG_LEVEL: "warn", PERISCAN_REQUESTS_PER_MINUTE: "0" };
  const child = spawn(process.execPath, [cliFile, "serve", "--port", "0"], { env: { ...process.env, ...environment }, stdio: ["ignore", "pipe", "inherit"] });
  return { url: await waitForUrl(child), stop: () => stopProcess(child, "SIGTERM") };
}

/** One request, from its first byte to the answer's last; answers how many rows came. `fetch` would add a tenth of its own: it takes large answers through streams. */
async function ask(base: string, { path }: Cell): Promise<{ milliseconds: number; rows: number; first: string | undefined }> {
  const startedAt = performance.now();
  const request = http.get(new URL(path, base), { headers: { "x-hostedscan-api-key": key } });
  const [response] = (await once(request, "response")) as [http.IncomingMessage];
  const body = await text(response);
  const milliseconds = performance.now() - startedAt;
  if (response.statusCode !== 200) throw new Error(`${path}: ${response.statusCode} ${body.slice(0, 300)}`);
  const { data } = JSON.parse(body) as { data: { id: string }[] };
  return { milliseconds, rows: data.length, first: data[0]?.id };
}

/** Answers that were not right. */
const wrong = new Set<string>();

async function measure(base: string, cell: Cell) {
  for (let warm = 0; warm < Math.min(3, requestsPerCell); warm++) await ask(base, cell);
  const times: number[] = [];
  for (let turn = 0; turn < requestsPerCell; turn++) {
    const answer = await ask(base, cell);
    if (answer.rows !== cell.rows || (cell.first && answer.first !== cell.first))
      wrong.add(`${cell.name}, ${cell.page}: ${answer.rows} rows from ${answer.first}, not ${cell.rows} from ${cell.first}`);
    times.push(answer.milliseconds);
  }
  times.sort((a, b) => a - b);
  const at = (share: number) => times[Math.max(0, Math.ceil(times.length * share) - 1)] ?? 0;
  return { name: cell.name, page: cell.page, rows: cell.rows, least: at(0), p50: at(0.5), p99: at(0.99) };
}

async function forEach<T>(work: string, list: Cell[], action: (cell: Cell) => Promise<T>): Promise<T[]> {
  const answers: T[] = [];
  for (const cell of list) {
    answers.push(await action(cell));
    if (answers.length % 100 === 0) console.error(`${work} ${answers.length} of ${list.length}`);
  }
  return answers;
}

const cells = (await findCells(pool, workspaceId)).filter(({ name }) => !options.only || name.includes(options.only));
const server = await startServer(postgres.url);
const measured = await forEach("measured", cells, (cell) => measure(server.url, cell));
await server.stop();
// Another that logs each plan, and is not measured.
const plans = readPlans(join(folder, "postgres", "postgres.log"), postgres.url);
const planned = await startServer(plans.databaseUrl);
const unplanned = (await forEach("planned", cells, async (cell) => ({ ...cell, scans: await plans.during(() => ask(planned.url, cell)) }))).filter(
  ({ scans }) => scans.length > 0,
);
await planned.stop();
measured.sort((a, b) => b.p99 - a.p99);
console.log(`${"p99 ms".padStart(8)}${"p50 ms".padStart(8)}${"least".padStart(8)}${"rows".padStart(6)}  list, filters, page`);
for (const { name, page, rows, least, p50, p99 } of measured.slice(0, shown))
  console.log(`${p99.toFixed(1).padStart(8)}${p50.toFixed(1).padStart(8)}${least.toFixed(1).padStart(8)}${`${rows}`.padStart(6)}  ${name}, ${page}`);
const late = measured.filter(({ p99 }) => p99 > goalMilliseconds);
const slow = measured.filter(({ p50 }) => p50 > goalMilliseconds);
for (const answer of wrong) console.log(`wrong: ${answer}`);
for (const { name, page, scans } of unplanned.slice(0, shown)) console.log(`no index: ${name}, ${page}: ${scans.join("; ")}`);
const median = measured.map(({ p99 }) => p99).sort((a, b) => a - b)[Math.floor(measured.length / 2)] ?? 0;
console.log(
  `${measured.length} lists and pages: ${late.length} above ${goalMilliseconds} ms at p99 (median of the p99s ${median.toFixed(1)} ms), ${slow.length} at p50, ${unplanned.length} that read a whole table`,
);
process.exitCode = late.length === 0 && unplanned.length === 0 && wrong.size === 0 ? 0 : 1;

await pool.end();
await keys.close();
await postgres.stop();
if (!options.keep) rmSync(folder, { recursive: true, force: true });
