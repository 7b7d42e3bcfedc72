import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "@periscan/server/db/connect.ts";
import { startEmbeddedPostgres } from "@periscan/server/db/embedded-postgres.ts";
import { createTaskBell } from "@periscan/server/queue/task-bell.ts";
import { createTaskPicker } from "@periscan/server/tasks/pick-task.ts";
import pg from "pg";

/**
 * How long it takes to pick the next task of a long queue: `node bench/claims.ts [tasks]`. One workspace has nine tenths of them. 8,000 tasks
 * run (1,000 workers of 8 slots), and 1,000 workers ask at once, half of them at each of two servers.
 */
const tasks = Number(process.argv[2] ?? 1_000_000);
const types = ["NMAP", "NMAP_UDP", "SSLYZE", "OPENVAS", "OWASP_ZAP", "OWASP_ZAP_ACTIVE", "NUCLEI"];
const wanted = { types, fitting: types };

const folder = mkdtempSync(join(tmpdir(), "periscan-bench-"));
chmodSync(folder, 0o755);
const postgres = await startEmbeddedPostgres({ folder: join(folder, "postgres") });
try {
  for (const workspaces of [1, 10, 100, 1000]) await measure(workspaces);
} finally {
  await postgres.stop();
  rmSync(folder, { recursive: true, force: true });
}

async function measure(workspaces: number): Promise<void> {
  const { db, close } = await connect(postgres.url, () => {});
  const pool = new pg.Pool({ connectionString: postgres.url, max: 20 });
  await pool.query("truncate workspace cascade");
  await pool.query("insert into workspace (id, name) select uuidv7(), 'w' || n from generate_series(1, $1::int) as n", [workspaces]);
  await pool.query("insert into scan (id, workspace_id, type, state, options) select id, id, 'NMAP', 'RUNNING', '{}' from workspace");
  await pool.query(
    `insert into task (id, scan_id, workspace_id, type, state, queued_until, lease_until)
    select uuidv7(), owner.id, owner.id, ($1::text[])[1 + n % 7],
      case when n <= 8000 then 'running' else 'queued' end, now() + interval '1 day', now() + interval '1 day'
    from generate_series(1, $2::int + 8000) as n
    join (select id, row_number() over (order by id) as number from workspace) as owner
      on owner.number = case when n % 10 = 0 then 1 + n / 10 % $3::int else 1 end`,
    [types, tasks, workspaces],
  );
  await pool.query("vacuum analyze task");
  const bell = createTaskBell();
  const pickers = [createTaskPicker(db, bell), createTaskPicker(db, createTaskBell())];
  const claim = async (picker: number) => {
    const picked = await pickers[picker]?.pick(wanted);
    // As the claim does that follows.
    await pool.query("update task set state = 'running', reserved_until = null, lease_until = now() where id = $1", [picked?.taskId]);
  };
  await claim(0);
  const alone = await time(100, () => claim(0));
  const started = performance.now();
  const latencies = await Promise.all(Array.from({ length: 1000 }, (_, index) => time(1, () => claim(index % 2))));
  const seconds = (performance.now() - started) / 1000;
  await pool.query("update task set state = 'ended' where state = 'queued'");
  const idle = await time(1000, () => pickers[0]?.pick(wanted));
  console.log(
    `${tasks} queued, ${workspaces} workspaces: ${alone.toFixed(1)} ms a claim alone; 1,000 at once: ${Math.round(1000 / seconds)} a second, the last after ${Math.round(Math.max(...latencies))} ms; idle: ${idle.toFixed(4)} ms a look`,
  );
  await pool.end();
  await close();
}

async function time(count: number, action: () => unknown): Promise<number> {
  const started = performance.now();
  for (let index = 0; index < count; index++) await action();
  return (performance.now() - started) / count;
}
