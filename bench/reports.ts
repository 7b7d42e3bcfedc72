import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { sql } from "drizzle-orm";
import { connect } from "../server/db/connect.ts";
import { startTestServer } from "../server/testing/start-test-server.ts";
import { fillRisks } from "./fill-risks.ts";

// How long reports of 1,000 and 10,000 risks take, of 200 kinds and all of them different, and what an export of 100,000 risks takes in time and memory of the server:
// `node --expose-gc bench/reports.ts`. Needs memory for the PDF of 10,000 risks: about 2 GB.

const reportSeconds = { 1000: 30, 10000: 120 };
const exportMegabytes = 200;

await using server = await startTestServer();
const { db, close } = await connect(server.databaseUrl, () => {});
const keyOf = async (workspace: string) => (await server.keys.createApiKey({ name: "bench", workspace })).key;
const idOf = async (workspace: string) => (await db.execute<{ id: string }>(sql`select id from workspace where name = ${workspace}`)).rows[0]?.id ?? "";

// First, while the process has no memory of the reports to use again.
const headers = { "x-hostedscan-api-key": await keyOf("export") };
await fillRisks(db, { workspaceId: await idOf("export"), targets: 4000, risksPerTarget: 25, scans: 2 });
for (const format of ["csv", "json", "sarif"]) {
  globalThis.gc?.();
  await sleep(500);
  const before = process.memoryUsage.rss();
  const startedAt = performance.now();
  const response = await fetch(new URL(`/v1/risks/export?format=${format}&filters[status][]=OPEN&filters[status][]=CLOSED`, server.url), { headers });
  const digest = createHash("sha256");
  let bytes = 0;
  let peak = 0;
  for await (const piece of response.body ?? []) {
    bytes += piece.byteLength;
    digest.update(piece);
    peak = Math.max(peak, process.memoryUsage.rss());
  }
  const grown = (peak - before) / 1e6;
  const seconds = (performance.now() - startedAt) / 1000;
  console.log(
    `export of 100,000 risks as ${format}: ${(bytes / 1e6).toFixed(0)} MB in ${seconds.toFixed(1)} s, ${grown.toFixed(0)} MB above the start (goal under ${exportMegabytes})`,
  );
  if (response.status !== 200 || grown > exportMegabytes) process.exitCode = 1;
}

for (const [risks, isDifferent] of [
  [1000, false],
  [10_000, false],
  [1000, true],
  [10_000, true],
] as const) {
  const workspace = `report-${risks}-${isDifferent}`;
  const headers = { "x-hostedscan-api-key": await keyOf(workspace) };
  await fillRisks(db, { workspaceId: await idOf(workspace), targets: risks / 20, risksPerTarget: 25, scans: 20, isDifferent });
  for (const report_format of ["HTML", "PDF"]) {
    const startedAt = performance.now();
    const { body } = await server.api<{ data: { id: string } }>("POST", "/v1/reports", { report_format }, headers);
    let file: Response;
    do file = await fetch(new URL(`/v1/reports/${body.data.id}`, server.url), { headers });
    while (file.status === 503);
    const bytes = (await file.arrayBuffer()).byteLength;
    const seconds = (performance.now() - startedAt) / 1000;
    console.log(
      `report of ${risks.toLocaleString("en")} ${isDifferent ? "different " : ""}risks as ${report_format}: ${seconds.toFixed(1)} s (goal ${reportSeconds[risks]}), ${(bytes / 1e6).toFixed(1)} MB`,
    );
    if (file.status !== 200 || seconds > reportSeconds[risks]) process.exitCode = 1;
  }
}
await close();
