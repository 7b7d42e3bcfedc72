import { findEngine } from "@periscan/engines/registry.ts";
import { sql } from "drizzle-orm";
import { expect, test, vi } from "vitest";
import { connect } from "../db/connect.ts";
import { claimSome, finishTask, startScan, startTestServer, tcpOutcome } from "../testing/start-test-server.ts";
import { applyOutcomes } from "./apply-outcomes.ts";

const isSeenAgain = (target: string) => target === "10.10.0.2";
const targets = ["10.10.0.1", "10.10.0.2", "10.10.0.3"];
const open = Array.from({ length: 20 }, (_, index) => index + 1);

test("the end of a scan reads what was looked at once a target, however many of its risks were not seen, and only there", async () => {
  await using server = await startTestServer();
  await startScan(server, { type: "NMAP", targets });
  for (const _ of targets) await finishTask(server, await claimSome(server), tcpOutcome({ ports: "1-1000", open }));
  const { id: scanId } = await startScan(server, { type: "NMAP", targets });
  for (const _ of targets) {
    const task = await claimSome(server);
    for (const { target_id, target } of task.targets) {
      const outcome = tcpOutcome({ ports: target === targets[0] ? "1-5" : "1-1000", open: isSeenAgain(target) ? open : [] });
      const report = { attempt: task.attempt, sequence: 1, target_id, resolved_target: "127.0.0.1", has_native: false, outcome };
      expect(await server.worker("POST", `/tasks/${task.task_id}/outcomes`, report)).toMatchObject({ status: 200 });
    }
  }
  const { db, close } = await connect(server.databaseUrl, () => {});
  const nmap = findEngine("NMAP");
  const readCoverage = vi.fn(nmap.readCoverage);
  const { rows } = await db.execute<{ workspace_id: string }>(sql`select workspace_id from scan where id = ${scanId}`);
  await db.transaction((tx) => applyOutcomes(tx, { scanId, workspaceId: rows[0]?.workspace_id ?? "", engine: { ...nmap, readCoverage }, isImport: false }));
  expect(readCoverage).toHaveBeenCalledTimes(2);
  const closed = await db.execute(sql`
    select target, count(*)::int from scan_risk join risk on risk.id = risk_id and closed_at is not null join target on target.id = target_id
    where scan_id = ${scanId} and change = 'closed' group by target order by target`);
  expect(closed.rows).toEqual([
    { target: targets[0], count: 5 },
    { target: targets[2], count: 20 },
  ]);
  await close();
});
