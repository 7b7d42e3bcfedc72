import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { startEmbeddedPostgres } from "@periscan/server/db/embedded-postgres.ts";
import { openKeys } from "@periscan/server/keys.ts";
import { startServer } from "@periscan/server/start-server.ts";
import pg from "pg";
import { connect } from "../server/db/connect.ts";
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
    requests: { type: "string", default: "50" },
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
const settings = { host: "127.0.0.1", port: 0, dataFolder: folder, logLevel: "silent", delivers: false, requestsPerMinute: 0, wrongKeysPerMinute: 0 };
const server = await startServer({ ...settings, databaseUrl: postgres.url });
// Beside it one that logs each plan, and is not measured.
const plans = readPlans(join(folder, "postgres", "postgres.log"), postgres.url);
const planned = await startServer({ ...settings, databaseUrl: plans.databaseUrl });

/** One request as most HTTP clients send it; answers how long it took and how many rows came. */
async function ask(base: string, { path }: Cell): Promise<{ milliseconds: number; rows: number; first: string | undefined }> {
  const startedAt = performance.now();
  const response = await fetch(new URL(path, base), { headers: { "x-hostedscan-api-key": key, "accept-encoding": "identity" } });
  const text = await response.text();
  const milliseconds = performance.now() - startedAt;
  if (response.status !== 200) throw new Error(`${path}: ${response.status} ${text.slice(0, 300)}`);
  const { data } = JSON.parse(text) as { data: { id: string }[] };
  return { milliseconds, rows: data.length, first: data[0]?.id };
}

async function measure(cell: Cell) {
  for (let warm = 0; warm < Math.min(3, requestsPerCell); warm++) await ask(server.url, cell);
  const times: number[] = [];
  let rows = 0;
  for (let turn = 0; turn < requestsPerCell; turn++) {
    const answer = await ask(server.url, cell);
    if (answer.rows !== cell.rows || (cell.first && answer.first !== cell.first))
      throw new Error(`${cell.name}: ${answer.rows} rows from ${answer.first}, not ${cell.rows} from ${cell.first}`);
    times.push(answer.milliseconds);
    rows = answer.rows;
  }
  times.sort((a, b) => a - b);
  const at = (share: number) => times[Math.max(0, Math.ceil(times.length * share) - 1)] ?? 0;
  return { name: cell.name, page: cell.page, rows, least: at(0), p50: at(0.5), p99: at(0.99), scans: await plans.during(() => ask(planned.url, cell)) };
}

const cells = (await findCells(pool, workspaceId)).filter(({ name }) => !options.only || name.includes(options.only));
const measured = [];
for (const cell of cells) {
  measured.push(await measure(cell));
  if (measured.length % 50 === 0) console.error(`${measured.length} of ${cells.length}`);
}
measured.sort((a, b) => b.p99 - a.p99);
console.log(`${"p99 ms".padStart(8)}${"p50 ms".padStart(8)}${"least".padStart(8)}${"rows".padStart(6)}  list, filters, page`);
for (const { name, page, rows, least, p50, p99 } of measured.slice(0, shown))
  console.log(`${p99.toFixed(1).padStart(8)}${p50.toFixed(1).padStart(8)}${least.toFixed(1).padStart(8)}${`${rows}`.padStart(6)}  ${name}, ${page}`);
const late = measured.filter(({ p99 }) => p99 > goalMilliseconds);
const slow = measured.filter(({ p50 }) => p50 > goalMilliseconds);
const unplanned = measured.filter(({ scans }) => scans.length > 0);
for (const { name, page, scans } of unplanned.slice(0, shown)) console.log(`no index: ${name}, ${page}: ${scans.join("; ")}`);
const median = measured.map(({ p99 }) => p99).sort((a, b) => a - b)[Math.floor(measured.length / 2)] ?? 0;
console.log(
  `${measured.length} lists and pages: ${late.length} above ${goalMilliseconds} ms at p99 (median of the p99s ${median.toFixed(1)} ms), ${slow.length} at p50, ${unplanned.length} that read a whole table`,
);
process.exitCode = late.length === 0 && unplanned.length === 0 ? 0 : 1;

await planned.stop();
await server.stop();
await pool.end();
await keys.close();
await postgres.stop();
if (!options.keep) rmSync(folder, { recursive: true, force: true });
