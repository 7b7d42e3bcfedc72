import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { Schedule } from "@periscan/contract/schedule.ts";
import pg from "pg";
import { expect, test } from "vitest";
import { startTestServer } from "../testing/start-test-server.ts";

const script = fileURLToPath(new URL("../testing/run-schedules.ts", import.meta.url));
const count = 48;
/** So many are made between two kills, and then a few milliseconds pass. */
const perRound = 12;

test("schedulers that are killed while many schedules are due leave each occurrence with one scan", async () => {
  await using server = await startTestServer();
  const schedules: Schedule[] = [];
  for (let index = 0; index < count; index++) {
    const body = { name: `s${index}`, type: "NMAP", targets: [`10.8.${index}.0/28`], cron: "0 3 * * *" };
    schedules.push((await server.api<{ data: Schedule }>("POST", "/v1/schedules", body)).body.data);
  }
  const due = schedules[0]?.next_runs[0] ?? "";
  const database = new pg.Client({ connectionString: server.databaseUrl });
  await database.connect();
  const countRuns = async () => Number((await database.query("select count(*) from schedule_run")).rows[0]?.count);
  const start = async (): Promise<ChildProcess> => {
    const child = spawn(process.execPath, [script, server.databaseUrl, server.folder, due], { stdio: ["pipe", "pipe", "inherit"] });
    await once(child.stdout as NonNullable<typeof child.stdout>, "data");
    return child;
  };
  let kills = 0;
  for (let before = 0; before < count; before = await countRuns()) {
    const children = await Promise.all([start(), start()]);
    for (const child of children) child.stdin?.write("begin\n");
    while ((await countRuns()) < Math.min(count, before + perRound));
    await sleep(20 * Math.random());
    for (const child of children) if (child.exitCode === null && child.kill("SIGKILL")) kills += 1;
    await Promise.all(children.map((child) => child.exitCode ?? child.signalCode ?? once(child, "exit")));
  }
  expect(kills).toBeGreaterThan(1);
  const { rows } = await database.query(`
    select schedule.id, next_run_at, last_scan_id, array_agg(distinct schedule_run.scan_id) as runs,
      (select array_agg(scan.id) from scan where scheduled_by = schedule.id) as scans,
      (select count(*)::int from scan join task on task.scan_id = scan.id where scheduled_by = schedule.id) as tasks
    from schedule left join schedule_run on schedule_run.schedule_id = schedule.id group by schedule.id`);
  await database.end();
  expect(rows).toHaveLength(count);
  for (const { next_run_at, last_scan_id, runs, scans, tasks } of rows) {
    expect(scans).toEqual([last_scan_id]);
    expect(runs).toEqual([last_scan_id]);
    expect(tasks).toBeGreaterThan(0);
    expect(next_run_at.toISOString()).toBe(schedules[0]?.next_runs[1]);
  }
}, 180_000);
